"""Artifacts built from siblings: drivers, a made environment, wrapping, recorded inputs."""
