"""The write log of a disk, as QEMU's ``blklogwrites`` keeps it: the format of the kernel's dm-log-writes. Pure.

A superblock (magic, version, number of entries, sector size), then a sector of head for each entry (sector, number of
sectors, flags, length of data) and its data. All numbers are little-endian. QEMU's FUSE export serves one request after
the other, so a write that is before a flush in the log was done before it.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
LOG_FLUSH, LOG_FUA, LOG_DISCARD, LOG_MARK = 1, 2, 4, 8
SECTOR = 512
"""Bytes of a sector of the entries and of the log: QEMU logs in the units of the disk."""
BLOCK = 4096
"""Bytes that a disk writes whole or not at all."""
ACKNOWLEDGED = struct.Struct("<16sQ")
TAG = b"bitproof: done  "


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a write, within one block: it is on the disk whole or not at all. ``forced`` is so when it is done."""

    offset: int
    data: bytes
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Flush:
    """All that was written before is on the disk."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The command of this number, counted from 1, has returned."""

    number: int


Event = Piece | Flush | Mark


def pieces(events: Iterable[Event]) -> Iterator[Piece]:
    """What was written, in order."""
    return (event for event in events if isinstance(event, Piece))


def mark(number: int) -> bytes:
    """The block that says in the log that a command has returned."""
    return ACKNOWLEDGED.pack(TAG, number).ljust(BLOCK, b"\0")


def read_log(log: bytes, size: int) -> tuple[Event, ...]:
    """The events of a log.

    Args:
        log: the whole log.
        size: bytes of the disk that the file system has; behind them lie the marks.

    Raises:
        ValueError: it is no such log, it ends too early, or holds what the disk was not asked for.
    """
    magic, version, count, sector = SUPER.unpack_from(log)
    if (magic, version, sector) != (MAGIC, 1, SECTOR):
        raise ValueError(f"not a write log: magic {magic:#x}, version {version}, {sector} bytes a sector")
    events: list[Event] = []
    at = SECTOR
    for _ in range(count):
        start, sectors, flags, _ = ENTRY.unpack_from(log, at)
        at += SECTOR
        if flags & (LOG_DISCARD | LOG_MARK):
            raise ValueError(f"entry with flags {flags:#x}: nothing should discard or mark here")
        data = log[at : at + sectors * SECTOR]
        if len(data) != sectors * SECTOR:
            raise ValueError("the log ends within an entry")
        at += len(data)
        if flags & LOG_FLUSH:
            events.append(Flush())
        events += _written(start * SECTOR, data, size, forced=bool(flags & LOG_FUA))
    return tuple(events)


def _written(offset: int, data: bytes, size: int, *, forced: bool) -> Iterator[Piece | Mark]:
    if data and offset >= size:
        tag, number = ACKNOWLEDGED.unpack_from(data)
        if tag != TAG:
            raise ValueError("a write behind the file system is no mark")
        yield Mark(number)
        return
    begin = 0
    while begin < len(data):
        end = min(len(data), begin + BLOCK - (offset + begin) % BLOCK)
        yield Piece(offset + begin, data[begin:end], forced)
        begin = end


def write_log(entries: Sequence[tuple[int, int, bytes]]) -> bytes:
    """A log of entries (flags, offset in bytes, data), for tests of what reads it."""
    log = SUPER.pack(MAGIC, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")
    for flags, offset, data in entries:
        head = ENTRY.pack(offset // SECTOR, len(data) // SECTOR, flags, 0)
        log += head.ljust(SECTOR, b"\0") + data
    return log
