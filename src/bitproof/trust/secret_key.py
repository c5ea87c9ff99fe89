"""Secret keys as ``minisign`` keeps them: a key, sealed with a password or not, and its file. Pure.

The sealed part (id, key, checksum; 104 bytes) is XORed with what scrypt makes of the password. No error and no
``repr`` here holds a byte of a key or a password. Source: jedisct1.github.io/minisign, "Secret key format"; the numbers
of scrypt come from libsodium's ``crypto_pwhash_scryptsalsa208sha256``.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from bitproof.errors import InputError, UnavailableError
from bitproof.trust.ed25519 import public_point
from bitproof.trust.minisign import (
    ED25519,
    ID_SIZE,
    KEY_SIZE,
    SECRET_LENGTH,
    UNTRUSTED,
    PublicKey,
    decode_base64,
    read_comment,
    read_lines,
)

SALT_SIZE = 32
MAX_PASSWORD = 1023
"""Bytes: minisign reads one into 1,024 with a zero."""

_SCRYPT, _NOTHING, _BLAKE2B = b"Sc", b"\0\0", b"B2"
_CHECK_SIZE = 32
_BODY_SIZE = ID_SIZE + 2 * KEY_SIZE + _CHECK_SIZE
_SIZE = 6 + SALT_SIZE + 16 + _BODY_SIZE
_BLOCKS = 8
"""scrypt's r, always."""
_MAX_MEMORY = (1 << 30) + (1 << 20)
_MAX_WORK = 1 << 22


class Cost(NamedTuple):
    """What a guess of the password costs, in libsodium's two numbers: operations, and bytes of memory."""

    operations: int
    memory: int

    def scrypt(self) -> tuple[int, int]:
        """N and p for scrypt, as libsodium picks them; r is 8.

        >>> SENSITIVE.scrypt()
        (1048576, 1)
        """
        operations = max(self.operations, 1 << 15)
        if operations < self.memory // 32:
            return _power(operations // (4 * _BLOCKS)), 1
        n = _power(self.memory // (128 * _BLOCKS))
        return n, min(operations // 4 // n, (1 << 30) - 1) // _BLOCKS


SENSITIVE = Cost(1 << 25, 1 << 30)
"""minisign's own: 1 GiB, seconds."""


def _power(limit: int) -> int:
    """The highest power of two that is not above ``limit``, at least 2."""
    return 1 << max(limit.bit_length() - 1, 1)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """Who can sign: an id, and the seed of an Ed25519 key."""

    key_id: bytes
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self.key_id, public_point(self.seed))


@dataclass(frozen=True, slots=True)
class SealedKey:
    """What the file holds. ``cost`` None: there is no password, and ``body`` is the key itself."""

    cost: Cost | None
    salt: bytes
    body: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a secret key file. Nothing of it is quoted.

        Raises:
            InputError: it is not two lines of the form, or a password would cost more than 1 GiB or minutes to try.
        """
        comment, text = read_lines(data, 2, "secret key", where)
        read_comment(comment, UNTRUSTED, "secret key", where)
        raw = decode_base64(text, _SIZE)
        if raw is None or raw[:2] != ED25519 or raw[2:4] not in {_SCRYPT, _NOTHING} or raw[4:6] != _BLAKE2B:
            raise InputError(
                "not a secret key of minisign",
                where=where,
                expected=f"{SECRET_LENGTH} characters of base64 that begin with RW",
            )
        numbers = raw[6 + SALT_SIZE : -_BODY_SIZE]
        cost = Cost(int.from_bytes(numbers[:8], "little"), int.from_bytes(numbers[8:], "little"))
        encrypted = raw[2:4] == _SCRYPT
        if encrypted and not _bearable(cost):
            raise InputError("the secret key wants too much of scrypt", where=where, expected="at most 1 GiB, p 4")
        return cls(cost if encrypted else None, raw[6 : 6 + SALT_SIZE], raw[-_BODY_SIZE:])

    def to_bytes(self) -> bytes:
        """The file."""
        algorithm, word = (_SCRYPT, "encrypted") if self.cost else (_NOTHING, "unencrypted")
        numbers = b"".join(number.to_bytes(8, "little") for number in self.cost or (0, 0))
        text = base64.b64encode(ED25519 + algorithm + _BLAKE2B + self.salt + numbers + self.body).decode()
        return f"{UNTRUSTED}minisign {word} secret key\n{text}\n".encode()

    def opened(self, password: bytes, where: str) -> SecretKey:
        """The key; the password counts only where there is one.

        Raises:
            InputError: the password is wrong, or the file is damaged: which of the two cannot be told.
            UnavailableError: too little memory.
        """
        body = _mixed(self.body, password, self.salt, self.cost) if self.cost else self.body
        key_id, seed = body[:ID_SIZE], body[ID_SIZE : ID_SIZE + KEY_SIZE]
        point, check = body[ID_SIZE + KEY_SIZE : -_CHECK_SIZE], body[-_CHECK_SIZE:]
        unchecked = not self.cost and check == bytes(_CHECK_SIZE)  # so minisign -W leaves it
        if not unchecked and not hmac.compare_digest(check, _checksum(body)):
            what = "the password is wrong, or the secret key is damaged" if self.cost else "the secret key is damaged"
            raise InputError(what, where=where)
        key = SecretKey(key_id, seed)
        if not hmac.compare_digest(point, key.public.point):
            raise InputError("the secret key is damaged", where=where, expected="two halves of one key")
        return key


def seal(key: SecretKey, *, password: bytes, salt: bytes, cost: Cost = SENSITIVE) -> SealedKey:
    """Seal a key with a password.

    Raises:
        InputError: the password is empty, too long, or has a zero byte: minisign could not read it back.
        UnavailableError: too little memory.
    """
    check_password(password)
    return SealedKey(cost, salt, _mixed(_body(key), password, salt, cost))


def unsealed(key: SecretKey) -> SealedKey:
    """The key as a file without a password holds it."""
    return SealedKey(None, bytes(SALT_SIZE), _body(key))


def check_password(password: bytes) -> None:
    """Refuse what minisign could not read back.

    Raises:
        InputError: it is empty, too long, or has a zero byte or a line's end in it.
    """
    if not 1 <= len(password) <= MAX_PASSWORD or any(byte in password for byte in b"\0\r\n"):
        raise InputError("not a usable password", expected=f"1 to {MAX_PASSWORD} bytes on one line")


def _body(key: SecretKey) -> bytes:
    body = key.key_id + key.seed + key.public.point
    return body + _checksum(body)


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(ED25519 + body[: ID_SIZE + 2 * KEY_SIZE], digest_size=_CHECK_SIZE).digest()


def _bearable(cost: Cost) -> bool:
    n, p = cost.scrypt()
    return n * p <= _MAX_WORK and 128 * _BLOCKS * (n + p) <= _MAX_MEMORY


def _mixed(body: bytes, password: bytes, salt: bytes, cost: Cost) -> bytes:
    n, p = cost.scrypt()
    memory = 128 * _BLOCKS * (n + p + 2) + (1 << 20)
    try:
        stream = hashlib.scrypt(password, salt=salt, n=n, r=_BLOCKS, p=p, maxmem=memory, dklen=len(body))
    except (MemoryError, ValueError):
        raise UnavailableError(
            "the password cannot be tried", expected=f"{memory >> 20} MiB of memory", fix="free some memory"
        ) from None
    return bytes(one ^ other for one, other in zip(body, stream, strict=True))
