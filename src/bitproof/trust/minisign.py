"""Public keys and signatures as the program ``minisign`` writes them: parse and print, strictly. Pure.

A file has lines of text (a comment nobody signed, base64 of a fixed layout, in a signature also a signed comment and
its signature). Only one spelling of a value is read, so that no two files say the same; legacy signatures, which are
over the file itself and not over its BLAKE2b, are refused. Source: jedisct1.github.io/minisign, "Signature format".

Whether a signature is right is `ed25519`'s matter.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bitproof.errors import InputError, shown

MAX_FILE = 16 << 10
"""Bytes of any of these files: minisign's longest lines, and room to spare."""
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
MAX_UNTRUSTED, MAX_TRUSTED = 1022, 8190
"""Bytes of a comment's whole line: minisign reads it into 1,024 or 8,192 with a newline and a zero."""
SUFFIX = ".minisig"

ED25519, PREHASHED, LEGACY = b"Ed", b"ED", b"Ed"
ID_SIZE, KEY_SIZE, SIGNATURE_SIZE = 8, 32, 64
SECRET_LENGTH = 212
"""Characters of a secret key's base64 form."""

_KEY_TEXT = re.compile(r"RW[A-Za-z0-9+/]{54}", re.ASCII)


def hex_id(key_id: bytes) -> str:
    """A key's id as minisign shows it: a little-endian number in 16 hex digits."""
    return key_id[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may sign: a random id, and the Ed25519 key."""

    key_id: bytes
    point: bytes

    @property
    def id(self) -> str:
        """The id as people see it."""
        return hex_id(self.key_id)

    @classmethod
    def parse_text(cls, text: str, where: str) -> Self:
        """Read the base64 form, 56 characters that begin with ``RW``.

        Raises:
            InputError: it is anything else.
        """
        raw = decode_base64(text, len(ED25519) + ID_SIZE + KEY_SIZE)
        if raw is None or not raw.startswith(ED25519):
            secret = len(text) == SECRET_LENGTH  # of which nothing is quoted
            raise InputError(
                "not a public key of minisign",
                where=where,
                expected="56 characters of base64 that begin with RW",
                found=f"{SECRET_LENGTH} characters, as many as a secret key has" if secret else shown(text),
                fix="name the key's public half" if secret else "",
            )
        return cls(raw[2:10], raw[10:])

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a public key file.

        Raises:
            InputError: it is not two lines, a comment and a key.
        """
        comment, text = read_lines(data, 2, "public key", where)
        read_comment(comment, UNTRUSTED, "public key", where)
        return cls.parse_text(text, where)

    def text(self) -> str:
        """The base64 form."""
        return base64.b64encode(ED25519 + self.key_id + self.point).decode()

    def to_bytes(self) -> bytes:
        """The file."""
        return f"{UNTRUSTED}minisign public key {self.id}\n{self.text()}\n".encode()


def is_key_text(text: str) -> bool:
    """Whether ``text`` looks like a key's base64 form, and not like a path.

    >>> is_key_text("RWR7Nl2J3x6kQf5zvOBpGMwrroxGhdWjK5tFIOS+SMl/ZbSJcIa2wkDH"), is_key_text("release.pub")
    (True, False)
    """
    return _KEY_TEXT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Signature:
    """A prehashed signature: over the BLAKE2b-512 of a file; ``comment_value`` is over ``value`` and the comment."""

    key_id: bytes
    value: bytes
    trusted_comment: str
    comment_value: bytes
    untrusted_comment: str = "signature from bitproof secret key"

    @property
    def id(self) -> str:
        """The signer's id as people see it."""
        return hex_id(self.key_id)

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a signature file.

        Raises:
            InputError: it is not four lines of the form, or a legacy signature.
        """
        untrusted, first, trusted, second = read_lines(data, 4, "signature", where)
        untrusted = read_comment(untrusted, UNTRUSTED, "signature", where)
        trusted = read_comment(trusted, TRUSTED, "signature", where)
        raw = decode_base64(first, len(PREHASHED) + ID_SIZE + SIGNATURE_SIZE)
        comment_value = decode_base64(second, SIGNATURE_SIZE)
        if raw is None or comment_value is None or raw[:2] not in {PREHASHED, LEGACY}:
            line = "line 2: 100 characters of base64 that begin with RU"
            expected = "line 4: 88 characters of base64" if comment_value is None else line
            raise InputError("the signature is not minisign's", where=where, expected=expected)
        if raw[:2] == LEGACY:
            raise InputError(
                "the signature is a legacy one, which is not accepted",
                where=where,
                expected="a prehashed one: line 2 begins with RU",
                found=first[:2],
                fix="sign again: bitproof trust sign, or minisign -S without -l",
            )
        return cls(raw[2:10], raw[10:], trusted, comment_value, untrusted)

    def to_bytes(self) -> bytes:
        """The file."""
        first = base64.b64encode(PREHASHED + self.key_id + self.value).decode()
        second = base64.b64encode(self.comment_value).decode()
        lines = (UNTRUSTED + self.untrusted_comment, first, TRUSTED + self.trusted_comment, second)
        return "".join(f"{line}\n" for line in lines).encode()


def read_lines(data: bytes, count: int, what: str, where: str) -> Sequence[str]:
    """The lines of one of minisign's files; the last newline may be missing, as some programs leave it out.

    Raises:
        InputError: it is too large, not UTF-8, or has another number of lines.
    """
    if len(data) > MAX_FILE:
        raise InputError(f"the {what} is too large", where=where, expected=f"at most {MAX_FILE} bytes")
    try:
        lines = data.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"the {what} is not UTF-8", where=where) from None
    if len(lines) != count:
        raise InputError(
            f"the {what} is not minisign's", where=where, expected=f"{count} lines", found=f"{len(lines)} lines"
        )
    return lines


def read_comment(line: str, prefix: str, what: str, where: str) -> str:
    """The comment of a line.

    Raises:
        InputError: another prefix, too long, or characters that do not print.
    """
    comment = line.removeprefix(prefix)
    if not line.startswith(prefix) or not fits_comment(comment, prefix):
        raise InputError(
            f"the {what} is not minisign's", where=where, expected=f"a line {prefix!r} and printable characters"
        )
    return comment


def fits_comment(comment: str, prefix: str) -> bool:
    """Whether minisign would read it back, and a terminal show it: printable characters and tabs, not too many."""
    longest = MAX_TRUSTED if prefix == TRUSTED else MAX_UNTRUSTED
    return comment.replace("\t", " ").isprintable() and len((prefix + comment).encode()) <= longest


def decode_base64(text: str, size: int) -> bytes | None:
    """The bytes of the one base64 spelling of ``size`` bytes; None when it is not that."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == size and base64.b64encode(raw).decode() == text else None
