"""Bytes into a new file: written whole, copied by the quickest way that the file systems have, or read back."""

import errno
import os

from bitproof.errors import UnavailableError
from bitproof.system.opened import CHUNK, OpenFile, Progress, ignore

_NEEDS_ANOTHER_WAY = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))
"""What the quick ways to copy answer where the file systems have them not."""


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
            count = methods[0](source.fd, target, min(CHUNK, size + 1 - done), done)
        except OSError as error:
            if error.errno not in _NEEDS_ANOTHER_WAY or len(methods) == 1:
                raise
            methods.pop(0)
            continue
        if not count:
            break
        done += count
        progress(count)
    return done


def copy_range(source: OpenFile, target: int, size: int, *, start: int, offset: int) -> int:
    """Copy bytes from one place in a file to another place in another one.

    Args:
        source: where they are.
        target: a descriptor open for writing.
        size: how many.
        start: where they begin in ``source``.
        offset: where they go in ``target``.

    Returns:
        How many there were: fewer than ``size`` at the end of the source.

    Raises:
        OSError: the system refused.
    """
    done = 0
    while done < size:
        count = min(CHUNK, size - done)
        try:
            copied = os.copy_file_range(source.fd, target, count, start + done, offset + done)
        except OSError as error:
            if error.errno not in _NEEDS_ANOTHER_WAY:
                raise
            copied = os.pwrite(target, os.pread(source.fd, min(count, 1 << 20), start + done), offset + done)
        if not copied:
            break
        done += copied
    return done


def _by_copy_file_range(source: int, target: int, count: int, offset: int) -> int:
    return os.copy_file_range(source, target, count, offset_src=offset)


def _by_sendfile(source: int, target: int, count: int, offset: int) -> int:
    return os.sendfile(target, source, offset, count)


def _by_read(source: int, target: int, count: int, offset: int) -> int:
    chunk = os.pread(source, min(count, 1 << 20), offset)
    write_all(target, chunk)
    return len(chunk)
