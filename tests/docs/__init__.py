"""The documentation: its transcripts run, its links lead somewhere, its reference is complete."""
