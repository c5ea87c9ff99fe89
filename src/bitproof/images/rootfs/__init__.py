"""The rootfs: a tree through a filter, packed as an image."""
