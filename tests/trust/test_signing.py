"""Whether a signature holds: over the bytes, by which key; and that not one bit may change."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, IntegrityError
from bitproof.trust.minisign import PublicKey, Signature
from bitproof.trust.secret_key import SecretKey
from bitproof.trust.signing import check, prehash
from tests.evidence import refusal
from tests.model.samples import document, release

from .keys import ALICE, BOB, IMPOSTOR, publics, signature

MANIFEST = json.dumps(document({f"2026.0415.{patch}": release(str(patch)) for patch in range(1, 9)}), indent=2).encode()
MUTATIONS = 10_000


@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32))
def test_what_was_signed_verifies_and_says_by_whom(data: bytes, seed: bytes) -> None:
    key = SecretKey(b"12345678", seed)
    made = Signature.parse(signature(data, key).to_bytes(), "s")
    assert check(prehash(data), made, (ALICE.public, key.public), "m") == key.public


def test_signing_twice_gives_the_same_bytes() -> None:
    assert signature(MANIFEST).to_bytes() == signature(MANIFEST).to_bytes()


def test_not_one_bit_of_a_signed_manifest_or_its_signature_may_change() -> None:
    """But those of the untrusted comment's words, which are nobody's."""
    made = signature(MANIFEST).to_bytes()
    words = range(len("untrusted comment: "), made.index(b"\n"))
    of_signature = [bit for bit in range(len(made) * 8) if bit // 8 not in words]
    rest = MUTATIONS - len(of_signature)
    of_manifest = random.Random(27).sample(range(len(MANIFEST) * 8), rest)  # noqa: S311 - which bits, always the same
    accepted = [bit for bit in of_signature if _accepts(MANIFEST, _flipped(made, bit))]
    accepted += [bit for bit in of_manifest if _accepts(_flipped(MANIFEST, bit), made)]
    assert len(of_signature) + len(of_manifest) == MUTATIONS
    assert _accepts(MANIFEST, made)
    assert accepted == []


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _accepts(data: bytes, made: bytes) -> bool:
    try:
        check(prehash(data), Signature.parse(made, "s"), publics(ALICE, BOB), "m")
    except BitproofError:
        return False
    return True


def test_other_bytes_are_refused() -> None:
    assert refusal(IntegrityError, lambda: check(prehash(b"y"), signature(b"x"), publics(ALICE), "m")) == (
        "the signature does not verify\n"
        "  where:    m\n"
        "  expected: the bytes that key 0101010101010101 signed\n"
        "  found:    other bytes: changed since, damaged, or signed by another key of that id\n"
        "  fix:      get the file and its signature again; the owner of the key: bitproof trust sign"
    )


def test_a_key_that_is_not_trusted_is_refused() -> None:
    assert refusal(IntegrityError, lambda: check(prehash(b"x"), signature(b"x", BOB), publics(ALICE), "m")) == (
        "the signature is by a key that is not trusted here\n"
        "  where:    m\n"
        "  expected: key 0101010101010101\n"
        "  found:    key 0202020202020202\n"
        "  fix:      get the signer's public key from a source you trust, and name it"
    )


def test_no_key_at_all_accepts_nothing() -> None:
    with pytest.raises(IntegrityError):
        check(prehash(b"x"), signature(b"x"), (), "m")


def test_another_key_under_a_trusted_id_is_refused() -> None:
    said = refusal(IntegrityError, lambda: check(prehash(b"x"), signature(b"x", IMPOSTOR), publics(ALICE), "m"))
    assert said.startswith("the signature does not verify\n")
    assert check(prehash(b"x"), signature(b"x"), publics(IMPOSTOR, ALICE), "m") == ALICE.public


def test_a_trusted_comment_that_was_changed_or_taken_from_elsewhere_is_refused() -> None:
    made = signature(b"x")
    other = signature(b"y", comment="file:other")
    changed = replace(made, trusted_comment=other.trusted_comment, comment_value=other.comment_value)
    for one in (changed, replace(made, trusted_comment=made.trusted_comment + " ")):
        assert refusal(IntegrityError, lambda one=one: check(prehash(b"x"), one, publics(ALICE), "m")) == (  # type: ignore[misc]
            "the trusted comment does not verify\n"
            "  where:    m\n"
            "  expected: the comment that key 0101010101010101 signed\n"
            "  found:    another comment"
        )


def test_a_point_that_is_no_key_verifies_nothing() -> None:
    for point in (bytes(32), b"\xff" * 32):
        with pytest.raises(IntegrityError):
            check(prehash(b"x"), signature(b"x"), (PublicKey(ALICE.key_id, point),), "m")
