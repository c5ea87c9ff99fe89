"""The files of minisign: what is read, what is refused, and that one value has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError
from bitproof.trust.minisign import MAX_FILE, PublicKey, Signature, decode_base64, is_key_text
from bitproof.trust.secret_key import unsealed
from tests.evidence import refusal

from .keys import ALICE, signature

PUBLIC = b"""untrusted comment: minisign public key 41A41EDF895D367B
RWR7Nl2J3x6kQf5zvOBpGMwrroxGhdWjK5tFIOS+SMl/ZbSJcIa2wkDH
"""
SIGNED = b"""untrusted comment: signature from minisign secret key
RUR7Nl2J3x6kQb8uxvbDB3AFAXqQRiN3Q1TYjXHwyFpFw0EMtEVjQEob5O6zjpemuzqq7fhVeGx/6lU27K1LBGjLQfg2DP3ncg8=
trusted comment: timestamp:1795538534\tfile:manifest.json\thashed
wEodOdyuYPwxx/LWfvKVdq2M/RiuSFtMAOa9vc6+GCUJQLys1am+9nu4prmcdjIOyHW3Tf3vq38Qd44xIiQIAg==
"""
"""What Debian's minisign 0.11 wrote."""

COMMENTS = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), max_size=200)


def test_what_minisign_wrote_is_read_and_printed_alike() -> None:
    key, found = PublicKey.parse(PUBLIC, "k"), Signature.parse(SIGNED, "s")
    assert (key.id, found.id) == ("41A41EDF895D367B", "41A41EDF895D367B")
    assert found.trusted_comment == "timestamp:1795538534\tfile:manifest.json\thashed"
    assert (key.to_bytes(), found.to_bytes()) == (PUBLIC, SIGNED)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_every_public_key_round_trips(key_id: bytes, point: bytes) -> None:
    key = PublicKey(key_id, point)
    assert PublicKey.parse(key.to_bytes(), "k") == PublicKey.parse_text(key.text(), "k") == key
    assert is_key_text(key.text())


@given(
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=64, max_size=64),
    COMMENTS,
    st.binary(min_size=64, max_size=64),
    COMMENTS,
)
def test_every_signature_round_trips(
    key_id: bytes, value: bytes, trusted: str, comment_value: bytes, untrusted: str
) -> None:
    made = Signature(key_id, value, trusted, comment_value, untrusted)
    assert Signature.parse(made.to_bytes(), "s") == made


@given(st.binary(max_size=300))
def test_no_bytes_at_all_do_anything_but_parse_or_be_refused(data: bytes) -> None:
    for parse in (PublicKey.parse, Signature.parse):
        for prefix in (b"", b"untrusted comment: x\n", b"untrusted comment: x\nRU"):
            with pytest.raises(InputError):
                parse(prefix + data, "f")


@given(st.data())
def test_base64_has_one_spelling(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([42, 64, 74]))
    text = data.draw(st.text("ABYZaz019+/=", min_size=4 * ((size + 2) // 3), max_size=4 * ((size + 2) // 3)))
    raw = decode_base64(text, size)
    assert raw is None or len(raw) == size


@pytest.mark.parametrize("text", ["AB==", "AA=", "AA==\n", " AA==", "AA==AA==", "AAA=", "é", ""])
def test_base64_that_is_loose_is_no_base64(text: str) -> None:
    assert decode_base64(text, 1) is None
    assert decode_base64("AA==", 1) == b"\0"


def test_the_last_newline_may_be_missing_as_some_programs_leave_it_out() -> None:
    assert PublicKey.parse(PUBLIC[:-1], "k").to_bytes() == PUBLIC
    assert Signature.parse(SIGNED[:-1], "s").to_bytes() == SIGNED


def test_a_legacy_signature_is_refused() -> None:
    legacy = SIGNED.replace(b"\nRUR7", b"\nRWR7")
    assert refusal(InputError, lambda: Signature.parse(legacy, "m.minisig")) == (
        "the signature is a legacy one, which is not accepted\n"
        "  where:    m.minisig\n"
        "  expected: a prehashed one: line 2 begins with RU\n"
        "  found:    RW\n"
        "  fix:      sign again: bitproof trust sign, or minisign -S without -l"
    )


def test_what_is_no_public_key_is_refused_and_quoted() -> None:
    assert refusal(InputError, lambda: PublicKey.parse_text("RWR7Nl2J", "here")) == (
        "not a public key of minisign\n"
        "  where:    here\n"
        "  expected: 56 characters of base64 that begin with RW\n"
        "  found:    'RWR7Nl2J'"
    )
    other = PUBLIC.splitlines()[1].decode().replace("RWR", "RUR")
    assert not is_key_text(other)
    assert refusal(InputError, lambda: PublicKey.parse_text(other, "here")).startswith("not a public key of minisign")


def test_a_secret_key_in_the_place_of_a_public_one_is_not_quoted() -> None:
    secret = unsealed(ALICE).to_bytes()
    assert refusal(InputError, lambda: PublicKey.parse(secret, "here")) == (
        "not a public key of minisign\n"
        "  where:    here\n"
        "  expected: 56 characters of base64 that begin with RW\n"
        "  found:    212 characters, as many as a secret key has\n"
        "  fix:      name the key's public half"
    )


UNTRUSTED_LINE = "a line 'untrusted comment: ' and printable characters"
TRUSTED_LINE = "a line 'trusted comment: ' and printable characters"
SECOND_LINE = "line 2: 100 characters of base64 that begin with RU"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (SIGNED + b"\n", "4 lines\n  found:    5 lines"),
        (b"", "4 lines\n  found:    1 lines"),
        (SIGNED.replace(b"untrusted comment: ", b"untrusted comment:"), UNTRUSTED_LINE),
        (SIGNED.replace(b"\n", b"\r\n"), UNTRUSTED_LINE),
        (SIGNED.replace(b"\thashed", b"\x1b[2J"), TRUSTED_LINE),
        (SIGNED.replace(b"\thashed", b"x" * 8160), TRUSTED_LINE),
        (SIGNED.replace(b"\nRUR7", b"\nRXR7"), SECOND_LINE),
        (SIGNED.replace(b"cg8=", b"cg9="), SECOND_LINE),
        (SIGNED.replace(b"Ag==", b"Ag="), "line 4: 88 characters of base64"),
    ],
    ids=["long", "empty", "prefix", "crlf", "escape", "comment", "kind", "spare bits", "padding"],
)
def test_a_signature_that_is_not_minisigns_is_refused(data: bytes, expected: str) -> None:
    assert refusal(InputError, lambda: Signature.parse(data, "s")) == (
        f"the signature is not minisign's\n  where:    s\n  expected: {expected}"
    )


def test_a_signature_that_is_too_large_or_no_text_is_refused() -> None:
    assert refusal(InputError, lambda: Signature.parse(b"x" * (MAX_FILE + 1), "s")) == (
        f"the signature is too large\n  where:    s\n  expected: at most {MAX_FILE} bytes"
    )
    assert refusal(InputError, lambda: Signature.parse(SIGNED.replace(b"file", b"\xff"), "s")) == (
        "the signature is not UTF-8\n  where:    s"
    )


def test_a_signature_shows_who_made_it() -> None:
    assert signature(b"x").id == ALICE.public.id == "0101010101010101"
