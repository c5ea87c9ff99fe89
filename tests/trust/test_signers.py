"""What a store remembers of who signs."""

import pytest

from bitproof.errors import InputError
from bitproof.trust.signers import Signers, parse_signers
from tests.evidence import refusal

from .keys import ALICE, BOB, publics


@pytest.mark.parametrize("signers", [Signers(), Signers(publics(ALICE)), Signers(publics(ALICE, BOB))])
def test_a_list_round_trips(signers: Signers) -> None:
    assert parse_signers(signers.to_bytes(), "s") == signers


def test_the_file_is_text_for_people() -> None:
    assert Signers(publics(ALICE)).to_bytes().decode() == (
        "# Who signs this store's manifest. Without this file, an unsigned one is accepted again.\n"
        f"{ALICE.public.text()}  # 0101010101010101\n"
    )


@pytest.mark.parametrize("data", [b"", b"# nobody\n", b"\xff", b"x" * 20_000, ("# é\n" + ALICE.public.text()).encode()])
def test_a_list_of_nobody_is_refused_and_never_means_anyone(data: bytes) -> None:
    said = refusal(InputError, lambda: parse_signers(data, "s"))
    assert said == (
        "the store's list of signers is not usable\n"
        "  where:    s\n"
        "  expected: public keys, or the word anyone\n"
        "  fix:      install again with --require-signature; or remove it, and unsigned manifests are accepted again"
    )


@pytest.mark.parametrize("word", ["nobody", "anyone else", "RW"])
def test_a_word_that_is_no_key_is_refused(word: str) -> None:
    said = refusal(InputError, lambda: parse_signers(f"{ALICE.public.text()}\n{word}\n".encode(), "s"))
    assert said.startswith("not a public key of minisign\n  where:    s\n")
    with pytest.raises(InputError):
        parse_signers(f"anyone\n{ALICE.public.text()}\n".encode(), "s")


def test_signers_are_widened_while_one_list_takes_the_place_of_the_other() -> None:
    alice, bob = Signers(publics(ALICE)), Signers(publics(BOB))
    assert alice.widened(bob) == Signers(publics(ALICE, BOB))
    assert alice.widened(alice) == alice
    assert Signers().widened(alice) == alice.widened(Signers()) == Signers()


def test_an_error_says_who_may_sign() -> None:
    assert str(Signers(publics(ALICE, BOB))) == "a signature by key 0101010101010101 or 0202020202020202"
    assert str(Signers()) == "a signature"
