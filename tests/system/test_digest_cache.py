import json
import os
import time
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.digest_cache import CACHE_NAME, QUIET_NS, DigestCache
from bitproof.system.files import Directory
from bitproof.system.hashing import Digests, bytes_digest

FALSE = Digest("blake3", "0" * 64)


def quiet(path: Path) -> None:
    """Wait until a file has not changed for longer than the clock's ticks."""
    while time.time_ns() <= path.stat().st_ctime_ns + QUIET_NS:
        os.sched_yield()


def ask(directory: Directory, name: str = "f") -> Digests:
    cache = DigestCache.load(directory)
    with directory.open(name) as file:
        found = cache.digests(name, file)
    cache.save(directory)
    return found


def remember_falsely(directory: Directory, name: str = "f") -> None:
    """Put zeros into the cache, so that an answer from it can be told from one that was read."""
    entries = json.loads((directory.path / CACHE_NAME).read_bytes())
    entries[name][-2] = FALSE.value
    (directory.path / CACHE_NAME).write_text(json.dumps(entries))


@pytest.fixture
def cached(directory: Directory) -> Directory:
    """A directory with a file ``f`` whose cache says zeros."""
    path = directory.path / "f"
    path.write_bytes(b"abc")
    quiet(path)
    assert ask(directory).blake3 == bytes_digest(b"abc")
    remember_falsely(directory)
    return directory


def test_an_unchanged_file_is_not_read_again(cached: Directory) -> None:
    told: list[int] = []
    cache = DigestCache.load(cached)
    with cached.open("f") as file:
        assert cache.digests("f", file, told.append).blake3 == FALSE
    assert told == [3]


def test_a_file_that_changed_just_before_it_was_hashed_is_not_remembered(directory: Directory) -> None:
    path = directory.path / "f"
    path.write_bytes(b"abc")
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 3600 * 10**9))
    quiet(path)
    assert ask(directory).blake3 == bytes_digest(b"abc")
    assert not (directory.path / CACHE_NAME).exists()


def test_a_change_that_puts_size_and_mtime_back_is_noticed(cached: Directory) -> None:
    path = cached.path / "f"
    before = path.stat()
    path.write_bytes(b"abd")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ask(cached).blake3 == bytes_digest(b"abd")


@pytest.mark.parametrize("change", ["touched", "replaced", "renamed", "longer"])
def test_a_file_that_may_have_changed_is_read_again(cached: Directory, change: str) -> None:
    path = cached.path / "f"
    other = cached.path / "other"
    if change == "touched":
        path.touch()
    elif change == "longer":
        path.write_bytes(b"abcd")
    elif change == "replaced":
        other.write_bytes(b"abc")
        other.rename(path)
    else:
        path.rename(other)
        other.rename(path)
    assert ask(cached).blake3 == bytes_digest(path.read_bytes())


def test_another_name_is_another_file(cached: Directory) -> None:
    (cached.path / "f").rename(cached.path / "g")
    assert ask(cached, "g").blake3 == bytes_digest(b"abc")


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b'{"f": 1}', b'{"f": []}', b'{"f": {}}', b"\xff", b'{"f": [1, 2, 3, 4, 5, "x", "y"]}'],
)
def test_a_damaged_cache_is_an_empty_one(cached: Directory, damaged: bytes) -> None:
    (cached.path / CACHE_NAME).write_bytes(damaged)
    assert ask(cached).blake3 == bytes_digest(b"abc")
    remember_falsely(cached)
    assert ask(cached).blake3 == FALSE


def test_a_remembered_digest_that_is_none_is_not_believed(cached: Directory) -> None:
    text = (cached.path / CACHE_NAME).read_text()
    (cached.path / CACHE_NAME).write_text(text.replace(FALSE.value, "zz"))
    assert ask(cached).blake3 == bytes_digest(b"abc")


def test_a_cache_planted_as_a_symlink_is_replaced(cached: Directory, tmp_path: Path) -> None:
    (cached.path / CACHE_NAME).rename(tmp_path / "cache")
    (cached.path / CACHE_NAME).symlink_to(tmp_path / "cache")
    assert ask(cached).blake3 == bytes_digest(b"abc")
    assert not (cached.path / CACHE_NAME).is_symlink()
    assert FALSE.value in (tmp_path / "cache").read_text()


def test_only_what_was_asked_for_is_remembered(cached: Directory) -> None:
    (cached.path / "g").write_bytes(b"x")
    quiet(cached.path / "g")
    ask(cached, "g")
    assert list(json.loads((cached.path / CACHE_NAME).read_bytes())) == ["g"]


def test_a_cache_that_is_as_it_was_is_not_written(cached: Directory) -> None:
    before = cached.stat(CACHE_NAME)
    ask(cached)
    assert cached.stat(CACHE_NAME) == before


def test_a_file_that_changes_while_it_is_read_has_no_digests(directory: Directory) -> None:
    path = directory.path / "f"
    path.write_bytes(b"abc")

    def change(_: int) -> None:
        path.write_bytes(b"abcd")

    with directory.open("f") as file, pytest.raises(UnavailableError) as caught:
        DigestCache({}).digests("f", file, change)
    assert str(caught.value) == (
        "the file changed while it was read\n"
        f"  where:    {path}\n"
        "  fix:      wait until nothing writes to it, then try again"
    )
