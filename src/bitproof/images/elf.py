"""What a program needs to be started: its interpreter and its libraries. Pure: bytes in, names out.

Read are 64-bit little-endian ELF files, which is what every arch that boots has. Source: elf(5).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_IDENT = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<32xQ14xHH")
"""Of the file: where the program headers lie, the size of one, how many."""
_SEGMENT = struct.Struct("<I4xQQ8xQ16x")
"""Type, offset, address, size in the file."""
_DYNAMIC = struct.Struct("<qQ")
"""Tag and value."""
_LOAD, _DYNAMIC_SEGMENT, _INTERPRETER = 1, 2, 3
_END, _NEEDED, _STRINGS = 0, 1, 5


class Needs(NamedTuple):
    """The path of the interpreter, empty for a library or a static program, and the names of the libraries."""

    interpreter: str
    libraries: tuple[str, ...]


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def read_needs(data: bytes) -> Needs:
    """Read what an ELF file needs.

    Raises:
        ValueError: it is not such a file, or not a whole one.
    """
    if not data.startswith(_IDENT):
        raise ValueError("not a 64-bit little-endian ELF file")
    try:
        start, size, count = _HEADER.unpack_from(data)
        segments = [_Segment(*_SEGMENT.unpack_from(data, start + index * size)) for index in range(count)]
        paths = [_text(data, segment.offset) for segment in segments if segment.kind == _INTERPRETER]
        tags = [tag for segment in segments if segment.kind == _DYNAMIC_SEGMENT for tag in _tags(data, segment)]
        strings = next((_offset(segments, value) for tag, value in tags if tag == _STRINGS), 0)
        return Needs("".join(paths), tuple(_text(data, strings + value) for tag, value in tags if tag == _NEEDED))
    except (struct.error, IndexError) as error:
        raise ValueError(f"not a whole ELF file: {error}") from None


def _tags(data: bytes, segment: _Segment) -> Iterator[tuple[int, int]]:
    for place in range(segment.offset, segment.offset + segment.size, _DYNAMIC.size):
        tag, value = _DYNAMIC.unpack_from(data, place)
        if tag == _END:
            return
        yield tag, value


def _offset(segments: list[_Segment], address: int) -> int:
    """Where in the file lies what will be at an address in memory."""
    for segment in segments:
        if segment.kind == _LOAD and 0 <= address - segment.address < segment.size:
            return segment.offset + address - segment.address
    raise IndexError("an address outside of the file")


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset)
    if not 0 <= offset < end:
        raise IndexError("a name outside of the file")
    return data[offset:end].decode("ascii", "replace")
