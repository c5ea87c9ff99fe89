"""How long a download may take, and how slow it may be. Pure: times are seconds of a clock that only grows."""

from collections import deque
from typing import NamedTuple


class Limits(NamedTuple):
    """What a server may ask of a client's patience.

    Args:
        connect: seconds for each address of a host, and for the handshake of TLS.
        idle: seconds without a byte.
        deadline: seconds in all for one `Client` call, retries and waits included.
        floor: bytes a second that a body has to bring, measured over ``window`` seconds.
        window: as said; a body that takes less time is not measured.
        attempts: how often it is tried when a try brings nothing.
        backoff: seconds before the second try; doubled each time.
        patience: the most seconds of one wait, whatever Retry-After says.
    """

    connect: float = 10
    idle: float = 30
    deadline: float = 4 * 3600
    floor: int = 1000
    window: float = 30
    attempts: int = 4
    backoff: float = 0.5
    patience: float = 30


SMALL_FILE = 60
"""Seconds in all for a small file."""


def pause(limits: Limits, tries: int, asked: int | None) -> float:
    """Seconds to wait after ``tries`` failed tries, of which the last said to wait ``asked``.

    >>> pause(Limits(), 1, None), pause(Limits(), 3, None), pause(Limits(), 1, 7), pause(Limits(), 1, 86400)
    (0.5, 2.0, 7, 30)
    """
    wanted = limits.backoff * 2 ** (tries - 1) if asked is None else asked
    return min(wanted, limits.patience)


class Pace:
    """The rate of one body over a sliding window."""

    SAMPLES = 16

    def __init__(self, limits: Limits, now: float) -> None:
        self.floor = limits.floor
        self.window = limits.window
        self.total = 0
        self.samples: deque[tuple[float, int]] = deque([(now, 0)])

    def too_slow(self, now: float, received: int) -> bool:
        """Count bytes that were received; whether there were too few in the window that ends now."""
        self.total += received
        while len(self.samples) > 1 and self.samples[1][0] <= now - self.window:
            self.samples.popleft()
        since, before = self.samples[0]
        if now - self.samples[-1][0] >= self.window / self.SAMPLES:
            self.samples.append((now, self.total))
        return now - since >= self.window and self.total - before < self.floor * (now - since)
