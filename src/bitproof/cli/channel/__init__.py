"""``bitproof channel``: publish releases, and keep a channel alive."""
