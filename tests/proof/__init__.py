"""Why artifacts differ."""
