"""Sign bytes, and decide whether a signature holds. Pure: bytes and values in, a value or a refusal out."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitproof.errors import IntegrityError
from bitproof.trust.ed25519 import sign, verifies
from bitproof.trust.minisign import PublicKey, Signature

if TYPE_CHECKING:  # whoever only verifies needs no secret keys
    from bitproof.trust.secret_key import SecretKey


def prehash(data: bytes) -> bytes:
    """What is signed in the place of a file: its BLAKE2b-512."""
    return hashlib.blake2b(data).digest()


def signed(key: "SecretKey", digest: bytes, trusted_comment: str) -> Signature:
    """Sign a file, of which the digest is `prehash`'s, and a comment with it."""
    value = sign(key.seed, digest)
    return Signature(key.key_id, value, trusted_comment, sign(key.seed, value + trusted_comment.encode()))


def check(digest: bytes, signature: Signature, keys: Sequence[PublicKey], where: str) -> PublicKey:
    """The key that signed a file, and the comment with it.

    Args:
        digest: `prehash` of the bytes that will be used.
        signature: of the file.
        keys: who may sign; one is enough.
        where: the file, for the refusal.

    Raises:
        IntegrityError: none of the keys signed it.
    """
    candidates = [key for key in keys if key.key_id == signature.key_id]
    if not candidates:
        raise IntegrityError(
            "the signature is by a key that is not trusted here",
            where=where,
            expected=f"key {', '.join(key.id for key in keys)}",
            found=f"key {signature.id}",
            fix="get the signer's public key from a source you trust, and name it",
        )
    signers = [key for key in candidates if verifies(key.point, signature.value, digest)]
    if not signers:
        raise IntegrityError(
            "the signature does not verify",
            where=where,
            expected=f"the bytes that key {signature.id} signed",
            found="other bytes: changed since, damaged, or signed by another key of that id",
            fix="get the file and its signature again; the owner of the key: bitproof trust sign",
        )
    comment = signature.value + signature.trusted_comment.encode()
    for key in signers:
        if verifies(key.point, signature.comment_value, comment):
            return key
    raise IntegrityError(
        "the trusted comment does not verify",
        where=where,
        expected=f"the comment that key {signature.id} signed",
        found="another comment",
    )
