"""Digests remembered between runs, so that a file that did not change is not read again.

An entry is believed only while device, inode, size, mtime and ctime are those of the moment it was hashed, and only
when the file had been quiet for a while before that: the racy-timestamp rule of git's index, since a change within
one tick of the clock leaves the times alone. Only producers and sync may believe it; verify, install and boot read.
"""

import os
import time
from typing import TYPE_CHECKING, Self

from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.decode import parse_json
from bitproof.model.digest import Algorithm, Digest
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, Progress, ignore

if TYPE_CHECKING:  # imported where used: when nothing changed, nothing is hashed
    from bitproof.system.hashing import Digests

CACHE_NAME = ".bitproof-digests.json"
QUIET_NS = 20_000_000
"""Two ticks of the slowest kernel clock (100 Hz)."""


class DigestCache:
    """The digests of the files of one directory tree, by their path below it."""

    def __init__(self, entries: dict[str, object]) -> None:
        self.entries = entries
        self.used: dict[str, object] = {}

    @classmethod
    def load(cls, directory: Directory) -> Self:
        """Read a directory's cache; one that is missing or damaged is an empty one."""
        try:
            with directory.open(CACHE_NAME) as file:
                return cls(parse_json(file.read(1 << 24), CACHE_NAME))
        except BitproofError:
            return cls({})

    def digests(self, path: str, file: OpenFile, progress: Progress = ignore) -> "Digests":
        """Both digests of an open file: remembered, or computed and remembered.

        Raises:
            UnavailableError: it cannot be read, or changes meanwhile, so that size and digests do not go together.
        """
        from bitproof.system.hashing import Digests, both_digests

        entry = self._entry(path, file)
        if entry and (blake3 := _digest("blake3", entry[-2])) and (sha256 := _digest("sha256", entry[-1])):
            self.used[path] = entry
            progress(file.size)
            return Digests(blake3, sha256, file.size)
        began = time.time_ns()
        found = both_digests(file, progress)
        self._remember(path, file, began, [found.blake3.value, found.sha256.value])
        return found

    def sha256(self, path: str, file: OpenFile) -> Digest:
        """The SHA-256 of an open file alone, remembered without a BLAKE3. Raises as `digests`."""
        entry = self._entry(path, file)
        if entry and (known := _digest("sha256", entry[-1])):
            self.used[path] = entry
            return known
        from bitproof.system.hashing import sha256_digest

        began = time.time_ns()
        found = sha256_digest(file)
        self._remember(path, file, began, ["", found.value])
        return found

    def _entry(self, path: str, file: OpenFile) -> list[object]:
        """What is remembered of the file in the state that it is in; empty when nothing is."""
        entry = self.entries.get(path)
        return entry if isinstance(entry, list) and entry[:-2] == [*_identity(file.stat)] else []

    def _remember(self, path: str, file: OpenFile, began: int, digests: list[str]) -> None:
        check_unchanged(file)
        if max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) + QUIET_NS < began:
            self.used[path] = [*_identity(file.stat), *digests]

    def save(self, directory: Directory) -> None:
        """Remember what was asked for, and nothing else."""
        import json

        if self.used != self.entries:
            directory.write(CACHE_NAME, json.dumps(self.used).encode())


def check_unchanged(file: OpenFile) -> None:
    """Refuse a file that is no longer in the state in which it was opened: what was read of it may not go together.

    Raises:
        UnavailableError: inode, size or times differ.
    """
    if _identity(os.fstat(file.fd)) != _identity(file.stat):
        fix = "wait until nothing writes to it, then try again"
        raise UnavailableError("the file changed while it was read", where=file.path, fix=fix)


def _identity(stat: os.stat_result) -> tuple[int, int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _digest(algorithm: Algorithm, value: object) -> Digest | None:
    try:
        return Digest(algorithm, str(value))
    except ValueError:
        return None
