"""Which states a disk can be in after a power cut: chosen from its write log, seeded, each a different one. Pure.

A cut is a place in the log. What was written before the last flush is on the disk; of what came after it, any pieces
may be, in no order. Two cuts that leave the same bytes are one state, and are tried twice only when more commands had
been acknowledged the second time.
"""

import random
from collections import ChainMap
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from blake3 import blake3

from tests.powercuts.disklog import SECTOR, Event, Flush, Mark, Piece

MODULUS = 1 << 256
WEIGHT = 16
"""A window counts by its pieces, but by no more than this: the few writes of a journal matter as much as much data."""
TRIES = 40
"""How many cuts are drawn at most, times those wanted: a short log has no more different states."""


@dataclass(frozen=True, slots=True)
class Window:
    """What lies between two flushes.

    ``start`` and ``end`` are places in the log, ``pieces`` the places of the pieces between them.
    """

    start: int
    end: int
    pieces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut before the event at ``place``: of the pieces since the flush at ``start``, those in ``kept`` landed.

    ``acknowledged`` is how many commands had returned.
    """

    start: int
    place: int
    kept: tuple[int, ...]
    acknowledged: int


def windows(events: Sequence[Event]) -> list[Window]:
    """The stretches between flushes, in order; the last one ends with the log."""
    ends = [place for place, event in enumerate(events) if isinstance(event, Flush)] + [len(events)]
    starts = [0, *(end + 1 for end in ends)]
    return [
        Window(start, end, tuple(place for place in range(start, end) if isinstance(events[place], Piece)))
        for start, end in zip(starts, ends, strict=False)
    ]


def choose_cuts(events: Sequence[Event], base: bytes, count: int, seed: int) -> tuple[list[Cut], int]:
    """Every state at a flush, then random ones until ``count`` are different (or no others are found).

    Returns:
        The cuts, in the log's order, and how many different images they make.
    """
    images = _Images(events, base)
    chooser = _Chooser(events, random.Random(seed))  # noqa: S311 - repeatable, not secret
    cuts: dict[tuple[int, int], Cut] = {}
    seen: set[int] = set()
    for tries, cut in enumerate(chain(chooser.at_flushes(), chooser.at_random())):
        if len(seen) >= count or tries > TRIES * count:
            break
        image = images.identity(cut)
        seen.add(image)
        cuts.setdefault((image, cut.acknowledged), cut)
    return sorted(cuts.values(), key=lambda cut: (cut.start, cut.place, cut.kept)), len(seen)


class _Chooser:
    """Makes cuts of a log."""

    def __init__(self, events: Sequence[Event], rng: random.Random) -> None:
        self.rng = rng
        self.windows = windows(events)
        self.forced = {at for at, event in enumerate(events) if isinstance(event, Piece) and event.forced}
        numbers = (event.number if isinstance(event, Mark) else 0 for event in events)
        self.acknowledged = list(accumulate(numbers, max, initial=0))

    def at_flushes(self) -> Iterator[Cut]:
        """Just after each flush; then before the next one, with none of what came between on the disk, and with all."""
        for window in self.windows:
            yield self._cut(window, window.start, ())
            yield self._cut(window, window.end, ())
            yield self._cut(window, window.end, window.pieces)

    def at_random(self) -> Iterator[Cut]:
        """Without an end."""
        filled = [window for window in self.windows if window.pieces]
        weights = [min(len(window.pieces), WEIGHT) for window in filled]
        while filled:
            window = self.rng.choices(filled, weights)[0]
            place = window.end if self.rng.random() < 0.5 else self.rng.randint(window.start, window.end)
            yield self._cut(window, place, self._some([at for at in window.pieces if at < place]))

    def _cut(self, window: Window, place: int, kept: Sequence[int]) -> Cut:
        landed = tuple(at for at in window.pieces if at < place and (at in kept or at in self.forced))
        return Cut(window.start, place, landed, self.acknowledged[place])

    def _some(self, pieces: Sequence[int]) -> list[int]:
        """A part of the pieces: all but one, only one, the first ones, or as it comes."""
        way = self.rng.randrange(6)
        if not pieces:
            return []
        if way == 0:
            lost = self.rng.choice(pieces)
            return [at for at in pieces if at != lost]
        if way == 1:
            return [self.rng.choice(pieces)]
        if way == 2:
            return list(pieces[: self.rng.randint(0, len(pieces))])
        chance = self.rng.random()
        return [at for at in pieces if self.rng.random() < chance]


class _Images:
    """Tells images apart without making them: the sum of a hash of each sector that differs from the base."""

    def __init__(self, events: Sequence[Event], base: bytes) -> None:
        self.base = base
        self.sectors = {at: _sectors(event) for at, event in enumerate(events) if isinstance(event, Piece)}
        self.totals = {0: 0}
        self.states: dict[int, dict[int, int]] = {0: {}}
        for window in windows(events):
            state = dict(self.states[window.start])
            total = self._apply(state, window.pieces, self.totals[window.start])
            self.states[window.end + 1], self.totals[window.end + 1] = state, total

    def identity(self, cut: Cut) -> int:
        """A number that is another one for other bytes on the disk."""
        return self._apply(ChainMap({}, self.states[cut.start]), cut.kept, self.totals[cut.start])

    def _apply(self, state: MutableMapping[int, int], pieces: Sequence[int], total: int) -> int:
        for at in pieces:
            for sector, value in self.sectors[at]:
                total += value - (state[sector] if sector in state else self._base_hash(sector))
                state[sector] = value
        return total % MODULUS

    def _base_hash(self, sector: int) -> int:
        return _hash(sector, self.base[sector * SECTOR : (sector + 1) * SECTOR])


def _sectors(piece: Piece) -> list[tuple[int, int]]:
    first = piece.offset // SECTOR
    parts = (piece.data[begin : begin + SECTOR] for begin in range(0, len(piece.data), SECTOR))
    return [(first + index, _hash(first + index, part)) for index, part in enumerate(parts)]


def _hash(sector: int, data: bytes) -> int:
    return int.from_bytes(blake3(sector.to_bytes(8, "little") + data).digest(), "little")
