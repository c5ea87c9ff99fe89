from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError
from bitproof.model.version import Version, mint

DAY = date(2026, 4, 15)
VERSIONS = st.from_regex(r"[A-Za-z0-9]?[0-9]{0,2}[a-c0.]{0,6}", fullmatch=True).filter(
    lambda text: text[:1].isalnum()
) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026.0415.9", "2026.0415.10"),
        ("2026.0999.1", "2026.1001.1"),
        ("1.0.9", "1.0.1776269479"),
        ("1.9", "1.10"),
        ("1", "1.0.1"),
        ("1.0.rc1", "1.0"),
        ("1.0.rc1", "1.0.0"),
        ("1.0.alpha", "1.0.beta"),
        ("1..1", "1.0.1"),
        ("x", "0"),
    ],
)
def test_versions_are_never_compared_as_text(older: str, newer: str) -> None:
    assert Version(older) < Version(newer)
    assert Version(newer) > Version(older)
    assert Version(newer) >= Version(older)
    assert Version(newer) != Version(older)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0.0"), ("1", "1.0.0.0"), ("2026.0415.1", "2026.415.01")])
def test_missing_parts_are_zero(one: str, other: str) -> None:
    assert Version(one) == Version(other)
    assert hash(Version(one)) == hash(Version(other))


def test_a_version_keeps_its_text_and_never_changes() -> None:
    version = Version("2026.0415.1")
    assert (str(version), repr(version)) == ("2026.0415.1", "Version('2026.0415.1')")
    with pytest.raises(AttributeError, match=r"^a Version is frozen, text cannot be set$"):
        version.text = "2"


def test_a_version_is_no_text() -> None:
    other: Any = "1.0"
    assert Version("1.0") != other
    with pytest.raises(TypeError):
        assert Version("1.0") < other


@pytest.mark.parametrize("text", ["", "../1", "1\n", "٣", "1" * 129])
def test_a_version_is_a_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a name: expected 1 to 128 characters"):
        Version(text)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(one: str, two: str, three: str) -> None:
    a, b, c = sorted(map(Version, (one, two, three)))
    assert a <= b <= c
    assert a <= c
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a == b) == (not a < b and not b < a)
    assert (hash(a) == hash(b)) or a != b


@pytest.mark.parametrize(
    ("binary", "line"),
    [("1.0.1776269479", "1.0.0"), ("0.6.5.4", "0.6.0"), ("1.0", "1.0"), ("7", "7"), ("1.0.", "1.0."), ("1..x", "1..0")],
)
def test_the_release_line_is_major_minor_0(binary: str, line: str) -> None:
    assert str(Version(binary).release_line) == line


@given(st.from_regex(r"[A-Za-z0-9][0-9.]{0,127}", fullmatch=True))
def test_every_version_has_a_release_line(text: str) -> None:
    assert Version(text).release_line.release_line == Version(text).release_line


@pytest.mark.parametrize(
    ("taken", "minted"),
    [
        ([], "2026.0415.1"),
        (["2026.0414.70"], "2026.0415.1"),
        (["2026.0415.9", "2026.0415.10"], "2026.0415.11"),
        (["2026.415.3"], "2026.0415.4"),
        (["2026.0415"], "2026.0415.1"),
        (["2026.0415.rc"], "2026.0415.1"),
        (["2026", "2027.0415.9"], "2026.0415.1"),
    ],
)
def test_the_next_patch_is_one_above_the_highest_of_that_day(taken: list[str], minted: str) -> None:
    assert str(mint(DAY, map(Version, taken))) == minted


def test_minting_is_refused_when_no_name_is_left() -> None:
    full = "2026.0415." + "9" * 118
    with pytest.raises(InputError) as caught:
        mint(DAY, [Version(full)])
    assert str(caught.value) == (
        "no asset version is left for 2026-04-15\n"
        "  found:    not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, "
        f"found '2026.0415.1{'0' * 67}…"
    )
