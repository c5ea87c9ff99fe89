"""``bitproof assets``: the asset pipeline."""
