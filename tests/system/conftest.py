import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitproof.system.files import Directory

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    with Directory(tmp_path / "d", create=True) as opened:
        yield opened


@pytest.fixture
def script() -> Script:
    """Runs Python in a process of its own, where limits and signals hurt nobody else."""

    def run(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    return run
