"""What a trusted comment binds, and what it says to people."""

import pytest

from bitproof.errors import InputError, IntegrityError
from bitproof.trust.comment import check_comment, is_developers, named_assets, print_comment, signed_at
from tests.evidence import refusal

COMMENT = print_comment("manifest.json", 1776211200, "2026.0415.1")


def test_a_comment_of_its_own_file_and_version_is_accepted() -> None:
    check_comment(COMMENT, "s", name="manifest.json", assets="2026.0415.1")
    assert named_assets(COMMENT)


@pytest.mark.parametrize("comment", ["", "hello", "hashed", "file", "timestamp:5", "file:manifest.json\thashed"])
def test_what_a_comment_does_not_say_is_not_missed(comment: str) -> None:
    check_comment(comment, "s", name="manifest.json", assets="2026.0415.1")
    assert not named_assets(comment)


@pytest.mark.parametrize(
    ("name", "assets", "expected", "found"),
    [
        ("other.json", "", "file:other.json", "file:manifest.json"),
        ("manifest.json", "2026.0415.10", "assets:2026.0415.10", "assets:2026.0415.1"),
    ],
)
def test_a_comment_of_another_file_or_version_is_refused(name: str, assets: str, expected: str, found: str) -> None:
    assert refusal(IntegrityError, lambda: check_comment(COMMENT, "m.minisig", name=name, assets=assets)) == (
        "the signature was made for something else\n"
        "  where:    m.minisig\n"
        f"  expected: {expected} in the trusted comment\n"
        f"  found:    '{found}'"
    )


def test_a_field_that_stands_twice_has_to_be_right_twice() -> None:
    with pytest.raises(IntegrityError):
        check_comment("file:manifest.json\tfile:other", "s", name="manifest.json")


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x1b", "x" * 8200, "\udcff"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    assert refusal(InputError, lambda: print_comment(name, 0)).startswith(
        "the file's name does not fit into a trusted comment\n  where:    '"
    )


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("timestamp:0", "1970-01-01 00:00:00 UTC"),
        ("hashed\ttimestamp:253402300799", "9999-12-31 23:59:59 UTC"),
        ("timestamp:253402300800", ""),
        ("timestamp:" + "9" * 5000, ""),
        ("timestamp:-1", ""),
        ("timestamp:٣", ""),
        ("timestamp", ""),
    ],
)
def test_a_time_is_shown_when_there_is_one(comment: str, said: str) -> None:
    assert signed_at(comment) == said


def test_a_developers_comment_says_so() -> None:
    made = print_comment("manifest.json", 0, "1", developer=True)
    assert made == "timestamp:0\tfile:manifest.json\thashed\tassets:1\tdeveloper"
    assert is_developers(made)
    assert not is_developers(COMMENT)
