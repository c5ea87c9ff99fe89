"""Open regular files: no symlink is followed, no FIFO is waited for, and a refusal of the system is a sentence."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bitproof.errors import InputError, UnavailableError

Progress = Callable[[int], None]
"""Told how many more bytes are done."""
CHUNK = 32 << 20
"""Bytes that are read or copied at a time."""

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FIXES = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EROFS: "the file system is read-only; write elsewhere or remount it",
    errno.ENOSPC: "free some disk space and try again",
    errno.EDQUOT: "free some disk space and try again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def unavailable(error: OSError, what: str, where: object) -> UnavailableError:
    """An operating system's refusal in bitproof's words."""
    fix = _FIXES.get(error.errno or 0, "")
    return UnavailableError(what, where=where, found=error.strerror or str(error), fix=fix)


def ignore(_: int) -> None:
    """Progress nobody watches."""


class OpenFile:
    """An open regular file: a descriptor, the path it was opened by, and its state when it was opened."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path
        self.stat = os.fstat(fd)

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self.stat.st_size

    def read(self, limit: int) -> bytes:
        """The whole file, but no more than ``limit`` + 1 bytes, so that a caller sees when it is too large.

        Raises:
            UnavailableError: it cannot be read.
        """
        chunks = []
        left = limit + 1
        try:
            while left and (chunk := os.pread(self.fd, min(left, CHUNK), limit + 1 - left)):
                chunks.append(chunk)
                left -= len(chunk)
        except OSError as error:
            raise unavailable(error, "the file cannot be read", self.path) from None
        return b"".join(chunks)

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on; fewer at the end of the file.

        Raises:
            UnavailableError: it cannot be read.
        """
        try:
            return os.pread(self.fd, size, offset)
        except OSError as error:
            raise unavailable(error, "the file cannot be read", self.path) from None

    def sync(self) -> None:
        """Make the bytes last.

        Raises:
            UnavailableError: they may not.
        """
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise unavailable(error, "the file cannot be synced", self.path) from None

    def close(self) -> None:
        """Close the descriptor."""
        close(self.fd, self.path)

    def __enter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def close(fd: int, path: Path) -> None:
    """Close a descriptor.

    Raises:
        UnavailableError: the system refused, as a network file system can.
    """
    try:
        os.close(fd)
    except OSError as error:
        raise unavailable(error, "the file cannot be closed", path) from None


def open_file(path: Path, what: str = "the file") -> OpenFile:
    """Open a regular file for reading; the last part of ``path`` may not be a symlink.

    Raises:
        UnavailableError: it cannot be opened.
        InputError: it is a symlink, a directory, a FIFO or a device.
    """
    return open_below(path, path, None, what)


def open_below(name: Path | str, path: Path, dir_fd: int | None, what: str) -> OpenFile:
    """As `open_file`, for a ``name`` below an open directory; ``path`` is how messages name it."""
    try:
        file = OpenFile(os.open(name, _READ, dir_fd=dir_fd), path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{what} is a symlink", where=path, expected="a regular file") from None
        raise unavailable(error, f"{what} cannot be opened", path) from None
    if not stat.S_ISREG(file.stat.st_mode):
        file.close()
        raise InputError(f"{what} is not a regular file", where=path)
    return file


def read_file(path: Path, limit: int, what: str = "the file") -> bytes:
    """The bytes of a small file, at most ``limit`` + 1 of them. Raises as `open_file` does."""
    with open_file(path, what) as file:
        return file.read(limit)


def exists(path: Path) -> bool:
    """Whether there is something at ``path``, symlinks followed.

    Raises:
        UnavailableError: that cannot be told, as in a directory that may not be searched.
    """
    try:
        return path.exists()
    except OSError as error:
        raise unavailable(error, "the file cannot be examined", path) from None


def in_memory(data: bytes, name: str) -> OpenFile:
    """Bytes at hand as a file that is only in memory.

    Raises:
        UnavailableError: there is no memory for it.
    """
    try:
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        return OpenFile(fd, Path(name))
    except OSError as error:
        raise unavailable(error, "the bytes cannot be held in memory", name) from None
