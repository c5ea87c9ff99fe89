"""What a store remembers of signatures: that its manifest is signed, and by whom. Pure.

The file is text: a key a line; or the word ``anyone``, when signatures came with the manifests and nobody named a key
to check them with. ``#`` begins a comment. Decision 0027 says what follows from it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bitproof.errors import InputError
from bitproof.trust.minisign import MAX_FILE, PublicKey

ANYONE = "anyone"
MAX_SIGNERS = MAX_FILE

_HEADER = "# Who signs this store's manifest. Without this file, an unsigned one is accepted again.\n"


class Signers(NamedTuple):
    """Who may sign. Without keys a signature has to be there, and is not checked."""

    keys: tuple[PublicKey, ...] = ()

    def __str__(self) -> str:
        """As an error expects it."""
        return f"a signature by key {' or '.join(key.id for key in self.keys)}" if self.keys else "a signature"

    def widened(self, other: "Signers") -> "Signers":
        """Who may sign while one of the two takes the other's place."""
        return Signers(tuple(dict.fromkeys(self.keys + other.keys))) if self.keys and other.keys else Signers()

    def to_bytes(self) -> bytes:
        """The file."""
        lines = [f"{key.text()}  # {key.id}\n" for key in self.keys] or [f"{ANYONE}\n"]
        return (_HEADER + "".join(lines)).encode()


def parse_signers(data: bytes, where: str) -> Signers:
    """Read the file.

    Raises:
        InputError: it is not text, names nobody, or holds something else than keys.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    words = [line for line in lines if line]
    if not words or len(data) > MAX_SIGNERS:
        raise InputError(
            "the store's list of signers is not usable",
            where=where,
            expected=f"public keys, or the word {ANYONE}",
            fix="install again with --require-signature; or remove it, and unsigned manifests are accepted again",
        )
    return Signers() if words == [ANYONE] else Signers(_keys(words, where))


def _keys(words: Sequence[str], where: str) -> tuple[PublicKey, ...]:
    return tuple(PublicKey.parse_text(word, where) for word in words)
