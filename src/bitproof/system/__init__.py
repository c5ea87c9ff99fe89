"""The only layer that touches the world: files, locks, digests of open files, other programs."""
