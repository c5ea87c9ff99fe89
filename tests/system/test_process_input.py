import time
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.system.hashing import blake3_digest, bytes_digest
from bitproof.system.opened import open_file
from bitproof.system.process import find_program, run

SLEEP = [find_program("sleep", "coreutils"), "60"]
CAT = [find_program("cat", "coreutils")]


def test_an_open_file_can_be_what_a_program_reads(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with open_file(tmp_path / "file") as file:
        assert run(CAT, stdin=file.fd) == b"content"


def test_a_program_that_nobody_stops_ends_by_itself() -> None:
    assert run(CAT, stdin=b"content" * 100_000, stopped=lambda: False) == b"content" * 100_000


def test_a_program_that_is_to_stop_is_killed_at_once() -> None:
    started = time.monotonic()

    with pytest.raises(UnavailableError, match="sleep did not end in time"):
        run(SLEEP, stopped=lambda: True)

    assert time.monotonic() - started < 10


def test_the_deadline_holds_for_a_program_that_can_be_stopped() -> None:
    with pytest.raises(UnavailableError) as caught:
        run(SLEEP, timeout=0.3, stopped=lambda: False)

    assert str(caught.value) == (f"sleep did not end in time\n  expected: at most 0.3 s\n  found:    {' '.join(SLEEP)}")


def test_bytes_and_a_file_of_them_have_one_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with open_file(tmp_path / "file") as file:
        assert bytes_digest(b"content") == blake3_digest(file)
