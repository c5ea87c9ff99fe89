from pathlib import Path

import pytest
from hypothesis import settings

from tests.assets.layouts import recorded

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    recorded(tmp_path / "assets")
    return tmp_path / "assets"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "home" / "assets"
