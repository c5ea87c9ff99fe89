"""Files and descriptors that only their owner may read: secret keys and passwords.

Nothing that is read here is ever quoted in an error.
"""

import os
from pathlib import Path

from bitproof.errors import InputError
from bitproof.system.content import write_all
from bitproof.system.files import Directory
from bitproof.system.opened import open_file, unavailable

OTHERS = 0o077


def read_private(path: Path, limit: int, what: str) -> bytes:
    """The bytes of a small file that nobody but its owner may read or write, at most ``limit`` + 1 of them.

    Raises:
        UnavailableError: it cannot be opened or read.
        InputError: it is a symlink, no regular file, or open to others.
    """
    with open_file(path, what) as file:
        mode = file.stat.st_mode & 0o777
        if mode & OTHERS:
            raise InputError(
                f"{what} can be read or written by others",
                where=path,
                expected="mode 0600",
                found=f"mode {mode:04o}",
                fix=f"chmod 600 {path}; if others have been there, make a new key",
            )
        return file.read(limit)


def read_descriptor(fd: int, limit: int, what: str) -> bytes:
    """What comes from an open descriptor until its end, at most ``limit`` + 1 bytes.

    Raises:
        UnavailableError: it is not open for reading.
    """
    chunks = []
    left = limit + 1
    try:
        while left and (chunk := os.read(fd, left)):
            chunks.append(chunk)
            left -= len(chunk)
    except OSError as error:
        raise unavailable(error, f"{what} cannot be read", f"descriptor {fd}") from None
    return b"".join(chunks)


def write_new(path: Path, data: bytes, mode: int, what: str) -> None:
    """Make a file that is not there yet, with its directory; there after a power cut, and removed when it fails.

    Raises:
        InputError: there is something of that name already; it stays as it is.
        UnavailableError: the system refused.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with Directory(path.parent, create=True, what=f"the directory of {what}") as directory:
        try:
            fd = os.open(path.name, flags, mode, dir_fd=directory.fd)
        except FileExistsError:
            raise InputError(
                f"{what} is there already", where=path, fix="choose another name; a key is never replaced"
            ) from None
        except OSError as error:
            raise unavailable(error, f"{what} cannot be made", path) from None
        try:
            write_all(fd, data)
            os.fsync(fd)
            directory.sync()
        except BaseException as error:
            directory.remove(path.name)
            if isinstance(error, OSError):
                raise unavailable(error, f"{what} cannot be written", path) from None
            raise
        finally:
            os.close(fd)
