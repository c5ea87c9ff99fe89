import os
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.system import content
from bitproof.system.content import copy_bytes, reserve
from bitproof.system.files import Directory
from bitproof.system.opened import CHUNK, open_file
from tests.conftest import Mount
from tests.evidence import names_in

DATA = os.urandom(100_000)


def copied(source: Path, target: Path, size: int) -> tuple[int, bytes, int]:
    """How many bytes ``copy_bytes`` says, the bytes that landed, and the bytes its progress was told."""
    told: list[int] = []
    fd = os.open(target, os.O_RDWR | os.O_CREAT)
    with open_file(source) as opened:
        done = copy_bytes(opened, fd, size, told.append)
    os.close(fd)
    return done, target.read_bytes(), sum(told)


@pytest.mark.parametrize("size", [0, 1, 99_999, 100_000])
def test_a_copy_is_the_source(tmp_path: Path, size: int) -> None:
    (tmp_path / "s").write_bytes(DATA[:size])
    assert copied(tmp_path / "s", tmp_path / "t", size) == (size, DATA[:size], size)


def test_a_copy_says_when_the_source_is_shorter(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(DATA)
    assert copied(tmp_path / "s", tmp_path / "t", 200_000) == (100_000, DATA, 100_000)


def test_a_copy_stops_one_byte_after_the_expected_size(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(DATA)
    assert copied(tmp_path / "s", tmp_path / "t", 50_000) == (50_001, DATA[:50_001], 50_001)


def test_a_source_that_grows_while_it_is_copied_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"1234")

    def grow(_: int) -> None:
        with (tmp_path / "s").open("ab") as stream:
            stream.write(b"5")

    with open_file(tmp_path / "s") as source, (tmp_path / "t").open("wb") as target:
        assert copy_bytes(source, target.fileno(), 4, grow) == 5


def test_a_source_that_shrinks_while_it_is_copied_is_noticed(tmp_path: Path) -> None:
    size = CHUNK + 10
    with (tmp_path / "s").open("wb") as stream:
        stream.truncate(size)
    with open_file(tmp_path / "s") as source, (tmp_path / "t").open("wb") as target:
        done = copy_bytes(source, target.fileno(), size, lambda _: os.truncate(tmp_path / "s", CHUNK))
    assert done == CHUNK


def test_a_copy_across_file_systems_is_the_source(mounted: Mount, tmp_path: Path) -> None:
    source = mounted("size=1m") / "s"
    source.write_bytes(DATA)
    assert copied(source, tmp_path / "t", len(DATA)) == (len(DATA), DATA, len(DATA))
    assert copied(tmp_path / "t", source.with_name("t"), len(DATA)) == (len(DATA), DATA, len(DATA))


def test_a_copy_between_two_of_one_kind_is_the_source(mounted: Mount) -> None:
    source, target = mounted("size=1m") / "s", mounted("size=1m") / "t"
    source.write_bytes(DATA)
    assert copied(source, target, len(DATA)) == (len(DATA), DATA, len(DATA))


@pytest.mark.parametrize("method", ["_by_copy_file_range", "_by_sendfile", "_by_read"])
def test_every_way_to_copy_goes_on_at_its_offset(tmp_path: Path, method: str) -> None:
    (tmp_path / "s").write_bytes(DATA)
    way = getattr(content, method)
    with open_file(tmp_path / "s") as source, (tmp_path / "t").open("wb") as target:
        done = 0
        while done < len(DATA):
            done += way(source.fd, target.fileno(), 30_000, done)
    assert (tmp_path / "t").read_bytes() == DATA


def test_a_target_for_appending_takes_the_plain_way(tmp_path: Path) -> None:
    """What copy_file_range(2) and sendfile(2) refuse: a pipe that is read, a file that is only appended to."""
    (tmp_path / "s").write_bytes(b"1234")
    reader, writer = os.pipe()
    with open_file(tmp_path / "s") as source:
        assert copy_bytes(source, writer, 4) == 4
    os.close(writer)
    assert os.read(reader, 10) == b"1234"
    os.close(reader)


def test_a_full_disk_stops_a_copy(mounted: Mount, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(DATA)
    with Directory(mounted("size=32k")) as store, open_file(tmp_path / "s") as source:
        with pytest.raises(UnavailableError) as caught, store.staged("t", 0o444) as target:
            copy_bytes(source, target.fd, len(DATA))
        assert str(caught.value) == (
            "the file cannot be written\n"
            f"  where:    {store.path}/t\n"
            "  found:    No space left on device\n"
            "  fix:      free some disk space and try again"
        )
        assert names_in(store.path) == []


def test_what_is_reserved_is_there_and_a_copy_fills_it(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(DATA)
    with Directory(tmp_path) as store, open_file(tmp_path / "s") as source, store.staged("t", 0o444) as target:
        reserve(target.fd, len(DATA))
        assert os.fstat(target.fd).st_size == len(DATA)
        assert os.fstat(target.fd).st_blocks * 512 >= len(DATA)
        assert copy_bytes(source, target.fd, len(DATA)) == len(DATA)
    assert (tmp_path / "t").read_bytes() == DATA


def test_nothing_to_reserve_is_no_error(tmp_path: Path) -> None:
    with Directory(tmp_path) as store, store.staged("t", 0o444) as target:
        reserve(target.fd, 0)
    assert (tmp_path / "t").read_bytes() == b""


def test_a_full_disk_refuses_before_a_byte_is_copied(mounted: Mount) -> None:
    with Directory(mounted("size=32k")) as store:
        with pytest.raises(UnavailableError) as caught, store.staged("t", 0o444) as target:
            reserve(target.fd, len(DATA))
        assert str(caught.value) == (
            "the file cannot be written\n"
            f"  where:    {store.path}/t\n"
            "  found:    No space left on device\n"
            "  fix:      free some disk space and try again"
        )
        assert names_in(store.path) == []
