"""The head of an HTTP/1.1 answer, read strictly (RFC 9112): what a lenient reader would guess is refused. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

MOST = 65536
"""Bytes of a head."""
END = b"\r\n\r\n"
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([ -~\x80-\xff\t]*))?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_NUMBER = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})")
_SINGLE = frozenset(
    {"content-length", "transfer-encoding", "content-encoding", "content-range", "location", "retry-after"}
)
"""Fields that mean nothing certain when they come twice."""
_BODILESS = frozenset({204, 304})


class Head(NamedTuple):
    """A status and its fields, by names in lower case.

    ``length`` is that of the body in bytes; None when it comes in chunks (``chunked``) or ends with the connection.
    ``kept`` says whether the connection can be used again.
    """

    status: int
    reason: str
    fields: Mapping[str, str]
    length: int | None
    chunked: bool
    kept: bool

    @property
    def told(self) -> str:
        """The status as a message quotes it."""
        return f"status {self.status} {self.reason}".rstrip()


def parse_head(data: bytes) -> Head:
    """Read a head without its empty line.

    Raises:
        ValueError: it is not one.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ValueError(f"the line {first[:80]!r}")
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise ValueError(f"the header {line[:80]!r}")
        name, value = field[1].lower(), field[2]
        if name in fields and name in _SINGLE:
            raise ValueError(f"the header {field[1]} twice")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return _framed(int(status[2]), status[3] or "", fields, modern=status[1] == "1")


def _framed(status: int, reason: str, fields: Mapping[str, str], *, modern: bool) -> Head:
    """How the body ends (RFC 9112, section 6.3), and whether the connection goes on."""
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if coding is not None and (coding.lower() != "chunked" or length is not None or not modern):
        raise ValueError(f"the header Transfer-Encoding: {coding[:80]}")
    if length is not None and not _NUMBER.fullmatch(length):
        raise ValueError(f"the header Content-Length: {length[:80]}")
    size = 0 if status in _BODILESS else None if length is None else int(length)
    ended = size is not None or coding is not None
    words = {word.strip().lower() for word in fields.get("connection", "").split(",")}
    kept = ended and "close" not in words and (modern or "keep-alive" in words)
    return Head(status, reason, fields, size, coding is not None and size is None, kept)


def chunk_size(line: bytes) -> int:
    """The size of a chunk, from its line (RFC 9112, section 7.1).

    Raises:
        ValueError: it is not one.
    """
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise ValueError(f"the chunk {line[:80]!r}")
    return int(found[1], 16)


def content_range(head: Head) -> tuple[int, int, int] | None:
    """First byte, last byte and whole length of a partial answer; None when it does not say exactly these."""
    found = _CONTENT_RANGE.fullmatch(head.fields.get("content-range", ""))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def actual_size(head: Head) -> int | None:
    """How long the file is, as an answer says that has no such range (416)."""
    found = _UNSATISFIED.fullmatch(head.fields.get("content-range", ""))
    return int(found[1]) if found else None


def retry_after(head: Head) -> int | None:
    """Seconds after which to ask again; None when it does not say, or says a date."""
    text = head.fields.get("retry-after", "")
    return int(text) if _NUMBER.fullmatch(text) else None
