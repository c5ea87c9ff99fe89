"""Joins `channel`, `trust`, `assets` and `signed`: how a release is published, and how a machine gets it."""
