"""The comparison itself: a transcript that is wrong must not pass."""

import pytest

from tests.docs.console import Matcher, Step, read_settings, read_steps, script, split_output

A, B, C, D = (digit * 64 for digit in "abcd")


def test_a_command_goes_on_over_lines_and_its_output_follows() -> None:
    text = "```console\n$ cat <<END\n> one\n> END\none\n$ true\n```\n\n```sh\n$ not this\n```\n"
    assert read_steps(text) == [Step("cat <<END\none\nEND", "one\n"), Step("true", "")]


def test_settings_are_the_words_of_the_comment() -> None:
    assert read_settings("# A\n\n<!-- console: built, recorded -->\n") == {"built", "recorded"}
    assert read_settings("# A\n") == frozenset()


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("a … c\n", "a b c\n"),
        ("a\n…\nd\n", "a\nb\nc\nd\n"),
        ("a\n…\nd\n", "a\nd\n"),
        (f"{A} x\nx-{A[:16]}.img\n", f"{B} x\nx-{B[:16]}.img\n"),
        ("1.3 MB, 1311208 bytes, 812 ms\n", "84.6 MB, 84617640 bytes, 9 ms\n"),
        ("ends with spaces\n", "ends with spaces   \n"),
    ],
)
def test_what_may_vary_matches(expected: str, actual: str) -> None:
    assert Matcher().matches(Step("", expected), actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("a\n", "b\n"),
        ("a\n", "a\nb\n"),
        ("a\n", ""),
        (f"{A}\n{A}\n", f"{B}\n{C}\n"),
        (f"{A}\n{B}\n", f"{C}\n{C}\n"),
        (f"{A} x-{A[:16]}\n", f"{B} x-{C[:16]}\n"),
        ("2026.0415.1\n", "2026.0415.2\n"),
        ("1.0.1776269479\n", "1.0.1776269480\n"),
    ],
)
def test_what_may_not_vary_does_not_match(expected: str, actual: str) -> None:
    assert not Matcher().matches(Step("", expected), actual)


def test_a_digest_means_the_same_in_a_later_command() -> None:
    matcher = Matcher()
    assert matcher.matches(Step("", f"{A}\n"), f"{B}\n")
    assert matcher.matches(Step("", f"{A} {C}\n"), f"{B} {D}\n")
    assert not matcher.matches(Step("", f"{A}\n"), f"{D}\n")


def test_outputs_and_codes_are_told_apart() -> None:
    assert "false" in script([Step("false", "")], "MARK")
    assert split_output("a\nb\n\nMARK 0\n\nMARK 7\n", "MARK") == [("a\nb\n", 0), ("", 7)]
