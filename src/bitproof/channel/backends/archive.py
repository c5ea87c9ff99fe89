"""A place in one file: for machines without a network, and as the proof that travels with a release.

A plain tar whose members have the paths of a place, in a fixed order and without times or owners: the same content
gives the same bytes. With blobs it is a whole release; without them it is a bundle: metadata, manifest, signature.
"""

import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from bitproof.channel.layout import blob_path
from bitproof.channel.ports import Blob, Range
from bitproof.errors import InputError, IntegrityError, UnavailableError, shown
from bitproof.model.names import NAME
from bitproof.system.content import copy_range
from bitproof.system.opened import OpenFile, Progress, open_file, unavailable

MAX_MEMBERS = 10_000
"""Far more than any release has, and little enough to hold."""
MAX_HEADER = 1 << 16
"""Bytes that are read at once while members are looked for: a longer header is nobody's."""
END = bytes(2 * tarfile.BLOCKSIZE)


class Member(NamedTuple):
    """One file of an archive: its path in the place, and its bytes."""

    path: str
    content: OpenFile | bytes


class ArchivePlace:
    """A `Reader` over an archive. Nothing of it is believed for being in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, tuple[int, int]] | None = None

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def members(self) -> dict[str, tuple[int, int]]:
        """Offset and size of every file in it, by path.

        Raises:
            InputError: it is no such archive.
            UnavailableError: it cannot be read.
        """
        if self._members is None:
            with open_file(self.path, "the archive") as file:
                self._members = _index(file)
        return self._members

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it has metadata of."""
        return tuple(sorted({path.split("/")[0] for path in self.members if path.endswith("/metadata/timestamp.json")}))

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`."""
        if path not in self.members:
            return None
        offset, size = self.members[path]
        if size > limit:
            where = f"{self.path}: {path}"
            raise IntegrityError("the file is larger than it may be", where=where, expected=f"at most {limit} bytes")
        with open_file(self.path, "the archive") as file:
            return file.read_at(offset, size)

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`."""
        path = blob_path(blob)
        if path not in self.members:
            raise UnavailableError(
                "the archive lacks a file of the release",
                where=f"{self.path}: {path}",
                fix="export it with its files: bitproof channel export, without --proof-only",
            )
        start, size = self.members[path]
        if size != blob.size:
            raise IntegrityError(
                "the blob has another size", where=f"{self.path}: {path}", expected=f"{blob.size}", found=f"{size}"
            )
        with open_file(self.path, "the archive") as file:
            for one in ranges:
                try:
                    done = copy_range(file, target.fd, one.size, start=start + one.offset, offset=one.offset)
                except OSError as error:
                    raise unavailable(error, "the blob cannot be copied", target.path) from None
                if done != one.size:
                    raise IntegrityError("the archive ends too early", where=self.path)
                progress(done)


class _Headers(FileIO):
    """An archive as `tarfile` reads it: whose headers would fill the memory is refused."""

    def read(self, size: int | None = -1) -> bytes:
        """As `FileIO.read`. Raises ValueError."""
        if size is None or not 0 <= size <= MAX_HEADER:
            raise ValueError(f"a header of {size} bytes")
        return super().read(size)


def _index(file: OpenFile) -> dict[str, tuple[int, int]]:
    """Where every member is. What a transfer cut off or changed a header of is refused here, whole."""
    members: dict[str, tuple[int, int]] = {}
    try:
        with _Headers(file.fd, closefd=False) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for info in archive:
                _check_member(info, members, file)
                members[info.name] = (info.offset_data, info.size)
            _check_end(archive, file)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise InputError(
            "not an archive of a channel, or one that was damaged or cut off on its way",
            where=file.path,
            expected="a file by bitproof channel export",
            found=str(error),
            fix="bring it over again",
        ) from None
    except OSError as error:
        raise unavailable(error, "the archive cannot be read", file.path) from None
    return members


def _check_end(archive: tarfile.TarFile, file: OpenFile) -> None:
    """Raise ValueError when members end without the mark that `write_archive` puts there."""
    if file.read_at(archive.offset, len(END)) != END:
        raise ValueError(f"neither a file nor the end at byte {archive.offset}")


def _check_member(info: tarfile.TarInfo, members: dict[str, tuple[int, int]], file: OpenFile) -> None:
    """Refuse what `write_archive` does not write. Raises InputError; ValueError where the file is too short."""
    if not info.isreg() or not _is_path(info.name) or info.name in members or info.issparse():
        raise InputError(
            "the archive has a member that it may not have",
            where=file.path,
            expected="regular files with the paths of a place, each once",
            found=shown(info.name),
        )
    if not 0 <= info.size <= file.size - info.offset_data:
        raise ValueError(f"{info.name} is to have {info.size} bytes")
    if len(members) >= MAX_MEMBERS:
        raise InputError("the archive has too many members", where=file.path, expected=f"at most {MAX_MEMBERS}")


def _is_path(name: str) -> bool:
    return all(NAME.fullmatch(part) for part in name.split("/"))


def write_archive(target: OpenFile, members: Iterable[Member]) -> None:
    """Write an archive into a new file; the caller syncs it.

    Raises:
        UnavailableError: the system refused.
        IntegrityError: a file changed while it was copied.
    """
    offset = 0
    try:
        for path, content in members:
            size = len(content) if isinstance(content, bytes) else content.size
            header = _header(path, size)
            offset += _write_at(target.fd, header, offset)
            if isinstance(content, bytes):
                _write_at(target.fd, content, offset)
            elif copy_range(content, target.fd, size, start=0, offset=offset) != size:
                raise IntegrityError("the file changed while it was copied", where=content.path)
            offset += size
            offset += _write_at(target.fd, _padding(size), offset)
        _write_at(target.fd, END, offset)
    except OSError as error:
        raise unavailable(error, "the archive cannot be written", target.path) from None


def archive_bytes(files: Mapping[str, bytes]) -> bytes:
    """The archive of small files, by their paths: the bytes that `write_archive` writes."""
    parts = (part for path, data in files.items() for part in (_header(path, len(data)), data, _padding(len(data))))
    return b"".join((*parts, END))


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _header(path: str, size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.mtime = size, 0o644, 0
    return info.tobuf(tarfile.PAX_FORMAT)


def _write_at(fd: int, data: bytes, offset: int) -> int:
    view = memoryview(data)
    while view:
        view = view[os.pwrite(fd, view, offset + len(data) - len(view)) :]
    return len(data)
