"""A file that is being downloaded, and beside it the journal of what has landed, so that a killed download goes on.

The target of any `Reader.fetch`: what comes over a network is recorded as it lands. The lock of the directory is the
caller's; so is the proof of the whole file. When that fails, `forget`: bytes may come from an earlier run, or have been
lost with a machine's power.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from bitproof.system.content import reserve
from bitproof.system.files import Directory
from bitproof.system.net.journal import MOST, heading, landed, record
from bitproof.system.net.spans import Span, merged, without
from bitproof.system.opened import OpenFile, unavailable

SUFFIX = ".journal"
"""What a journal's name has more than its file's."""


class Partial(OpenFile):
    """An open file of its final size, parts of which are there."""

    def __init__(self, fd: int, path: Path, journal: OpenFile, key: str, done: Iterable[Span]) -> None:
        super().__init__(fd, path)
        self.journal = journal
        self.key = key
        self.done = list(done)

    def landed(self, offset: int, size: int) -> None:
        """Record a part. Any thread may; one appended line is never torn by another.

        Raises:
            UnavailableError: it cannot be written.
        """
        try:
            os.write(self.journal.fd, record(offset, size))
        except OSError as error:
            raise unavailable(error, "the journal of the download cannot be written", self.journal.path) from None
        self.done.append((offset, size))

    def missing(self, spans: Iterable[Span]) -> list[Span]:
        """What of ``spans`` has not landed yet: sorted, neighbours merged."""
        return without(spans, self.done)

    def forget(self) -> None:
        """Begin anew: nothing has landed."""
        _start(self.journal, self.key)
        self.done = []

    def __enter__(self) -> Self:
        """Closed at the end of the block, with its journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both."""
        try:
            self.journal.close()
        finally:
            self.close()


def open_partial(directory: Directory, name: str, size: int, key: str) -> Partial:
    """Go on with a download, or begin it.

    Args:
        directory: where it is; others are kept out of it.
        name: the file's; its journal's is ``name`` with `SUFFIX`.
        size: bytes that it will have; they are taken of the disk at once.
        key: says of which bytes (a digest): a file of other bytes is begun anew.

    Raises:
        UnavailableError: the system refused: the disk is full.
    """
    journal = directory.kept(f"{name}{SUFFIX}", append=True)
    try:
        target = directory.kept(name)
    except BaseException:
        journal.close()
        raise
    done = landed(journal.read(MOST), key) if target.size == size else None
    made = Partial(target.fd, target.path, journal, key, done or ())
    try:
        if done is None:
            _start(journal, key)
            os.ftruncate(made.fd, 0)
            reserve(made.fd, size)
            os.ftruncate(made.fd, size)
        else:
            os.write(journal.fd, b"\n")  # so that a torn line spoils no record
    except OSError as error:
        made.__exit__(None, None, None)
        raise unavailable(error, "the file cannot be written", target.path) from None
    made.stat = os.fstat(made.fd)
    made.done = merged(made.done)
    return made


def remove_partial(directory: Directory, name: str) -> None:
    """Remove a download and its journal; that they are gone is no error."""
    directory.remove(f"{name}{SUFFIX}")
    directory.remove(name)


def _start(journal: OpenFile, key: str) -> None:
    try:
        os.ftruncate(journal.fd, 0)
        os.write(journal.fd, heading(key))
    except OSError as error:
        raise unavailable(error, "the journal of the download cannot be written", journal.path) from None
