"""Ways to make Debian's trees: mmdebstrap without root (`images.debian`), or a container; and the choice."""
