"""How well mirrors have served, as a value that outlasts a run. Pure.

Failures in a row count; a success wipes them out, and a run in which a mirror was not asked forgives one. Latency and
rate are those of the last requests, each new one weighing a quarter.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

TYPICAL = 1 << 20
"""Bytes of the request by whose expected time mirrors are compared."""
WEIGHT = 0.25
LIE = 10
"""As how many failures a lie counts."""
MOST = 20
"""Failures that are counted, so that a mirror that was down for long is tried again."""


class Standing(NamedTuple):
    """How well one mirror has served.

    Args:
        failures: in a row.
        latency: seconds of a small request; None before the first.
        rate: bytes a second of a large one; None before the first.
    """

    failures: int = 0
    latency: float | None = None
    rate: float | None = None

    def served(self, size: int, seconds: float) -> "Standing":
        """After a request that was answered with ``size`` bytes."""
        if size >= TYPICAL:
            return Standing(0, self.latency, _mean(self.rate, size / max(seconds, 1e-6)))
        return Standing(0, _mean(self.latency, seconds), self.rate)

    def failed(self, weight: int = 1) -> "Standing":
        """After a request that failed."""
        return self._replace(failures=min(self.failures + weight, MOST))

    def forgiven(self) -> "Standing":
        """After a run without a request."""
        return self._replace(failures=max(self.failures - 1, 0))

    def expected(self) -> float:
        """Seconds that a typical request would take; what is not known counts as quick, so that it gets known."""
        return (self.latency or 0) + (TYPICAL / self.rate if self.rate else 0)


Health = Mapping[str, Standing]
"""By the mirrors' names (`Reader.where`)."""


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + WEIGHT * (now - before)


def ordered(places: Sequence[str], health: Health) -> list[int]:
    """The indices of places, best first; equals stay in the order in which they were given.

    >>> ordered(["a", "b", "c"], {"a": Standing(1), "b": Standing(0, 0.5), "c": Standing(0, 0.25)})
    [2, 1, 0]
    """
    standings = [health.get(place, Standing()) for place in places]
    return sorted(range(len(places)), key=lambda index: (standings[index].failures, standings[index].expected()))


def printed(health: Health) -> dict[str, dict[str, float | None]]:
    """As JSON keeps it."""
    return {place: health[place]._asdict() for place in sorted(health)}


def parse_health(document: object) -> dict[str, Standing]:
    """What `printed` printed. It is a hint: whatever is not as it was printed counts as not known."""
    entries = document.items() if isinstance(document, dict) else ()
    return {place: standing for place, entry in entries if (standing := _standing(entry))}


def _standing(entry: object) -> Standing | None:
    if not isinstance(entry, dict):
        return None
    failures, latency, rate = (entry.get(name) for name in Standing._fields)
    if type(failures) is not int or not 0 <= failures <= MOST:
        return None
    return Standing(failures, _positive(latency), _positive(rate))


def _positive(value: object) -> float | None:
    return value if isinstance(value, float) and value > 0 else None
