"""``bitproof update`` and what goes with it: how a machine gets releases, and goes back."""
