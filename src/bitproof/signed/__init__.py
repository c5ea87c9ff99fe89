"""Joins `trust`, which knows keys and no manifests, and `assets`, which knows manifests and no keys (decision 0027)."""
