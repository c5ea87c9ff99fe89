"""Files that are their owner's alone: made new, and never left half written by a failure."""

import resource
import signal
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.system.private import write_new
from tests.evidence import names_in, refusal

BYTES = b"x" * 100


@pytest.mark.parametrize("planted", ["file", "symlink", "directory"])
def test_what_is_there_is_not_replaced(tmp_path: Path, planted: str) -> None:
    path = tmp_path / "key"
    if planted == "directory":
        path.mkdir()
    elif planted == "symlink":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(b"mine")
    assert refusal(InputError, lambda: write_new(path, BYTES, 0o600, "the key")) == (
        f"the key is there already\n  where:    {path}\n  fix:      choose another name; a key is never replaced"
    )
    assert names_in(tmp_path) == ["key"]
    assert planted != "file" or path.read_bytes() == b"mine"


def test_a_name_that_cannot_be_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    assert refusal(UnavailableError, lambda: write_new(path, BYTES, 0o600, "the key")) == (
        f"the key cannot be made\n  where:    {path}\n  found:    File name too long"
    )


def test_a_file_that_cannot_be_written_whole_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BYTES) - 1, limits[1]))
    try:
        said = refusal(UnavailableError, lambda: write_new(path, BYTES, 0o600, "the key"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert said == f"the key cannot be written\n  where:    {path}\n  found:    File too large"
    assert names_in(tmp_path) == []
