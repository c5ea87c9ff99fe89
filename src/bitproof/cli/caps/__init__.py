"""``bitproof caps``: the pins of sibling repositories."""
