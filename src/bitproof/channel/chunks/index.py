"""The chunk index of an asset: which chunks its content is cut into (docs/reference/chunk-index.md). Pure.

A chunk is told by the first 6 bytes of its BLAKE3 and its size. That finds a chunk and proves nothing: the assembled
file is verified whole, so two chunks that look alike, by chance or made so, cost a full download and no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from typing import NamedTuple

from bitproof.errors import InputError, IntegrityError
from bitproof.model.asset_manifest import MAX_SIZE
from bitproof.model.digest import Digest

FORMAT = 1
DIGEST_SIZE = 6
"""Bytes of a chunk's digest: among 2^17 chunks wanted and as many at hand one pair is alike in 2^14 updates, and fewer
as sizes have to agree too."""
SMALLEST_AVERAGE = 4 << 10
LARGEST_AVERAGE = 4 << 20
"""The most that FastCDC's masks are defined for here."""
USUAL_CHUNKS = 1 << 17
"""Where the average would give more chunks than this, it is doubled: memory does not grow with the file."""
MAX_CHUNKS = 1 << 20

_MAGIC = b"bpchunk"
_HEADER = Struct("<7sBIIQ32s")
"""Magic, format, average, number of chunks, size and BLAKE3 of the asset."""
_SHORT = 1 << 16
_WHAT = "the chunk index is not usable"


class Chunk(NamedTuple):
    """Some bytes of a file: the beginning of their BLAKE3, where they are, how many."""

    digest: bytes
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkIndex:
    """The chunks of an asset, from its start to its end.

    ``average`` is what FastCDC was asked for, ``digests`` holds `DIGEST_SIZE` bytes for each of ``sizes``.
    """

    asset: Digest
    size: int
    average: int
    digests: bytes
    sizes: tuple[int, ...]

    @property
    def encoded_size(self) -> int:
        """Bytes of the printed index."""
        return _encoded_size(len(self.sizes), self.average)

    def chunks(self) -> Iterator[Chunk]:
        """The chunks in their order."""
        offsets = accumulate(self.sizes, initial=0)
        for number, (offset, size) in enumerate(zip(offsets, self.sizes, strict=False)):
            yield Chunk(self.digests[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE], offset, size)


def smallest(average: int) -> int:
    """The least bytes of a chunk that is not the last one."""
    return average // 4


def largest(average: int) -> int:
    """The most bytes of a chunk."""
    return average * 4


def average_for(size: int) -> int:
    """The average that an asset of this size is cut with.

    >>> average_for(60_000_000), average_for(10_000_000_000)
    (4096, 131072)
    """
    average = SMALLEST_AVERAGE
    while average < LARGEST_AVERAGE and average * USUAL_CHUNKS < size:
        average *= 2
    return average


def print_index(index: ChunkIndex) -> bytes:
    """The bytes of an index: the same for the same content."""
    header = _HEADER.pack(_MAGIC, FORMAT, index.average, len(index.sizes), index.size, bytes.fromhex(index.asset.value))
    return header + index.digests + _sizes_form(len(index.sizes), index.average).pack(*index.sizes)


def parse_index(data: bytes, asset: Digest, size: int, where: str) -> ChunkIndex:
    """Read the index of an asset. Nothing is allocated before the numbers fit to the length of ``data``.

    Args:
        data: all bytes of the index.
        asset: the BLAKE3 that the asset must have.
        size: the bytes that the asset must have.
        where: how messages name the index.

    Raises:
        InputError: it is of a format that is not known here.
        IntegrityError: it is of another asset, or contradicts itself.
    """
    average, count = _header(data, asset, size, where)
    form = _sizes_form(count, average)
    sizes = form.unpack_from(data, len(data) - form.size)
    if sum(sizes) != size:
        raise _unusable(where, f"chunks of {size} bytes in all", f"{sum(sizes)} bytes")
    least, most = min(sizes[:-1], default=smallest(average)), max(sizes, default=0)
    if least < smallest(average) or most > largest(average) or (sizes and not sizes[-1]):
        expected = f"chunks of {smallest(average)} to {largest(average)} bytes, the last one not empty"
        raise _unusable(where, expected, f"{min(sizes)} to {most} bytes")
    return ChunkIndex(asset, size, average, data[_HEADER.size : len(data) - form.size], sizes)


def _header(data: bytes, asset: Digest, size: int, where: str) -> tuple[int, int]:
    """The average and the number of chunks, once all of the header is right."""
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise _unusable(where, f"at least {_HEADER.size} bytes that begin with {_MAGIC!r}", f"{data[:8]!r}")
    _, form, average, count, told_size, told_asset = _HEADER.unpack_from(data)
    if form != FORMAT:
        what = "the chunk index has a format that this version of bitproof does not read"
        raise InputError(what, where=where, expected=f"format {FORMAT}", found=f"format {form}")
    if told_asset.hex() != asset.value:
        raise IntegrityError(
            "the chunk index is that of another asset",
            where=where,
            expected=asset,
            found=Digest("blake3", told_asset.hex()),
        )
    if told_size != size or size > MAX_SIZE:
        raise _unusable(where, f"an asset of {size} bytes, at most {MAX_SIZE}", f"{told_size} bytes")
    if not SMALLEST_AVERAGE <= average <= LARGEST_AVERAGE or average & (average - 1):
        expected = f"an average of {SMALLEST_AVERAGE} to {LARGEST_AVERAGE} bytes, a power of two"
        raise _unusable(where, expected, f"{average}")
    if count > MAX_CHUNKS:
        raise _unusable(where, f"at most {MAX_CHUNKS} chunks", f"{count}")
    if len(data) != _encoded_size(count, average):
        raise _unusable(where, f"{_encoded_size(count, average)} bytes for {count} chunks", f"{len(data)} bytes")
    return average, count


def _sizes_form(count: int, average: int) -> Struct:
    """Sizes: two bytes each where the largest chunk fits, else four."""
    return Struct(f"<{count}{'H' if largest(average) < _SHORT else 'I'}")


def _encoded_size(count: int, average: int) -> int:
    return _HEADER.size + count * DIGEST_SIZE + _sizes_form(count, average).size


def _unusable(where: str, expected: str, found: str) -> IntegrityError:
    return IntegrityError(_WHAT, where=where, expected=expected, found=found)
