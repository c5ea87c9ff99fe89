"""The digest cache when only the SHA-256 is asked for, as `caps sync` does."""

import hashlib
import os
from pathlib import Path

import pytest

from bitproof.system import digest_cache, hashing
from bitproof.system.digest_cache import CACHE_NAME, DigestCache
from bitproof.system.files import Directory
from bitproof.system.hashing import both_digests
from bitproof.system.opened import open_file

OLD = 1_600_000_000
SHA256 = hashlib.sha256(b"bytes").hexdigest()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that has been quiet: its times are old, and so the rule about racy times is out of the way."""
    monkeypatch.setattr(digest_cache, "QUIET_NS", -(10**18))
    path = tmp_path / "artifact"
    path.write_bytes(b"bytes")
    os.utime(path, (OLD, OLD))
    return path


def asked(path: Path, cache: DigestCache) -> str:
    with open_file(path) as opened:
        return cache.sha256(str(path), opened).value


def saved(path: Path, cache: DigestCache) -> DigestCache:
    with Directory(path.parent) as directory:
        cache.save(directory)
        return DigestCache.load(directory)


def test_no_blake3_is_computed_or_remembered(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(hashing, "blake3")
    cache = DigestCache({})
    assert asked(file, cache) == SHA256
    entry = cache.used[str(file)]
    assert isinstance(entry, list)
    assert entry[-2:] == ["", SHA256]


def test_what_is_remembered_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DigestCache({})
    asked(file, cache)
    cache = saved(file, cache)
    monkeypatch.delattr(hashing, "sha256_digest")
    assert asked(file, cache) == SHA256


def test_an_entry_with_both_digests_serves(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DigestCache({})
    with open_file(file) as opened:
        cache.digests(str(file), opened)
    cache = saved(file, cache)
    monkeypatch.delattr(hashing, "sha256_digest")
    assert asked(file, cache) == SHA256


def test_an_entry_without_a_blake3_is_completed_when_both_are_asked_for(file: Path) -> None:
    cache = DigestCache({})
    asked(file, cache)
    cache = saved(file, cache)
    with open_file(file) as opened:
        assert cache.digests(str(file), opened) == both_digests(opened)


def test_changed_bytes_are_read_though_size_and_mtime_are_the_old_ones(file: Path) -> None:
    cache = DigestCache({})
    asked(file, cache)
    cache = saved(file, cache)
    file.write_bytes(b"BYTES")
    os.utime(file, (OLD, OLD))
    assert asked(file, cache) == hashlib.sha256(b"BYTES").hexdigest()


def test_a_file_that_changed_just_now_is_not_remembered(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_cache, "QUIET_NS", 10**18)
    cache = DigestCache({})
    assert asked(file, cache) == SHA256
    assert cache.used == {}


@pytest.mark.parametrize("damage", ['{"artifact": [1]}', '{"artifact": []}', '{"artifact": 7}', "[]", "{"])
def test_a_damaged_cache_is_an_empty_one(damage: str, file: Path) -> None:
    (file.parent / CACHE_NAME).write_text(damage.replace("artifact", str(file)))
    with Directory(file.parent) as directory:
        assert asked(file, DigestCache.load(directory)) == SHA256
