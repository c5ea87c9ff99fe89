"""The kernel and what an initrd takes from beside it."""
