"""What of a wanted asset is copied from files at hand, and what is fetched. Pure.

A plan holds no choices for who carries it out. Two ranges become one when the bytes between them cost less than another
request would; these bytes are fetched then, though they are at hand.
"""

from collections.abc import Iterable, Iterator, Sequence
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


class _Run(NamedTuple):
    """Neighbouring chunks which are all at hand, or all missing."""

    at_hand: bool
    offset: int
    size: int
    copies: tuple[Copy, ...]


def plan(index: ChunkIndex, files: Sequence[Iterable[Chunk]]) -> ReusePlan:
    """Find the chunks of an asset in files at hand.

    Args:
        index: of the asset.
        files: the chunks of each file, cut with the same average; the first file that has a chunk gives it. No more is
            taken from these than is needed.
    """
    places = _places(index, files)
    runs = list(_runs(index.chunks(), places))
    merged: list[_Run] = []
    for number, run in enumerate(runs):
        between = 0 < number < len(runs) - 1
        fetched = not run.at_hand or (between and run.size <= REQUEST_COST)
        if merged and fetched and not merged[-1].at_hand:
            before = merged.pop()
            merged.append(_Run(at_hand=False, offset=before.offset, size=before.size + run.size, copies=()))
        else:
            merged.append(run)
    copies = tuple(copy for run in merged if run.at_hand for copy in run.copies)
    fetches = tuple(Span(run.offset, run.size) for run in merged if not run.at_hand)
    return ReusePlan(index.size, index.encoded_size, copies, fetches)


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


def _runs(chunks: Iterable[Chunk], places: dict[bytes, _Place | None]) -> Iterator[_Run]:
    """The asset as runs that are at hand and runs that are not, by turns."""

    def found(chunk: Chunk) -> _Place | None:
        place = places[chunk.digest]
        return place if place is not None and place[2] == chunk.size else None

    for at_hand, group in groupby(((chunk, found(chunk)) for chunk in chunks), key=lambda pair: pair[1] is not None):
        members = list(group)
        size = sum(chunk.size for chunk, _ in members)
        copies = tuple(_joined((chunk.offset, place) for chunk, place in members if place is not None))
        yield _Run(at_hand, members[0][0].offset, size, copies)


def _joined(pieces: Iterable[tuple[int, _Place]]) -> Iterator[Copy]:
    """One copy for chunks that follow each other in the file at hand too."""
    current: Copy | None = None
    for offset, (source, start, size) in pieces:
        if current is not None and (source, start) == (current.source, current.start + current.size):
            current = current._replace(size=current.size + size)
            continue
        if current is not None:
            yield current
        current = Copy(source, start, offset, size)
    if current is not None:
        yield current
