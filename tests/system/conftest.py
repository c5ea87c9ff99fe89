import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bitproof.system.files import Directory
from tests.evidence import names_in

Mount = Callable[[str], Path]
Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small tmpfs with options such as ``size=64k``; gone after the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    with ExitStack() as stack:

        def mount(options: str) -> Path:
            place = tmp_path / f"tmpfs-{len(names_in(tmp_path))}"
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
            stack.callback(lambda: subprocess.run(["umount", place], check=True))
            return place

        yield mount


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
