"""The git program, hardened: run, examined config, HEAD without it, work trees."""
