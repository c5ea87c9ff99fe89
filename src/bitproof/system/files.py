"""The one way to open, write, copy and remove files.

Writing goes one way:

1. a random ``O_EXCL`` temporary in the target's directory
2. the mode is set, so that ``fsync`` makes it last too; the bytes go in; a copy stops at the expected size + 1
3. what *landed* is compared: a copy is hashed, while ``fsync`` runs; bytes from memory are read back
4. ``rename`` over the target, 5. ``fsync`` of the directory

Nothing is ever written in place: a booting VM may hold the old inode. Names are opened below an open directory and
symlinks are not followed. A failed ``fsync`` is a failure and is never retried. Who may write at all is `lock`'s job.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bitproof.errors import InputError, UnavailableError

Progress = Callable[[int], None]
"""Told how many more bytes are done."""

TEMPORARY_PREFIX = ".bitproof-"
TEMPORARY_SUFFIX = ".tmp"
COPY_CHUNK = 32 << 20

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
            while left and (chunk := os.pread(self.fd, min(left, COPY_CHUNK), limit + 1 - left)):
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
    return _opened(path, path, None, what)


def _opened(name: Path | str, path: Path, dir_fd: int | None, what: str) -> OpenFile:
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


def _make(path: Path) -> None:
    """Make a directory and its parents, so that they are there after a power cut."""
    made = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in made:
        with Directory(directory.parent) as parent:
            parent.sync()


class Directory:
    """An open directory. Every name is one part, taken below the descriptor, symlinks not followed.

    ``path`` may itself be reached through symlinks: it is resolved once, here.
    """

    def __init__(self, path: Path, *, create: bool = False, what: str = "the directory") -> None:
        try:
            if create:
                _make(path)
            self.path = path.resolve(strict=True)
            self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise unavailable(error, f"{what} cannot be opened", path) from None

    def __enter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the descriptor."""
        close(self.fd, self.path)

    def child(self, name: str, *, create: bool = False) -> "Directory":
        """A directory below this one, opened without following a symlink."""
        path = self.path / name
        made = object.__new__(Directory)
        made.path = path
        try:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=self.fd)
                    self.sync()
            made.fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self.fd)
        except OSError as error:
            raise unavailable(error, "the directory cannot be opened", path) from None
        return made

    def names(self) -> list[tuple[str, os.stat_result]]:
        """Every entry with its state (symlinks not followed), sorted by name.

        Raises:
            UnavailableError: it cannot be listed.
        """
        entries = []
        try:
            with os.scandir(self.fd) as scan:
                for entry in scan:
                    with suppress(FileNotFoundError):
                        entries.append((entry.name, entry.stat(follow_symlinks=False)))
        except OSError as error:
            raise unavailable(error, "the directory cannot be listed", self.path) from None
        return sorted(entries, key=lambda entry: entry[0])

    def stat(self, name: str) -> os.stat_result | None:
        """The state of an entry, symlinks not followed; None when there is none."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unavailable(error, "the file cannot be examined", self.path / name) from None

    def open(self, name: str, what: str = "the file") -> OpenFile:
        """Open a regular file below this directory. Raises as `open_file` does."""
        return _opened(name, self.path / name, self.fd, what)

    def write(self, name: str, data: bytes, *, mode: int = 0o644) -> None:
        """Put ``data`` under ``name``: the old bytes or the new ones, never a mix, and there after a power cut."""
        with self.staged(name, mode) as file:
            write_synced(file, data)

    def write_changed(self, name: str, data: bytes) -> bool:
        """As `write`, but a file that has these bytes already is left alone; returns whether it was written.

        It is there after a power cut in any case: who wrote it may have been killed before it was.
        """
        if self.stat(name) is not None:
            with self.open(name) as file:
                if file.size == len(data) and file.read(len(data)) == data:
                    file.sync()
                    self.sync()
                    return False
        self.write(name, data)
        return True

    def log(self, name: str) -> OpenFile:
        """A new empty file in the place of an old one, appended to and read while it grows: a log, so no protocol.

        Raises:
            UnavailableError: the system refused.
        """
        self.remove(name)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return OpenFile(os.open(name, flags, 0o644, dir_fd=self.fd), self.path / name)
        except OSError as error:
            raise unavailable(error, "the log cannot be made", self.path / name) from None

    @contextmanager
    def staged(self, name: str, mode: int) -> Iterator[OpenFile]:
        """A temporary file that takes the place of ``name`` when the block ends well, and goes away when it does not.

        The block writes, syncs and compares; this renames and syncs the directory.

        Raises:
            UnavailableError: the system refused to create, write, sync or rename.
        """
        temporary = f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(temporary, flags, 0o600, dir_fd=self.fd)
            with self._removed_on_error(temporary), OpenFile(fd, self.path / name) as file:
                os.fchmod(fd, mode)
                yield file
                os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            self.sync()
        except OSError as error:
            raise unavailable(error, "the file cannot be written", self.path / name) from None

    @contextmanager
    def _removed_on_error(self, temporary: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self.fd)
            raise

    def touch(self, name: str) -> None:
        """Set a file's times to now; that it is not there is no error."""
        try:
            os.utime(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error, "the file's times cannot be set", self.path / name) from None

    def remove(self, name: str) -> None:
        """Unlink a file; that it is gone already is no error."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error, "the file cannot be removed", self.path / name) from None

    def remove_temporaries(self) -> None:
        """Remove what killed writers left: only for one who keeps every other writer out of the directory."""
        for name, _ in self.names():
            if is_temporary(name):
                self.remove(name)

    def remove_tree(self, name: str) -> None:
        """Remove a directory and all below it, symlinks not followed; that it is gone already is no error."""
        import shutil

        try:
            shutil.rmtree(name, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error, "the directory cannot be removed", self.path / name) from None

    def move(self, name: str, target: "Directory", new_name: str) -> None:
        """Rename an entry into ``target``, where only an empty directory may be in its way; there after a power cut."""
        try:
            os.rename(name, new_name, src_dir_fd=self.fd, dst_dir_fd=target.fd)
        except OSError as error:
            raise unavailable(error, "it cannot be renamed", target.path / new_name) from None
        target.sync()

    def sync(self) -> None:
        """Make renames and removals in this directory last."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise unavailable(error, "the directory cannot be synced", self.path) from None


def is_temporary(name: str) -> bool:
    """Whether ``name`` is a temporary of `Directory.staged`."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``, however little the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def reserve(target: int, size: int) -> None:
    """Take ``size`` bytes of the disk at once for a new file that a copy will fill.

    A full disk is known before the first byte is copied, and writing blocks that are already there is a fifth quicker
    (docs/benchmarks.md). Nothing depends on it: a file system that cannot is left alone.
    """
    try:
        os.posix_fallocate(target, 0, size)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise


def write_synced(file: OpenFile, data: bytes, offset: int = 0) -> None:
    """Write ``data`` to the end of a new file, make all of it last, and read it back.

    Args:
        file: the new file.
        data: what is written.
        offset: how many bytes the file has already.

    Raises:
        UnavailableError: what landed is something else.
        OSError: the system refused.
    """
    write_all(file.fd, data)
    os.fsync(file.fd)
    landed = file.read_at(offset, len(data) + 1)
    if landed != data:
        expected, found = f"{len(data)} bytes", f"{len(landed)} bytes{', others' if len(landed) == len(data) else ''}"
        fix = "check the disk and its file system"
        raise UnavailableError(
            "the file is not what was written", where=file.path, expected=expected, found=found, fix=fix
        )


def copy_bytes(source: OpenFile, target: int, size: int, progress: Progress = ignore) -> int:
    """Copy the file from its start to ``target``, at most ``size`` + 1 bytes; a reflink where the file system can.

    Returns:
        How many bytes were copied: not ``size`` when the source is shorter or longer.
    """
    methods = [_by_copy_file_range, _by_sendfile, _by_read]
    done = 0
    while done <= size:
        try:
            count = methods[0](source.fd, target, min(COPY_CHUNK, size + 1 - done), done)
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP} or len(methods) == 1:
                raise
            methods.pop(0)
            continue
        if not count:
            break
        done += count
        progress(count)
    return done


def _by_copy_file_range(source: int, target: int, count: int, offset: int) -> int:
    return os.copy_file_range(source, target, count, offset_src=offset)


def _by_sendfile(source: int, target: int, count: int, offset: int) -> int:
    return os.sendfile(target, source, offset, count)


def _by_read(source: int, target: int, count: int, offset: int) -> int:
    chunk = os.pread(source, min(count, 1 << 20), offset)
    write_all(target, chunk)
    return len(chunk)
