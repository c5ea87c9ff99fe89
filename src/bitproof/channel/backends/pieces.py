"""Ranges of a blob cut into pieces that are fetched side by side, so that no more than a few of them are in memory."""

import threading
from collections.abc import Callable, Iterator, Sequence

from bitproof.channel.ports import Range
from bitproof.system.net.partial import Partial
from bitproof.system.opened import OpenFile, Progress
from bitproof.system.threads import awaited, threads

PIECE = 8 << 20
"""Bytes of one request."""
WIDTH = 4
"""Requests at a time."""


def pieces(ranges: Sequence[Range], size: int = PIECE) -> Iterator[Range]:
    """The same bytes in ranges of at most ``size``; empty ones fall away.

    >>> list(pieces([Range(0, 5), Range(9, 0)], 3))
    [Range(offset=0, size=3), Range(offset=3, size=2)]
    """
    for offset, length in ranges:
        for done in range(0, length, size):
            yield Range(offset + done, min(size, length - done))


def fetch_pieces(ranges: Sequence[Range], fetch: Callable[[Range, threading.Event], None]) -> None:
    """Call ``fetch`` for every piece, a few at a time; the first failure is raised, and no further piece is begun.

    ``fetch`` gets the piece, and what is set when another one failed.
    """
    stop = threading.Event()
    with threads(WIDTH, stop) as pool:
        for future in [pool.submit(fetch, piece, stop) for piece in pieces(ranges)]:
            awaited(future)


def landing(target: OpenFile, progress: Progress) -> Callable[[int, int], None]:
    """What to call with the offset and size of bytes that are written: a `Partial` records them for the next run."""

    def landed(offset: int, size: int) -> None:
        if isinstance(target, Partial):
            target.landed(offset, size)
        progress(size)

    return landed
