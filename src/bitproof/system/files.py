"""Directories, and the one way to write, replace and remove what is in them.

Writing goes one way:

1. a random ``O_EXCL`` temporary in the target's directory
2. the mode is set, so that ``fsync`` makes it last too; the bytes go in; a copy stops at the expected size + 1
3. what *landed* is compared: a copy is hashed, while ``fsync`` runs; bytes from memory are read back
4. ``rename`` over the target, 5. ``fsync`` of the directory

Nothing is ever written in place: a booting VM may hold the old inode. Names are opened below an open directory and
symlinks are not followed. A failed ``fsync`` is a failure and is never retried. Who may write at all is `lock`'s job.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bitproof.errors import InputError
from bitproof.system.content import write_synced
from bitproof.system.opened import OpenFile, close, open_below, unavailable

TEMPORARY_PREFIX = ".bitproof-"
TEMPORARY_SUFFIX = ".tmp"


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
        return open_below(name, self.path / name, self.fd, what)

    def check_replaceable(self, name: str, what: str) -> None:
        """Refuse a name that a user gave when a device, a directory or a symlink has it: a rename would end that.

        Raises:
            InputError: it is.
            UnavailableError: that cannot be told.
        """
        state = self.stat(name)
        if state is not None and not stat.S_ISREG(state.st_mode):
            raise InputError(f"{what} is not a regular file", where=self.path / name, fix="choose another name")

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

    def kept(self, name: str, *, append: bool = False) -> OpenFile:
        """A file that is made or gone on with, and written in place: a download, which nobody uses before it is proved.

        Raises:
            UnavailableError: the system refused.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_APPEND if append else 0)
        try:
            return OpenFile(os.open(name, flags, 0o600, dir_fd=self.fd), self.path / name)
        except OSError as error:
            raise unavailable(error, "the file cannot be opened for writing", self.path / name) from None

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
