import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.model.digest import Digest

HEX = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.parametrize("text", [HEX, HEX.upper(), f"blake3:{HEX}", f"BLAKE3:{HEX.upper()}"])
def test_upper_case_and_a_tag_are_the_same_value(text: str) -> None:
    assert Digest.parse(text) == Digest("blake3", HEX)


def test_a_digest_is_printed_in_full() -> None:
    digest = Digest("sha256", HEX)
    assert (str(digest), repr(digest), digest.hash16) == (f"sha256:{HEX}", f"Digest('sha256:{HEX}')", HEX[:16])


def test_the_same_digits_of_two_algorithms_are_not_equal() -> None:
    assert Digest("sha256", HEX) != Digest("blake3", HEX)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"sha256:{HEX}", "unsupported algorithm 'sha256', this digest must be blake3"),
        (f":{HEX}", "unsupported algorithm '', this digest must be blake3"),
        (f"blake3:blake3:{HEX}", "unsupported algorithm 'blake3:blake3', this digest must be blake3"),
        ("", "not 64 hex digits: ''"),
        (HEX[:63], f"not 64 hex digits: '{HEX[:63]}'"),
        (HEX[:63] + "g", f"not 64 hex digits: '{HEX[:63]}g'"),
        (HEX + "\n", f"not 64 hex digits: '{HEX}\\n'"),
        (" " + HEX[1:], f"not 64 hex digits: ' {HEX[1:]}'"),
        ("٣" * 64, f"not 64 hex digits: '{'٣' * 64}'"),
        ("x" * 9999, f"not 64 hex digits: '{'x' * 78}…"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Digest.parse(text)


def test_an_unknown_algorithm_is_refused() -> None:
    unknown: Any = "md5"
    with pytest.raises(ValueError, match=r"^unsupported algorithm 'md5'$"):
        Digest(unknown, HEX)


@given(st.text() | st.from_regex(r"(blake3:)?[0-9a-fA-F]{60,66}", fullmatch=True))
def test_parsing_never_fails_otherwise(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except ValueError:
        return
    assert Digest.parse(str(digest)) == digest
    assert digest.value == text.rpartition(":")[2].lower()
