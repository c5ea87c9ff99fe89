"""Parts of a file, as offset and size in bytes: merged, cut, taken away. Pure."""

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Offset and size."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in as few spans as there can be, sorted.

    >>> merged([(8, 2), (0, 4), (4, 4), (20, 1)])
    [(0, 10), (20, 1)]
    """
    found: list[Span] = []
    for offset, size in sorted(spans):
        if found and offset <= sum(found[-1]):
            start, before = found[-1]
            found[-1] = start, max(before, offset + size - start)
        elif size:
            found.append((offset, size))
    return found


def without(spans: Iterable[Span], done: Iterable[Span]) -> list[Span]:
    """The bytes of ``spans`` that are not in ``done``.

    >>> without([(0, 10), (20, 5)], [(2, 3), (8, 20)])
    [(0, 2), (5, 3)]
    """
    left = merged(spans)
    for offset, size in merged(done):
        end = offset + size
        left = [part for start, length in left for part in _outside(start, length, offset, end)]
    return left


def _outside(start: int, size: int, offset: int, end: int) -> Iterator[Span]:
    before = min(start + size, offset) - start
    after = start + size - max(start, end)
    if before > 0:
        yield start, before
    if after > 0:
        yield start + size - after, after


def cut(spans: Iterable[Span], most: int) -> list[Span]:
    """The same spans, none larger than ``most``.

    >>> cut([(0, 10)], 4)
    [(0, 4), (4, 4), (8, 2)]
    """
    return [
        (start, min(most, offset + size - start))
        for offset, size in spans
        for start in range(offset, offset + size, most)
    ]
