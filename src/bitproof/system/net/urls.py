"""Addresses of the web, taken apart and checked. Pure."""

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from bitproof.errors import InputError

PORTS = {"http": 80, "https": 443}
MOST = 8192
"""Characters of a URL."""
_PRINTED = re.compile(r"[!-~]+")
_HOST = re.compile(r"[0-9A-Za-z._-]{1,253}|[0-9A-Fa-f:.]{2,45}")


class Url(NamedTuple):
    """A URL of http or https without user, password and fragment; ``target`` is its path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """With whom a connection is shared."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """As messages name it: without the query, in which stores put secrets."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Take a URL apart.

    >>> parse_url("https://example.org/stable?x")
    Url(scheme='https', host='example.org', port=443, target='/stable?x')

    Raises:
        InputError: it is of another kind, holds a user or password, or characters that have to be percent-encoded.
    """
    try:
        if len(text) > MOST or not _PRINTED.fullmatch(text):
            raise ValueError("longer than a URL may be, or with characters to be percent-encoded")  # noqa: TRY301 - told below
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(text, str(error)) from None
    if parts.scheme not in PORTS:
        raise _refused(text, f"the scheme {parts.scheme!r}")
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "a URL must not hold a user or a password", where=f"{parts.scheme}://…@{host or ''}", fix="leave them out"
        )
    if host is None or not _HOST.fullmatch(host):
        raise _refused(text, "no host, or a name that is none")
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, host, port or PORTS[parts.scheme], f"{parts.path or '/'}{query}")


def joined(base: Url, location: str) -> str:
    """Where a Location header of an answer from ``base`` leads (RFC 9110, section 10.2.2).

    Raises:
        ValueError: it cannot be read.
    """
    return urljoin(str(base), location)


def _refused(text: str, found: str) -> InputError:
    return InputError(
        "this is not a URL that can be fetched",
        where=text.partition("?")[0][:200],
        expected="http:// or https:// and a host",
        found=found,
    )
