"""``bitproof trust``: keys and signatures."""
