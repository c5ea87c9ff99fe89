"""A place that is served by several mirrors: asked one after the other, the healthiest first.

A mirror that fails or is too slow is left for the next one, and asked last from then on. One that lies is named in a
note and not asked again in this run: it sent another part or more bytes than were asked for, which is seen here, or
what it sent did not verify, which the caller tells by `Mirrors.distrust`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bitproof.channel.health import LIE, Health, Standing, ordered
from bitproof.channel.ports import Blob, Range, Reader
from bitproof.errors import BitproofError, IntegrityError, Problem, UnavailableError
from bitproof.system.net.partial import Partial
from bitproof.system.opened import OpenFile, Progress

Note = Callable[[str], None]
"""Told a sentence that the user should read."""

T = TypeVar("T")


class Mirrors:
    """A `Reader` over several. For one thread at a time; each mirror uses as many as it likes.

    Args:
        readers: the mirrors, at least one, in the order in which they are asked when nothing is known of them.
        health: what earlier runs measured.
        note: is told which mirror lied, and how.
    """

    def __init__(self, readers: Sequence[Reader], health: Health, note: Note) -> None:
        places = [reader.where for reader in readers]
        self._queue = [readers[index] for index in ordered(places, health)]
        self._places = places
        self._standings = {place: health.get(place, Standing()) for place in places}
        self._asked: set[str] = set()
        self._left: dict[str, str] = {}
        self._note = note
        self.last: tuple[str, ...] = ()
        """Which mirrors sent the bytes of the last answer; several when one failed in the middle."""

    @property
    def where(self) -> str:
        """All mirrors, in the order in which they were given."""
        return ", ".join(self._places)

    @property
    def health(self) -> dict[str, Standing]:
        """What is known by now, for the next run."""
        return {
            place: standing if place in self._asked else standing.forgiven()
            for place, standing in self._standings.items()
        }

    def distrust(self, where: str, why: str) -> None:
        """Leave a mirror for the rest of this run: it lied. ``why`` is part of a sentence: "the bytes are others"."""
        if where not in self._left:
            self._left[where] = why
            self._standings[where] = self._standings[where].failed(LIE)
            self._asked.add(where)
            self._note(f"the mirror {where} is not used any more: {why}")

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`: of the first mirror that answers, be it that there is no such file."""
        self.last = ()
        return self._first(lambda reader: reader.read(path, limit), lambda data: len(data or b""))

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`. What a failed mirror sent into a `Partial` is not fetched again, unless it lied."""
        self.last = ()
        wanted = sum(size for _, size in ranges)
        told = 0
        lies = len(self._left)

        def fetch(reader: Reader) -> None:
            left = ranges
            if isinstance(target, Partial) and len(self._left) == lies and self.last:
                left = [Range(*span) for span in target.missing(ranges)]
            done = wanted - sum(size for _, size in left)

            def forward(size: int) -> None:
                nonlocal told, done
                done += size
                if done > told:
                    progress(done - told)
                    told = done
                if reader.where not in self.last:
                    self.last = (*self.last, reader.where)

            reader.fetch(blob, target, left, forward)

        self._first(fetch, lambda _: wanted, str(target.path))

    def _first(self, ask: Callable[[Reader], T], size_of: Callable[[T], int], local: str = "") -> T:
        """The answer of the first mirror that has one; ``local`` is the file whose refusals are no mirror's fault."""
        failures: dict[str, BitproofError] = {}
        for reader in [one for one in self._queue if one.where not in self._left]:
            start = time.monotonic()
            self._asked.add(reader.where)
            try:
                answer = ask(reader)
            except IntegrityError as error:
                failures[reader.where] = error
                self.distrust(reader.where, _said(error))
            except UnavailableError as error:
                if local and error.where.startswith(local):
                    raise
                failures[reader.where] = error
                self._failed(reader)
            else:
                self._served(reader, size_of(answer), time.monotonic() - start)
                return answer
        raise self._refusal(failures)

    def _served(self, reader: Reader, size: int, seconds: float) -> None:
        place = reader.where
        self._standings[place] = self._standings[place].served(size, seconds)
        if place not in self.last:
            self.last = (*self.last, place)

    def _failed(self, reader: Reader) -> None:
        self._standings[reader.where] = self._standings[reader.where].failed()
        self._queue.remove(reader)
        self._queue.append(reader)

    def _refusal(self, failures: Mapping[str, BitproofError]) -> BitproofError:
        """One error for all; with one mirror, its own."""
        if len(self._places) == 1 and failures:
            (only,) = failures.values()
            return only
        reasons = {place: self._left.get(place) or _said(failures[place]) for place in self._places}
        kind = IntegrityError if self._left.keys() >= set(self._places) else UnavailableError
        return kind(
            "no mirror serves this",
            problems=[Problem(place, reason) for place, reason in reasons.items()],
            fix="try again later, or give another mirror",
        )


def _said(error: BitproofError) -> str:
    """An error in one line; its place is named beside it."""
    return str(Problem("", error.what, expected=error.expected, found=error.found))
