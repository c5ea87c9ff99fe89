"""Answers of a server that sends what it likes: read up to a limit, and let go."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_STEP = 1 << 20


def read_some(response: "BaseHTTPResponse", limit: int) -> bytes:
    """At most ``limit`` bytes of an answer; fewer only at its end."""
    data = bytearray()
    while len(data) < limit and (chunk := response.read(min(limit - len(data), _STEP))):
        data += chunk
    return bytes(data)


def let_go(response: "BaseHTTPResponse") -> None:
    """Keep the connection when the answer was read to its end, else close it: the rest may be endless."""
    if response.closed:
        response.release_conn()
    else:
        response.close()
