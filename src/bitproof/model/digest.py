"""Digests: an algorithm and a value, checked when made.

BLAKE3 names assets (seed 000), SHA-256 names caps (seed 002) and stands beside BLAKE3 for OCI, in-toto and FIPS users.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

from bitproof.errors import shown

Algorithm = Literal["blake3", "sha256"]

HEX = frozenset("0123456789abcdef")
HEX_DIGITS = 64
HASH16 = 16
_ALGORITHMS = frozenset(("blake3", "sha256"))
_VALUE = re.compile(rf"[0-9a-f]{{{HEX_DIGITS}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Digest:
    """A 256-bit digest. ``value`` is 64 lower-case hex digits.

    >>> Digest.parse("AF1349B9F5F9A1A6A0404DEA36DCC9499BCB25C9ADC112B7CC9A93CAE41F3262")
    Digest('blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262')
    """

    algorithm: Algorithm
    value: str

    def __post_init__(self) -> None:
        """Raise ValueError when the value is not 64 lower-case hex digits of a known algorithm."""
        if self.algorithm not in _ALGORITHMS:
            raise ValueError(f"unsupported algorithm {self.algorithm!r}")
        if not _VALUE.fullmatch(self.value):
            raise ValueError(f"not {HEX_DIGITS} hex digits: {shown(self.value)}")

    @classmethod
    def parse(cls, text: str, algorithm: Algorithm = "blake3") -> Self:
        """Read ``<hex>`` or ``<algorithm>:<hex>``, upper or lower case.

        Raises:
            ValueError: "unsupported algorithm …" when another algorithm is named, "not 64 hex digits …" otherwise.
        """
        if _VALUE.fullmatch(text) and algorithm in _ALGORITHMS:
            return cls._checked(algorithm, text)
        tag, colon, value = text.rpartition(":")
        if colon and tag.lower() != algorithm:
            raise ValueError(f"unsupported algorithm {shown(tag)}, this digest must be {algorithm}")
        if not value.isascii():
            raise ValueError(f"not {HEX_DIGITS} hex digits: {shown(text)}")
        return cls(algorithm, value.lower())

    @classmethod
    def _checked(cls, algorithm: Algorithm, value: str) -> Self:
        """Without the checks that were made before: a long manifest has tens of thousands."""
        digest = object.__new__(cls)
        object.__setattr__(digest, "algorithm", algorithm)
        object.__setattr__(digest, "value", value)
        return digest

    @property
    def hash16(self) -> str:
        """The first 16 hex digits: they *find* a file in a store, they never decide."""
        return self.value[:HASH16]

    def __str__(self) -> str:
        """``blake3:<64 hex>``, always in full."""
        return f"{self.algorithm}:{self.value}"

    def __repr__(self) -> str:
        """The full digest, as in an error message."""
        return f"Digest('{self}')"
