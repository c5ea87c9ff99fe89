"""What of a wanted asset is copied from files at hand, and what is fetched. Pure.

A plan holds no choices for who carries it out. Two ranges become one when the bytes between them cost less than another
request would; these bytes are fetched then, though they are at hand.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from bitproof.channel.chunks.index import Chunk, ChunkIndex

REQUEST_COST = 32 << 10
"""Bytes that could be fetched in the time and with the headers of one more request: 10 ms at 3 MB/s."""


class Copy(NamedTuple):
    """Bytes of a file at hand: its number, where they begin there, where they go, how many."""

    source: int
    start: int
    offset: int
    size: int


class Span(NamedTuple):
    """Bytes of the asset: where they begin, how many."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ReusePlan:
    """How a new file is filled: ``copies`` and ``fetches`` are sorted, disjoint, and cover ``size`` bytes."""

    size: int
    index_size: int
    copies: tuple[Copy, ...]
    fetches: tuple[Span, ...]

    @property
    def reused(self) -> int:
        """Bytes that are copied."""
        return sum(copy.size for copy in self.copies)

    @property
    def fetched(self) -> int:
        """Bytes that are fetched, without those of the index."""
        return self.size - self.reused

    @property
    def requests(self) -> int:
        """How many requests that takes, without the one for the index."""
        return len(self.fetches)

    @property
    def is_cheaper(self) -> bool:
        """Whether this costs less than the whole asset in one request. The index, which is there by now, is counted."""
        return self.index_size + self.fetched + self.requests * REQUEST_COST < self.size + REQUEST_COST


def may_save(size: int, index_size: int) -> bool:
    """Whether an index of an asset is worth a request: not of one that comes in as much time as the index.

    >>> may_save(20_000, 300), may_save(60_000_000, 100_000)
    (False, True)
    """
    return size > index_size + REQUEST_COST


def plan(index: ChunkIndex, files: Sequence[Iterable[Chunk]]) -> ReusePlan:
    """Find the chunks of an asset in files at hand.

    Args:
        index: of the asset.
        files: the chunks of each file, cut with the same average; the first file that has a chunk gives it. No more is
            taken from these than is needed.
    """
    places = _places(index, files)
    runs = [tuple(run) for _, run in groupby(_joined(index.chunks(), places), key=type)]
    copies: list[Copy] = []
    fetches: list[Span] = []
    for number, run in enumerate(runs):
        is_gap = 0 < number < len(runs) - 1 and sum(part.size for part in run) <= REQUEST_COST
        held = [part for part in run if isinstance(part, Copy)]
        if held and not is_gap:
            copies += held
            continue
        start, end = run[0].offset, run[-1].offset + run[-1].size
        if fetches and fetches[-1].offset + fetches[-1].size == start:
            start = fetches.pop().offset
        fetches.append(Span(start, end - start))
    return ReusePlan(index.size, index.encoded_size, tuple(copies), tuple(fetches))


_Place = tuple[int, int, int]
"""The number of a file, where a chunk is in it, and its size."""


def _places(index: ChunkIndex, files: Sequence[Iterable[Chunk]]) -> dict[bytes, _Place | None]:
    """Where each chunk of the index is at hand, by its digest; None where it is not."""
    places: dict[bytes, _Place | None] = dict.fromkeys(chunk.digest for chunk in index.chunks())
    missing = len(places)
    for source, chunks in enumerate(files):
        if not missing:
            break
        for digest, start, size in chunks:
            if places.get(digest, ()) is None:
                places[digest] = (source, start, size)
                missing -= 1
    return places


def _joined(chunks: Iterable[Chunk], places: Mapping[bytes, _Place | None]) -> Iterator[Copy | Span]:
    """The asset from its start to its end: what is at hand, and what is not; neighbours are joined where they can be.

    A chunk at hand that has another size only looks like the wanted one.
    """
    current: Copy | Span | None = None
    for digest, offset, size in chunks:
        place = places[digest]
        part = Copy(*place[:2], offset, size) if place is not None and place[2] == size else Span(offset, size)
        if current is not None and _follows(current, part):
            current = current._replace(size=current.size + size)
            continue
        if current is not None:
            yield current
        current = part
    if current is not None:
        yield current


def _follows(before: Copy | Span, part: Copy | Span) -> bool:
    """Whether two neighbours are one: both missing, or neighbours in the file at hand too."""
    if isinstance(before, Copy) and isinstance(part, Copy):
        return (before.source, before.start + before.size) == (part.source, part.start)
    return isinstance(before, Span) and isinstance(part, Span)
