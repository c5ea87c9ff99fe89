import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.images.initrd import cpio

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", "..", cpio.TRAILER}
)
TREES = st.dictionaries(NAMES, st.binary(max_size=64), max_size=8)


def members(data: bytes) -> list[tuple[str, list[int], bytes]]:
    """An independent reader: every member's name, its thirteen numbers and its content, by buffer-format.rst."""
    found = []
    at = 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)]
        name_end = at + 110 + numbers[11]
        content = -(-name_end // 4) * 4
        found.append((data[at + 110 : name_end - 1].decode(), numbers, data[content : content + numbers[6]]))
        at = -(-(content + numbers[6]) // 4) * 4
    return found


@given(TREES, st.integers(0, cpio.MAX_FIELD))
def test_a_reader_by_the_kernels_text_finds_every_file_in_order(tree: dict[str, bytes], mtime: int) -> None:
    data = cpio.archive([cpio.file(f"d/{name}", content) for name, content in tree.items()], mtime)

    read = members(data)
    assert len(data) % 4 == 0
    expected = sorted(tree, key=lambda name: f"d/{name}".encode())
    assert [name for name, _, _ in read] == [
        *(["d"] if tree else []),
        *(f"d/{name}" for name in expected),
        cpio.TRAILER,
    ]
    assert {name.removeprefix("d/"): content for name, numbers, content in read if stat.S_ISREG(numbers[1])} == tree
    assert [numbers[0] for _, numbers, _ in read[:-1]] == list(range(1, len(read)))
    assert all(numbers[2:4] == [0, 0] and numbers[5] == mtime for _, numbers, _ in read[:-1])


@given(TREES)
def test_the_order_in_which_entries_are_given_changes_nothing(tree: dict[str, bytes]) -> None:
    entries = [cpio.file(name, content) for name, content in tree.items()]

    assert cpio.archive(entries, 7) == cpio.archive(entries[::-1], 7)


def test_cpio_itself_unpacks_what_was_written(tmp_path: Path) -> None:
    entries = [
        cpio.file("bin/tool", b"#!/bin/sh\n", 0o755),
        cpio.file("etc/empty", b""),
        cpio.directory("tmp", 0o1777),
    ]

    done = subprocess.run(
        ["cpio", "--extract", "--preserve-modification-time", "--no-absolute-filenames", "--quiet"],
        input=cpio.archive(entries, 1_700_000_000),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    assert done.stderr == b""
    assert (tmp_path / "bin/tool").read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE((tmp_path / "bin/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
    assert (tmp_path / "etc/empty").stat().st_mtime == 1_700_000_000


def test_a_device_node_carries_its_numbers() -> None:
    (_, _, (name, numbers, _), _) = members(
        cpio.archive([cpio.directory("dev"), cpio.directory("a"), cpio.character_device("dev/console", 5, 1, 0o600)], 0)
    )

    assert name == "dev/console"
    assert numbers[1] == stat.S_IFCHR | 0o600
    assert numbers[9:11] == [5, 1]


@pytest.mark.parametrize("path", ["", "/init", "a//b", "a/../b", "./a", "a/", "a\0b", cpio.TRAILER])
def test_a_path_that_is_not_below_the_root_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path below the root"):
        cpio.file(path, b"")


def test_a_path_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="the path stands twice: 'init'"):
        cpio.archive([cpio.file("init", b"a"), cpio.file("init", b"b")], 0)


def test_a_path_below_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a directory: 'init', which 'init/a' lies below"):
        cpio.archive([cpio.file("init", b"a"), cpio.file("init/a", b"b")], 0)


@pytest.mark.parametrize("mtime", [-1, cpio.MAX_FIELD + 1])
def test_a_time_that_does_not_fit_is_refused(mtime: int) -> None:
    with pytest.raises(ValueError, match="a number does not fit into 32 bits: 'a'"):
        cpio.archive([cpio.file("a", b"")], mtime)


def test_the_time_of_an_archive_is_read_back() -> None:
    assert cpio.archive_mtime(cpio.archive([cpio.file("a", b"")], 1_700_000_000)[: cpio.HEADER_SIZE]) == 1_700_000_000


@pytest.mark.parametrize("data", [b"", b"070701", b"070702" + b"0" * 104])
def test_what_is_no_archive_has_no_time(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a newc archive"):
        cpio.archive_mtime(data)
