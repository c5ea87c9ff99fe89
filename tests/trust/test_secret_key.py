"""Secret keys: sealed and opened, refused, and never shown."""

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, InputError, UnavailableError
from bitproof.trust.secret_key import SENSITIVE, Cost, SealedKey, SecretKey, check_password, seal, unsealed
from tests.evidence import refusal

from .keys import ALICE, BOB, CHEAP

PASSWORD = b"hunter2"
SALT = bytes(range(32))
MINISIGN_W = b"""untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAezZdid8epEG/4C4V3w6RcTs/0lTD0VLcP7uPCwF3NqJALnbq\
7FJ5Iv5zvOBpGMwrroxGhdWjK5tFIOS+SMl/ZbSJcIa2wkDHAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
"""
"""Of minisign -G -W: no checksum. Its public half is in test_minisign."""


def spoiled(sealed: bytes, index: int, value: bytes) -> bytes:
    """A secret key file with other bytes at a place of its layout."""
    comment, text = sealed.splitlines()
    raw = bytearray(base64.b64decode(text))
    raw[index : index + len(value)] = value
    return comment + b"\n" + base64.b64encode(raw) + b"\n"


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_every_key_comes_back_from_a_file_without_a_password(key_id: bytes, seed: bytes) -> None:
    key = SecretKey(key_id, seed)
    data = unsealed(key).to_bytes()
    found = SealedKey.parse(data, "k")
    assert found.opened(b"", "k") == key
    assert found.to_bytes() == data


@pytest.mark.parametrize("password", [b"p", b"x" * 1023, "pässwörd".encode()])
def test_a_key_comes_back_with_its_password_and_with_no_other(password: bytes) -> None:
    data = seal(ALICE, password=password, salt=SALT, cost=CHEAP).to_bytes()
    found = SealedKey.parse(data, "alice.key")
    assert found.cost == CHEAP
    assert found.opened(password, "alice.key") == ALICE
    assert refusal(InputError, lambda: found.opened(password + b" ", "alice.key")) == (
        "the password is wrong, or the secret key is damaged\n  where:    alice.key"
    )


def test_what_minisign_made_without_a_password_is_read_though_it_has_no_checksum() -> None:
    key = SealedKey.parse(MINISIGN_W, "k").opened(b"", "k")
    assert key.public.text() == "RWR7Nl2J3x6kQf5zvOBpGMwrroxGhdWjK5tFIOS+SMl/ZbSJcIa2wkDH"


def test_a_damaged_key_is_refused() -> None:
    checked = spoiled(unsealed(ALICE).to_bytes(), 62, b"x")
    unchecked = spoiled(MINISIGN_W, 62, b"x")
    assert refusal(InputError, lambda: SealedKey.parse(checked, "k").opened(b"", "k")) == (
        "the secret key is damaged\n  where:    k"
    )
    assert refusal(InputError, lambda: SealedKey.parse(unchecked, "k").opened(b"", "k")) == (
        "the secret key is damaged\n  where:    k\n  expected: two halves of one key"
    )


@pytest.mark.parametrize("place", [0, 2, 4])
def test_other_algorithms_are_refused_and_nothing_is_quoted(place: int) -> None:
    data = spoiled(unsealed(ALICE).to_bytes(), place, b"xx")
    assert refusal(InputError, lambda: SealedKey.parse(data, "k")) == (
        "not a secret key of minisign\n  where:    k\n  expected: 212 characters of base64 that begin with RW"
    )


@given(st.binary(max_size=300))
def test_no_bytes_at_all_do_anything_but_parse_or_be_refused(data: bytes) -> None:
    for prefix in (b"", b"untrusted comment: x\n", b"untrusted comment: x\nRWQ"):
        with pytest.raises(InputError):
            SealedKey.parse(prefix + data, "k")


@pytest.mark.parametrize("cost", [Cost(1 << 28, 1 << 30), Cost(1 << 40, 1 << 40), Cost(1 << 63, 0), Cost(1 << 27, 0)])
def test_a_key_file_cannot_ask_for_more_than_a_gibibyte_or_minutes(cost: Cost) -> None:
    numbers = b"".join(number.to_bytes(8, "little") for number in cost)
    data = spoiled(seal(ALICE, password=b"p", salt=SALT, cost=CHEAP).to_bytes(), 38, numbers)
    assert refusal(InputError, lambda: SealedKey.parse(data, "k")) == (
        "the secret key wants too much of scrypt\n  where:    k\n  expected: at most 1 GiB, p 4"
    )


def picked(operations: int, memory: int) -> tuple[int, int]:
    """N and p as libsodium's loop finds them (pickparams of pwhash_scryptsalsa208sha256.c)."""
    operations = max(operations, 32768)
    small = operations < memory // 32
    limit = operations // 32 if small else memory // 1024
    power = next((power for power in range(1, 63) if 1 << power > limit // 2), 63)
    return 1 << power, 1 if small else min(operations // 4 // (1 << power), 0x3FFFFFFF) // 8


@given(st.integers(0, 1 << 63), st.integers(0, 1 << 63))
def test_the_numbers_of_scrypt_are_libsodiums(operations: int, memory: int) -> None:
    assert Cost(operations, memory).scrypt() == picked(operations, memory)


def test_minisigns_default_is_accepted() -> None:
    numbers = b"".join(number.to_bytes(8, "little") for number in SENSITIVE)
    data = spoiled(seal(ALICE, password=b"p", salt=SALT, cost=CHEAP).to_bytes(), 38, numbers)
    assert SealedKey.parse(data, "k").cost == SENSITIVE


def test_a_password_that_cannot_be_tried_says_what_it_needs() -> None:
    impossible = SealedKey(Cost(1 << 40, 1 << 40), SALT, bytes(104))
    assert refusal(UnavailableError, lambda: impossible.opened(b"p", "k")) == (
        "the password cannot be tried\n  expected: 1048577 MiB of memory\n  fix:      free some memory"
    )


@pytest.mark.parametrize("password", [b"", b"x" * 1024, b"a\0b", b"a\nb", b"a\r"])
def test_a_password_that_minisign_could_not_read_back_is_refused(password: bytes) -> None:
    said = "not a usable password\n  expected: 1 to 1023 bytes on one line"
    assert refusal(InputError, lambda: check_password(password)) == said
    assert refusal(InputError, lambda: seal(ALICE, password=password, salt=SALT, cost=CHEAP)) == said


def shows(text: str, key: SecretKey) -> bool:
    body = unsealed(key).to_bytes().splitlines()[1].decode()
    return any(secret in text for secret in (str(key.seed), key.seed.hex(), body[:130], str(key.seed)[2:-1]))


def test_no_repr_and_no_error_shows_a_secret() -> None:
    sealed, opened = seal(BOB, password=PASSWORD, salt=SALT, cost=CHEAP), unsealed(BOB)
    assert not any(shows(repr(one), BOB) for one in (BOB, sealed, opened))
    assert shows(repr(BOB.seed), BOB), "the check finds what it looks for"
    for call in (
        lambda: sealed.opened(PASSWORD + b"3", "k"),
        lambda: SealedKey.parse(opened.to_bytes() + b"x", "k"),
        lambda: SealedKey.parse(opened.to_bytes()[:-9], "k"),
        lambda: SealedKey.parse(b"x" + opened.to_bytes(), "k"),
    ):
        with pytest.raises(BitproofError) as caught:
            call()
        told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert not shows(told, BOB)
        assert PASSWORD.decode() not in told
