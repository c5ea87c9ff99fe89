"""A release from a publisher to a machine, and what may happen to it on the way."""
