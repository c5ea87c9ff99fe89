"""Artifacts that builds and repacks are tried on."""

from pathlib import Path

import pytest

from tests.images.layouts import INIT


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Artifacts with an init that mounts the rootfs, says so and ends."""
    directory = tmp_path / "artifacts"
    directory.mkdir()
    (directory / "init").write_bytes(INIT)
    return directory
