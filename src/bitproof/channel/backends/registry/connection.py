"""Requests to one repository of a registry: logged in when asked to, repeated when it helps, redirected safely.

The flow of a request:

1. it goes to the registry over https, or http on the loopback, with what authorized the last one
2. ``401``: the challenge is answered once, from the login file, and the request is repeated
3. no answer, ``429`` or a fault of the server: after a pause it is repeated, as often as `Patience` says
4. a redirect, which registries give to where their blobs are: followed to https only, without our authorization
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

from bitproof.channel.backends.patience import PATIENT, Patience
from bitproof.channel.backends.registry.challenge import parse_challenge
from bitproof.channel.backends.registry.credentials import find_login
from bitproof.channel.backends.registry.redirects import check_redirect
from bitproof.channel.backends.registry.refusals import MAX_ANSWER, PASSING, refusal, unreachable
from bitproof.channel.backends.registry.responses import let_go, read_some
from bitproof.channel.backends.registry.tokens import authorization
from bitproof.channel.backends.urls import OciAddress
from bitproof.errors import UnavailableError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

T = TypeVar("T")
Body = bytes | Iterable[bytes]

MAX_REDIRECTS = 5
MAX_PAUSE = 30
MAX_DIGITS = 9
UNAUTHORIZED = 401
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_AGENT = "bitproof"


class Answer(NamedTuple):
    """A small answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):  # noqa: N818 - what happened, not an error of ours: it is repeated or told
    """No answer, or a passing fault; ``pause`` is how many seconds the server asked for."""

    def __init__(self, error: Exception, pause: float = 0) -> None:
        super().__init__()
        self.error = error
        self.pause = pause


class Registry:
    """A repository of a registry.

    Args:
        address: which.
        environ: where the login file is said to be.
        patience: how long the registry is waited for.
    """

    def __init__(
        self, address: OciAddress, environ: Mapping[str, str] = os.environ, patience: Patience = PATIENT
    ) -> None:
        self.address = address
        self.environ = environ
        self.patience = patience
        self._authorization = ""

    @property
    def where(self) -> str:
        """The repository's URL."""
        return str(self.address._replace(tag=""))

    @cached_property
    def pool(self) -> "PoolManager":
        """Connections that are kept."""
        import urllib3

        limits = urllib3.Timeout(connect=self.patience.timeout, read=self.patience.timeout)
        return urllib3.PoolManager(maxsize=8, timeout=limits, retries=False, headers={"User-Agent": _AGENT})

    def url(self, path: str) -> str:
        """The URL of ``blobs/…`` or ``manifests/…`` of this repository."""
        return f"{self.address.base}/v2/{self.address.repository}/{path}"

    def call(
        self,
        method: str,
        path: str,
        expected: Iterable[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_ANSWER,
    ) -> Answer:
        """A request with a small answer, repeated when it broke.

        Args:
            method: of HTTP.
            path: ``blobs/…`` or ``manifests/…``, or a URL that the registry gave.
            expected: the statuses that are no refusal.
            headers: further ones.
            body: what is sent.
            limit: the most bytes of the answer that are read; one more tells that there are more.

        Raises:
            UnavailableError: the registry refused, failed, or cannot be reached.
            IntegrityError: it received other bytes than were promised.
        """

        def attempt() -> Answer:
            with self.opened(method, path, expected, headers=headers, body=body) as response:
                return Answer(response.status, response.headers, read_some(response, limit + 1))

        return self.repeated(attempt)

    def repeated(self, attempt: Callable[[], T]) -> T:
        """Do what may break until it does not, or the patience ends; then its own error."""
        for retry in range(self.patience.retries + 1):
            try:
                return attempt()
            except Broken as broken:
                if retry == self.patience.retries:
                    raise broken.error from None
                time.sleep(min(max(self.patience.before(retry), broken.pause), MAX_PAUSE))
        raise AssertionError  # the loop ends by return or raise

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        expected: Iterable[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> "Iterator[BaseHTTPResponse]":
        """An answer that the block reads, once; arguments as `call`'s.

        Raises:
            Broken: it may be repeated.
            UnavailableError, IntegrityError: as `call`.
        """
        from urllib3.exceptions import HTTPError

        url = urljoin(self.url(""), path) if "://" in path or path.startswith("/") else self.url(path)
        where = f"{self.where}/{path}" if "://" not in path and not path.startswith("/") else self.where
        try:
            response = self._answered(method, url, headers or {}, body)
            try:
                if response.status not in expected:
                    raise self._refused(response, where)
                yield response
            finally:
                let_go(response)
        except (HTTPError, OSError) as error:
            raise Broken(unreachable(where, _reason(error))) from None

    def _answered(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> "BaseHTTPResponse":
        """The answer at the end of all redirects, after the challenge."""
        response = self._send(method, url, headers, body)
        if response.status == UNAUTHORIZED and self._same_origin(url) and self._authorize(response):
            if body is not None and not isinstance(body, bytes):  # a part of it is gone: whoever sends it begins anew
                raise Broken(refusal(UNAUTHORIZED, b"", self.where, self.address.host))
            response = self._send(method, url, headers, body)
        for _ in range(MAX_REDIRECTS):
            location = response.headers.get("Location", "")
            if method not in {"GET", "HEAD"} or response.status not in _REDIRECTS or not location:
                return response
            let_go(response)
            url = check_redirect(self.address, urljoin(url, location))
            response = self._send(method, url, headers, None)
        let_go(response)
        raise UnavailableError("the registry redirects without end", where=self.where)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> "BaseHTTPResponse":
        sent = {"Accept-Encoding": "identity", **headers}
        if self._authorization and self._same_origin(url):
            sent["Authorization"] = self._authorization
        return self.pool.request(
            method, url, headers=sent, body=body, redirect=False, preload_content=False, decode_content=False
        )

    def _same_origin(self, url: str) -> bool:
        """Whether our authorization may go there."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" == self.address.base

    def _authorize(self, response: "BaseHTTPResponse") -> bool:
        """Answer a challenge; False when nothing is there to answer it with."""
        challenge = parse_challenge(response.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            return False
        try:
            login = find_login(self.address, self.environ)
            fresh = authorization(self.pool, self.address, challenge, login)
        except BaseException:
            let_go(response)
            raise
        if not fresh or (fresh == self._authorization and challenge.scheme == "basic"):
            return False
        let_go(response)
        self._authorization = fresh
        return True

    def _refused(self, response: "BaseHTTPResponse", where: str) -> Exception:
        error = refusal(response.status, read_some(response, MAX_ANSWER), where, self.address.host)
        return Broken(error, _pause(response)) if response.status in PASSING else error


def _pause(response: "BaseHTTPResponse") -> float:
    """The seconds of ``Retry-After``, but no more than are waited; a date in it is not minded."""
    told = response.headers.get("Retry-After", "")
    return min(int(told), MAX_PAUSE) if told.isascii() and told.isdigit() and len(told) <= MAX_DIGITS else 0


def _reason(error: Exception) -> str:
    """Why there was no answer, without the URL, which a redirect may have filled with a signature."""
    from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError, SSLError
    from urllib3.exceptions import TimeoutError as TimedOut

    reasons = (
        (NameResolutionError, "no host of this name"),
        (NewConnectionError, "no connection"),
        (TimedOut, "no answer in time"),
        (SSLError, "its certificate is not trusted"),
        (ProtocolError, "the connection broke off"),
    )
    return next((told for kind, told in reasons if isinstance(error, kind)), type(error).__name__)
