from pathlib import Path

import pytest


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    return tmp_path / "assets"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "home" / "assets"
