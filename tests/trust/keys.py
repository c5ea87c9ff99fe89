"""Keys to test with: always the same, from seeds anyone can see."""

from bitproof.trust.minisign import PublicKey, Signature
from bitproof.trust.secret_key import Cost, SecretKey
from bitproof.trust.signing import prehash, signed

CHEAP = Cost(1 << 15, 1 << 20)
"""A guess of the password costs a millisecond."""


def key(number: int) -> SecretKey:
    return SecretKey(bytes([number]) * 8, bytes([number]) * 32)


ALICE, BOB = key(1), key(2)
IMPOSTOR = SecretKey(ALICE.key_id, BOB.seed)
"""Another key under Alice's id: ids are no secret."""

COMMENT = "timestamp:1776211200\tfile:manifest.json\thashed"


def signature(data: bytes, signer: SecretKey = ALICE, comment: str = COMMENT) -> Signature:
    return signed(signer, prehash(data), comment)


def publics(*keys: SecretKey) -> tuple[PublicKey, ...]:
    return tuple(one.public for one in keys)
