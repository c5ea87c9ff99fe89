"""Which parts of a file have been downloaded, as text that is only appended to. Pure.

The first line says of which file; each further one is a part that has landed: offset, size and their CRC-32. A line
that a kill or a power cut left torn, joined to the next one or full of zeros is no record: its part is fetched again.
What the journal says proves nothing, since bytes can be lost with a machine's power; the digest of the whole file does.
"""

import re
from binascii import crc32

from bitproof.system.net.spans import Span, merged

MOST = 16 << 20
"""Bytes of a journal that is read."""
_RECORD = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18}) ([0-9a-f]{8})")


def heading(key: str) -> bytes:
    """The first line for a file; ``key`` says which, and has no line break."""
    return f"bitproof-download 1 {key}\n".encode()


def record(offset: int, size: int) -> bytes:
    r"""A line for a part.

    >>> record(0, 1048576)
    b'0 1048576 2703c3bf\n'
    """
    text = b"%d %d" % (offset, size)
    return b"%s %08x\n" % (text, crc32(text))


def landed(data: bytes, key: str) -> list[Span] | None:
    """The parts that have landed, merged; None when the journal is of another file, or none."""
    first = heading(key)
    if not data.startswith(first):
        return None
    *lines, _torn = data[len(first) :].split(b"\n")
    found = (_RECORD.fullmatch(line) for line in lines)
    return merged(
        (int(one[1]), int(one[2])) for one in found if one and int(one[3], 16) == crc32(one[0].rpartition(b" ")[0])
    )
