"""GET over HTTP/1.1, with every limit. No proxy, no cookies, no content codings, no user names.

A client keeps its connections and can be used by any number of threads; each takes a connection of its own for a
request. Whoever asks proves the bytes: nothing here knows digests.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import TypeVar

from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.net.addresses import may_connect
from bitproof.system.net.bodies import Body
from bitproof.system.net.connection import Connection, Rules, Watch, connect
from bitproof.system.net.failures import TransientError
from bitproof.system.net.heads import END, MOST, Head, parse_head, retry_after
from bitproof.system.net.limits import SMALL_FILE, Limits, pause
from bitproof.system.net.redirects import STATUSES, followed
from bitproof.system.net.urls import Url, parse_url

ABSENT = frozenset({404, 410})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may change."""
INTERIM = 5
"""How many answers of status 1xx may come before the answer."""
PIECE = 1 << 16

T = TypeVar("T")


class Client:
    """Asks servers, and keeps connections to them.

    Args:
        limits: of every call.
        allow_private: whether redirects may lead to this machine and its own network.
        stop: set by whoever wants all calls to end.
    """

    def __init__(
        self, limits: Limits | None = None, *, allow_private: bool = False, stop: threading.Event | None = None
    ) -> None:
        self.rules = Rules(limits or Limits(), stop or threading.Event(), allow_private=allow_private)
        self._idle: dict[tuple[str, str, int], list[Connection]] = {}

    def get(self, url: str, limit: int) -> bytes | None:
        """A small file, whole; None when the server has none (404, 410).

        Raises:
            InputError: ``url`` is not one.
            IntegrityError: there are more than ``limit`` bytes, or they are encoded; the rest was not read.
            UnavailableError: the server does not serve, or not in time.
        """
        start = parse_url(url)
        watch = self.watch(start, min(self.rules.limits.deadline, SMALL_FILE))
        return self.retried(watch, lambda: self._get(start, limit, watch))

    def watch(self, url: Url, seconds: float) -> Watch:
        """A watch over a call that begins now."""
        return Watch(self.rules, time.monotonic() + seconds, url.shown)

    def retried(self, watch: Watch, call: Callable[[], T], made_progress: Callable[[], bool] = bool) -> T:
        """The result of a call that is tried a few times when what fails may pass.

        Args:
            watch: whose deadline holds for all tries and the waits between them.
            call: one try.
            made_progress: asked after a failed try; when it says so, the tries are counted anew.
        """
        tries = 0
        while True:
            try:
                return call()
            except TransientError as error:
                tries = 1 if made_progress() else tries + 1
                if tries >= self.rules.limits.attempts:
                    raise
                wait = pause(self.rules.limits, tries, error.after)
                self.rules.stop.wait(max(min(wait, watch.deadline - time.monotonic()), 0))
                watch.start_request()
                watch.tick(0)

    def _get(self, start: Url, limit: int, watch: Watch) -> bytes | None:
        with self.answered(start, {}, watch) as (head, body):
            if head.status in ABSENT:
                return None
            check_whole(head, watch.where)
            if head.length is not None and head.length > limit:
                raise too_long(watch.where, limit, f"{head.length} bytes")
            data = bytearray()
            view = memoryview(bytearray(min(PIECE, limit + 1)))
            while size := body.read_into(view):
                data += view[:size]
                if len(data) > limit:
                    raise too_long(watch.where, limit, "more")
        return bytes(data)

    @contextmanager
    def answered(self, url: Url, fields: Mapping[str, str], watch: Watch) -> Iterator[tuple[Head, Body]]:
        """The answer to a request, redirects followed. Its connection is kept if the block read the body to its end.

        Raises:
            TransientError: the server cannot be reached, broke off, or said that it cannot serve now.
            UnavailableError: a redirect that is not followed, or something that is not HTTP.
        """
        start: str | None = None
        for redirects in count():
            origin = url.origin
            connection, head = self._asked(url, fields, start, watch)
            body = Body(head, connection, watch)
            try:
                if head.status in STATUSES:
                    start = start or connection.network
                    url = followed(url, head.fields.get("location"), connection.network, redirects)
                    continue
                if head.status in PASSING:
                    raise _passing(head, watch.where)
                yield head, body
                body.drain(PIECE)
                break
            finally:
                if head.kept and body.complete and not connection.left:
                    self._idle.setdefault(origin, []).append(connection)
                else:
                    connection.close()

    def _asked(self, url: Url, fields: Mapping[str, str], start: str | None, watch: Watch) -> tuple[Connection, Head]:
        """Send a request and read the head of its answer: over a kept connection if there is one that still lives."""
        lines = [f"GET {url.target} HTTP/1.1", f"Host: {url.authority}", "User-Agent: bitproof", "Accept: */*"]
        lines += ["Accept-Encoding: identity", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        request = "\r\n".join(lines).encode()
        while True:
            watch.start_request()
            connection = self._taken(url, start, watch)
            try:
                connection.send(request)
                head = _head(connection, watch)
            except OSError as error:
                head, found = None, error.strerror or str(error)
            except BaseException:
                connection.close()
                raise
            else:
                found = "no answer"
            if head:
                connection.used = True
                return connection, head
            connection.close()
            if not connection.used:
                raise TransientError("the server broke off", where=url.shown, found=found)

    def _taken(self, url: Url, start: str | None, watch: Watch) -> Connection:
        kept = self._idle.get(url.origin, [])
        while kept:
            try:
                connection = kept.pop()
            except IndexError:  # another thread was faster
                break
            if may_connect(connection.network, start, allow_private=self.rules.allow_private):
                return connection
            connection.close()
        return connect(url, self.rules, start, watch)

    def close(self) -> None:
        """Close the connections that are kept."""
        for connections in self._idle.values():
            while connections:
                connections.pop().close()


def _head(connection: Connection, watch: Watch) -> Head | None:
    """The head of an answer; None when the connection ended before it."""
    try:
        for _ in range(INTERIM + 1):
            data = connection.receive_until(END, MOST, watch)
            if data is None:
                if connection.left:
                    raise ValueError(f"the line {connection.left[:80].decode('latin-1')!r}")  # noqa: TRY301 - told below
                return None
            head = parse_head(data)
            if head.status >= 200:  # noqa: PLR2004 - 1xx is no answer yet
                return head
        raise ValueError("one interim answer after the other")  # noqa: TRY301 - told below
    except ValueError as error:
        raise UnavailableError("the server does not speak HTTP", where=watch.where, found=str(error)) from None


def _passing(head: Head, where: str) -> TransientError:
    error = TransientError("the server does not serve now", where=where, found=head.told)
    error.after = retry_after(head)
    return error


def check_whole(head: Head, where: str) -> None:
    """Whether an answer has a whole file, as it is.

    Raises:
        IntegrityError: it is encoded, or a part that nobody asked for.
        UnavailableError: it is something else.
    """
    check_served(head, where)
    if head.status != 200:  # noqa: PLR2004 - OK
        raise IntegrityError("the server answers with a part of the file", where=where, found=head.told)


def check_served(head: Head, where: str) -> None:
    """As `check_whole`, where a part is right too."""
    if head.status not in {200, 206}:
        fix = "check the URL" if head.status in ABSENT else "ask who runs the server"
        raise UnavailableError("the server does not serve this file", where=where, found=head.told, fix=fix)
    if (coding := head.fields.get("content-encoding", "identity")).lower() != "identity":
        raise IntegrityError(
            "the server changed how the file is encoded",
            where=where,
            expected="the bytes of the file, as they are",
            found=f"Content-Encoding: {coding[:80]}",
            fix="switch compression off for this path on the server, or use another mirror",
        )


def too_long(where: str, limit: int, found: str) -> IntegrityError:
    """An answer with more bytes than there may be."""
    return IntegrityError(
        "the server sends more than it may", where=where, expected=f"at most {limit} bytes", found=found
    )
