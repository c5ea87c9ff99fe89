"""Many ranges of one file over HTTP, written in place.

1. neighbours are merged, and what is large is cut into segments, so that a slow connection holds nobody back
2. a few connections take one segment after the other; each piece is written where it belongs, and told
3. a try that fails goes on where the last one stopped
4. from a server that knows no ranges the whole file is read once, and what was not asked for is dropped
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bitproof.errors import IntegrityError
from bitproof.system.net.bodies import Body
from bitproof.system.net.connection import Watch
from bitproof.system.net.failures import ended_early
from bitproof.system.net.heads import Head, actual_size, content_range
from bitproof.system.net.http import Client, check_served
from bitproof.system.net.spans import Span, cut, merged, without
from bitproof.system.net.urls import Url, parse_url
from bitproof.system.opened import OpenFile, unavailable

CONNECTIONS = 4
SEGMENT = 8 << 20
"""Bytes of one request, at most."""
PIECE = 1 << 20
"""Bytes that are received and written at a time; with less the system calls cost more."""
PROGRESS = 1 << 20
"""Bytes that a try must bring for the tries to be counted anew: a server cannot hold a client by a byte a try."""
UNSATISFIABLE = 416

Landed = Callable[[int, int], None]
"""Told offset and size of a piece that has been written; in any thread, one at a time."""


class _NoRangesError(Exception):
    """The server sends the whole file where a part was asked for."""


class Source(NamedTuple):
    """A file on a server: where, and the size that it must have."""

    url: str
    size: int


def download(client: Client, source: Source, target: OpenFile, spans: Sequence[Span], landed: Landed) -> None:
    """Write parts of a file into ``target``, at the same offsets. What was written is not proved.

    Args:
        client: its limits hold; its deadline for all parts together.
        source: the file.
        target: open for writing, and nobody else writes these parts.
        spans: the parts, within the file.
        landed: see `Landed`.

    Raises:
        InputError: the URL is none.
        IntegrityError: the server has a file of another size, or sends other parts than were asked for.
        UnavailableError: the server does not serve, or not fast enough; the target cannot be written.
    """
    job = _Job(client, source, target, spans, landed)
    try:
        job.run(cut(merged(spans), SEGMENT))
    except _NoRangesError:
        job.run_whole()


class _Job:
    """One download. ``done`` is what has landed."""

    def __init__(self, client: Client, source: Source, target: OpenFile, spans: Sequence[Span], landed: Landed) -> None:
        self.client = client
        self.url: Url = parse_url(source.url)
        self.size = source.size
        self.target = target
        self.spans = spans
        self.landed = landed
        self.done: list[Span] = []
        self.lock = threading.Lock()
        self.failed = threading.Event()
        self.deadline = client.watch(self.url, client.rules.limits.deadline).deadline

    def run(self, segments: Sequence[Span]) -> None:
        """All segments, in as many threads as there are connections."""
        if len(segments) <= 1:
            self._work(iter(segments))
            return
        from bitproof.system.threads import awaited, threads

        left = iter(segments)
        with threads(min(CONNECTIONS, len(segments)), self.failed) as pool:
            for future in [pool.submit(self._guarded, left) for _ in range(min(CONNECTIONS, len(segments)))]:
                awaited(future)

    def _guarded(self, segments: Iterator[Span]) -> None:
        try:
            self._work(segments)
        except BaseException:
            self.failed.set()  # at once, and not when it is this thread's turn to be waited for
            raise

    def _work(self, segments: Iterator[Span]) -> None:
        buffer = memoryview(bytearray(min(PIECE, self.size or 1)))
        while not self.failed.is_set():
            with self.lock:
                segment = next(segments, None)
            if segment is None:
                return
            self._segment(segment, buffer)

    def _segment(self, segment: Span, buffer: memoryview) -> None:
        offset, end = segment[0], sum(segment)
        state = {"at": offset, "tried": offset}
        watch = self._watch()

        def attempt() -> None:
            state["tried"] = state["at"]
            part = (state["at"], end - state["at"])
            fields = {} if part == (0, self.size) else {"Range": f"bytes={part[0]}-{end - 1}"}
            with self.client.answered(self.url, fields, watch) as (head, body):
                self._check(head, part, watch.where)
                while state["at"] < end and (size := body.read_into(buffer[: end - state["at"]])):
                    self._write(state["at"], buffer[:size])
                    state["at"] += size
                self._check_end(body, state["at"] - part[0], part[1], watch.where)

        self.client.retried(watch, attempt, lambda: state["at"] - state["tried"] >= PROGRESS)

    def _watch(self) -> Watch:
        watch = self.client.watch(self.url, 0)
        watch.deadline = self.deadline
        watch.abandoned = self.failed
        return watch

    def _check(self, head: Head, part: Span, where: str) -> None:
        """Whether an answer has this part, of a file of the right size."""
        if head.status == UNSATISFIABLE:
            actual = actual_size(head)
            raise self._other_size(where, "another size" if actual is None else f"{actual} bytes")
        check_served(head, where)
        if head.status == 206:  # noqa: PLR2004 - Partial Content
            offset, size = part
            expected = (offset, offset + size - 1, self.size)
            found = content_range(head)
            if found != expected or head.length not in {None, size}:
                raise _other_part(where, expected, head)
        elif head.length not in {None, self.size}:
            raise self._other_size(where, f"{head.length} bytes")
        elif part != (0, self.size):
            raise _NoRangesError

    def _check_end(self, body: Body, done: int, expected: int, where: str) -> None:
        """Whether a body ends where it should: one whose length the server did not tell may go on for ever."""
        if done < expected:
            raise ended_early(where, f"{expected} bytes", f"{done} bytes")
        if body.read_into(memoryview(bytearray(1))):
            raise self._other_size(where, "more")

    def _other_size(self, where: str, found: str) -> IntegrityError:
        return IntegrityError(
            "the server has a file of another size", where=where, expected=f"{self.size} bytes", found=found
        )

    def _write(self, offset: int, data: memoryview) -> None:
        start, view = offset, data
        try:
            while view:
                written = os.pwrite(self.target.fd, view, start)
                start, view = start + written, view[written:]
        except OSError as error:
            raise unavailable(error, "the download cannot be written", self.target.path) from None
        with self.lock:
            self.done.append((offset, len(data)))
            self.landed(offset, len(data))

    def run_whole(self) -> None:
        """The whole file in one answer, as often as it is cut off, for what has not landed yet."""
        self.failed.clear()
        watch = self._watch()
        buffer = memoryview(bytearray(min(PIECE, self.size)))
        self.client.retried(watch, lambda: self._whole(buffer, watch))

    def _whole(self, buffer: memoryview, watch: Watch) -> None:
        wanted = without(self.spans, self.done)
        with self.client.answered(self.url, {}, watch) as (head, body):
            self._check(head, (0, self.size), watch.where)
            at = 0
            while at < self.size and (size := body.read_into(buffer[: self.size - at])):
                for start, length in _within(wanted, at, size):
                    self._write(start, buffer[start - at : start - at + length])
                at += size
            self._check_end(body, at, self.size, watch.where)


def _within(spans: Sequence[Span], offset: int, size: int) -> Iterator[Span]:
    """The parts of ``spans`` that lie in one piece."""
    for start, length in spans:
        first, last = max(start, offset), min(start + length, offset + size)
        if first < last:
            yield first, last - first


def _other_part(where: str, expected: tuple[int, int, int], head: Head) -> IntegrityError:
    first, last, size = expected
    return IntegrityError(
        "the server sends another part of the file than was asked for",
        where=where,
        expected=f"Content-Range: bytes {first}-{last}/{size}, {last - first + 1} bytes",
        found=f"Content-Range: {head.fields.get('content-range', 'none')}"
        + (f", {head.length} bytes" if head.length is not None else ""),
        fix="use another mirror, or ask who runs the server",
    )
