import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cases import CASES
from tests.faults.checks import Laboratory, laboratory

LONG = ("update into nothing", "update over HTTP")
"""Cases that take longest, and differ in little from others: `make test` does not disturb them at every change."""
QUICK_CASES = [
    pytest.param(case, id=str(case), marks=[pytest.mark.slow] if str(case) in LONG else []) for case in CASES
]
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - below it a directory of our own


@pytest.fixture(scope="session")
def bench() -> Iterator[Laboratory]:
    """The real bitproof, warmed up, and what its cases should do; in memory, where nothing waits for a disk."""
    if shutil.which("strace") is None:
        assert "CI" not in os.environ, "apt-get install strace"
        pytest.skip("strace is not installed: apt-get install strace")
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="bitproof-faults-", dir=place) as scratch,
        laboratory(Path(scratch)) as made,
    ):
        yield made
