"""Siblings brought to their pins: clone, fetch, check out, heal; and what a remote holds."""
