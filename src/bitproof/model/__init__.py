"""What things are: frozen values that cannot be wrong, how they are parsed and printed. No I/O."""
