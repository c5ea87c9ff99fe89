"""One writer at a time: an advisory ``flock`` on a dot file, released when its process ends. Readers take none.

The descriptor is never inherited by a child, so that a VMM cannot keep a lock alive.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, close, unavailable

LOCK_NAME = ".bitproof.lock"


Waiting = Callable[[Path], None]
"""Told the lock's path, once, before waiting begins."""


def silent(_: Path) -> None:
    """Waits without a word."""


@contextmanager
def locked(
    directory: Directory, *, wait: bool = True, waiting: Waiting = silent, name: str = LOCK_NAME
) -> Iterator[None]:
    """Hold the lock of a store or of a manifest's directory, or one of several locks that a directory holds.

    Args:
        directory: whose lock it is.
        wait: wait for another writer to finish; else fail at once.
        waiting: called once with the lock's path before waiting begins.
        name: the lock file's name, where a directory has more than one lock.

    Raises:
        UnavailableError: another process holds the lock and ``wait`` is false, or the lock file cannot be made.
    """
    path = directory.path / name
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644, dir_fd=directory.fd)
    except OSError as error:
        raise unavailable(error, "the lock cannot be made", path) from None
    try:
        _take(fd, path, wait=wait, waiting=waiting)
        yield
    finally:
        _give_back(fd, path)


def _take(fd: int, path: Path, *, wait: bool, waiting: Waiting) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        if not wait:
            fix = "wait until the other bitproof has finished, or leave out --no-wait"
            raise UnavailableError("locked by another process", where=path, fix=fix) from None
    except OSError as error:
        raise unavailable(error, "the lock cannot be taken", path) from None
    waiting(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        raise unavailable(error, "the lock cannot be taken", path) from None


def _give_back(fd: int, path: Path) -> None:
    """Unlock and close: closing alone leaves the lock to a child of another thread that is not yet its program."""
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        raise unavailable(error, "the lock cannot be given back", path) from None
    finally:
        close(fd, path)


def hold(file: OpenFile) -> None:
    """Mark an open file as in use for as long as any process has its descriptor (a running VM's lease).

    Waits while `claim` has it: then whoever has removed it is done, and the file has no link any more.

    Raises:
        UnavailableError: the file system has no locks.
    """
    try:
        fcntl.flock(file.fd, fcntl.LOCK_SH)
    except OSError as error:
        raise unavailable(error, "the file cannot be marked as in use", file.path) from None


def claim(file: OpenFile) -> bool:
    """Take an open file that nobody holds, so that nobody can `hold` it before it is closed; False when one does.

    Raises:
        UnavailableError: the file system has no locks.
    """
    try:
        fcntl.flock(file.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unavailable(error, "it cannot be told whether the file is in use", file.path) from None
    return True
