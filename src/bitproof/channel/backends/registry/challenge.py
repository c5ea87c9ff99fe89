"""What a registry asks for before it lets anybody in. Pure.

Source: RFC 9110, section 11.6.1 "WWW-Authenticate", and the token authentication specification of Docker's registry.
"""

import re
from typing import NamedTuple
from urllib.parse import urlencode

_CHALLENGE = re.compile(r"\s*(?P<scheme>[A-Za-z]+)(?:\s+(?P<rest>.*))?", re.ASCII | re.DOTALL)
_PARAMETER = re.compile(r'(?P<name>[A-Za-z_]+)\s*=\s*"(?P<value>[^"\\\r\n]{0,2048})"', re.ASCII)
MAX_CHALLENGE = 8192


class Challenge(NamedTuple):
    """``scheme`` is ``basic`` or ``bearer``; the rest is where tokens are, for whom, and for what."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""

    @property
    def token_url(self) -> str:
        """Where a token is asked for."""
        wanted = {name: value for name, value in (("service", self.service), ("scope", self.scope)) if value}
        return f"{self.realm}{'&' if '?' in self.realm else '?'}{urlencode(wanted)}" if wanted else self.realm


def parse_challenge(header: str) -> Challenge | None:
    """Read a ``WWW-Authenticate`` header; None when it asks for what nobody here can give.

    >>> parse_challenge('Bearer realm="https://auth.example.org/token",service="registry"').token_url
    'https://auth.example.org/token?service=registry'
    """
    match = _CHALLENGE.fullmatch(header[:MAX_CHALLENGE])
    if match is None or match["scheme"].lower() not in {"basic", "bearer"}:
        return None
    found = {name.lower(): value for name, value in _PARAMETER.findall(match["rest"] or "")}
    known = {name: found[name] for name in ("realm", "service", "scope") if name in found}
    return Challenge(match["scheme"].lower(), **known)
