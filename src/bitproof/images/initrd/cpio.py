"""A deterministic writer of cpio archives in the newc format. Pure: entries in, bytes out.

Sorted by path, owner 0:0, one mtime, inode numbers from 1 in order, no hard links: the same entries give the same
bytes, without root and without a temporary tree.
Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
HEADER_SIZE = 110
MAX_FIELD = 0xFFFFFFFF
"""Times and sizes are eight hex digits."""

_MTIME = slice(46, 54)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or device node. ``path`` has no leading slash, ``mode`` holds the type bits too."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Raise ValueError for a path that is not one below the root."""
        if {"", ".", ".."} & set(self.path.split("/")) or "\0" in self.path or self.path == TRAILER:
            raise ValueError(f"not a path below the root: {self.path!r}")


def file(path: str, data: bytes, permissions: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(path, stat.S_IFREG | permissions, data)


def directory(path: str, permissions: int = 0o755) -> Entry:
    """A directory; the parents of every entry are added without being named."""
    return Entry(path, stat.S_IFDIR | permissions)


def character_device(path: str, major: int, minor: int, permissions: int) -> Entry:
    """A character device node."""
    return Entry(path, stat.S_IFCHR | permissions, device=(major, minor))


def archive(entries: Iterable[Entry], mtime: int) -> bytes:
    """The whole archive, trailer included, padded to four bytes.

    Args:
        entries: in any order, each path once.
        mtime: seconds since 1970, of every entry.

    Raises:
        ValueError: a path stands twice, lies below something that is no directory, or a number does not fit.
    """
    listed = _with_parents(entries)
    parts = [_member(entry, number, mtime) for number, entry in enumerate(listed, 1)]
    parts.append(_header(TRAILER, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
    return b"".join(parts)


def archive_mtime(data: bytes) -> int:
    """The mtime of an archive's first entry, from its first `HEADER_SIZE` bytes.

    Raises:
        ValueError: these are not the beginning of a newc archive.
    """
    if len(data) < HEADER_SIZE or not data.startswith(MAGIC):
        raise ValueError("not a newc archive")
    return int(data[_MTIME], 16)


def _with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """All entries and the directories above them, sorted, so that a parent comes before what lies in it."""
    known: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in known:
            raise ValueError(f"the path stands twice: {entry.path!r}")
        known[entry.path] = entry
    for path in list(known):
        names = path.split("/")[:-1]
        for depth in range(1, len(names) + 1):
            parent = "/".join(names[:depth])
            if not stat.S_ISDIR(known.setdefault(parent, directory(parent)).mode):
                raise ValueError(f"not a directory: {parent!r}, which {path!r} lies below")
    return sorted(known.values(), key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))


def _member(entry: Entry, inode: int, mtime: int) -> bytes:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = [inode, entry.mode, 0, 0, links, mtime, len(entry.data), 0, 0, *entry.device]
    return _header(entry.path, fields) + _padded(entry.data)


def _header(path: str, fields: list[int]) -> bytes:
    """Magic, the fields, the size of the name with its NUL, no checksum, and the name; padded to four bytes."""
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    numbers = [*fields, len(name), 0]
    if not all(0 <= number <= MAX_FIELD for number in numbers):
        raise ValueError(f"a number does not fit into 32 bits: {path!r}")
    return _padded(MAGIC + "".join(f"{number:08X}" for number in numbers).encode() + name)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
