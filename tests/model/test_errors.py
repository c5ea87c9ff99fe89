import pytest

from bitproof.errors import BitproofError, InputError, IntegrityError, Problem, UnavailableError, shown


def test_an_error_writes_one_fact_a_line() -> None:
    error = IntegrityError(
        "the asset differs",
        where="a/vmlinuz",
        expected="blake3:1",
        found="blake3:2",
        fix="bitproof assets install",
        problems=[Problem("a", "missing")],
        details=["last line"],
    )
    assert str(error) == (
        "the asset differs\n"
        "  where:    a/vmlinuz\n"
        "  expected: blake3:1\n"
        "  found:    blake3:2\n"
        "  - a: missing\n"
        "  | last line\n"
        "  fix:      bitproof assets install"
    )


def test_an_error_says_nothing_of_what_it_does_not_know() -> None:
    assert str(BitproofError("it failed")) == "it failed"


def test_each_kind_of_error_has_its_exit_code() -> None:
    codes = {kind.kind: kind.exit_code for kind in (IntegrityError, InputError, UnavailableError)}
    assert codes == {"integrity": 1, "input": 2, "unavailable": 3}


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("a.b", "missing"), "a.b: missing"),
        (Problem("", "missing"), "missing"),
        (Problem("a", "out of range", expected="1 to 2", found="3"), "a: out of range: expected 1 to 2, found 3"),
        (Problem("a", "out of range", found="3"), "a: out of range: found 3"),
        (Problem("a.b", "missing").within("f.toml"), "f.toml: a.b: missing"),
        (Problem("", "missing", expected="a string").within("f.toml"), "f.toml: missing: expected a string"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, line: str) -> None:
    assert str(problem) == line
    assert repr(problem) == f"Problem({line!r})"


def test_problems_that_say_the_same_are_equal() -> None:
    assert Problem("a: b", "c") == Problem("a", "b: c")
    assert len({Problem("a: b", "c"), Problem("a", "b: c")}) == 1
    assert Problem("a", "b") != "a: b"


def test_a_quoted_value_is_cut_to_a_line_of_a_terminal() -> None:
    assert shown("short\x1b") == "'short\\x1b'"
    assert shown("x" * 100) == "'" + "x" * 78 + "…"
    assert shown(1 << 20_000) == "a number too long to print"
