"""Caps: pins to proved artifacts, on real git and real compilers."""
