import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, InputError, Problem
from bitproof.model.decode import MAX_DEPTH, MAX_JSON, MAX_TOML, Table, child, kind, nearest, parse_json, parse_toml


def refusal(parse: Callable[[bytes, str], object], data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse(data, "f")
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xfe{\x00}\x00", "the file is not UTF-8\n  where:    f\n  found:    byte 0xff at 0"),
        (
            b'{"a": "\xed\xa0\x80"}',
            "the file is not UTF-8\n  where:    f\n  found:    byte 0xed at 7",
        ),
        (
            b"\xef\xbb\xbf{}",
            "the file begins with a byte order mark\n  where:    f\n  expected: UTF-8 without a BOM",
        ),
        (b"", "the file is not JSON\n  where:    f\n  found:    Expecting value: line 1 column 1 (char 0)"),
        (b"{} {}", "the file is not JSON\n  where:    f\n  found:    Extra data: line 1 column 4 (char 3)"),
        (b"[" * 100_000, "the file is nested too deep\n  where:    f\n  expected: at most 32 levels"),
        (b"[]", "the file is not acceptable JSON\n  where:    f\n  - the document is not an object: found an array"),
        (b"true", "the file is not acceptable JSON\n  where:    f\n  - the document is not an object: found a boolean"),
        (
            b'{"a": {"b": 1, "b": 2, "c": 0, "b": 3, "d": 4, "d": 5}}',
            (
                "the file is not acceptable JSON\n  where:    f\n"
                "  - a.b: the key stands more than once\n"
                "  - a.d: the key stands more than once"
            ),
        ),
        (
            b'{"a": NaN, "b": [Infinity, -Infinity], "c": 1e400, "d": -1e400}',
            (
                "the file is not acceptable JSON\n  where:    f\n"
                "  - a: not a JSON number: found NaN\n"
                "  - b[0]: not a JSON number: found Infinity\n"
                "  - b[1]: not a JSON number: found -Infinity\n"
                "  - c: the number is too large\n"
                "  - d: the number is too large"
            ),
        ),
        (
            b'{"a": ["\\ud800"], "\\uDC00": 1, "x": "\\ud83d\\ude00"}',
            (
                "the file is not acceptable JSON\n  where:    f\n"
                "  - a[0]: half a surrogate pair: found \\ud800\n"
                "  - ['\\udc00']: half a surrogate pair: found \\udc00"
            ),
        ),
    ],
)
def test_what_strict_json_forbids_is_refused(data: bytes, sentence: str) -> None:
    assert refusal(parse_json, data) == sentence


def test_json_over_16_mib_is_refused() -> None:
    data = b'{"a": "' + b"x" * MAX_JSON + b'"}'
    assert refusal(parse_json, data) == "the file is too large\n  where:    f\n  expected: at most 16777216 bytes"
    assert parse_json(b"{}" + b" " * (MAX_JSON - 2), "f") == {}


def test_a_long_key_costs_no_more_than_its_length() -> None:
    document = b'{"%s": [%sNaN]}' % (b"k" * 8_000_000, b"null," * 1_000_000)
    began = time.monotonic()
    sentence = refusal(parse_json, document)
    assert time.monotonic() - began < 60  # with the key in each path: hours
    assert sentence == (
        f"the file is not acceptable JSON\n  where:    f\n  - ['{'k' * 78}…][1000000]: not a JSON number: found NaN"
    )


def test_json_may_be_32_levels_deep_and_no_more() -> None:
    deep = b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert list(parse_json(deep, "f")) == ["a"]
    deeper = b'{"a": ' + b"[" * MAX_DEPTH + b'"\\ud800"' + b"]" * MAX_DEPTH + b"}"
    assert refusal(parse_json, deeper) == (
        "the file is not acceptable JSON\n  where:    f\n"
        f"  - a{'[0]' * (MAX_DEPTH - 1)}: nested too deep: expected at most 32 levels"
    )


def test_half_a_million_repeated_keys_do_not_take_quadratic_time() -> None:
    keys = b",".join(b'"%d":0' % number for number in range(500_000))
    assert refusal(parse_json, b'{"7":1,' + keys + b"}").endswith("  - 7: the key stands more than once")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff", "the file is not UTF-8\n  where:    f\n  found:    byte 0xff at 0"),
        (
            b"\xef\xbb\xbfa = 1",
            "the file begins with a byte order mark\n  where:    f\n  expected: UTF-8 without a BOM",
        ),
        (
            b"a = 1\na = 2",
            "the file is not TOML\n  where:    f\n  found:    Cannot overwrite a value (at end of document)",
        ),
        (b"a = " + b"[" * 100_000, "the file is nested too deep\n  where:    f"),
        (b"x = 1\n" + b"a." * 16 + b"a = 1", "a key has too many parts\n  where:    f:2\n  expected: at most 16 parts"),
        (b"[" + b"a." * 16 + b"a]", "a key has too many parts\n  where:    f:1\n  expected: at most 16 parts"),
        (
            b"x = {" + b" a ." * 16 + b' "a b"=1}',
            "a key has too many parts\n  where:    f:1\n  expected: at most 16 parts",
        ),
        (
            b'"a" . ' * 16 + b"'a' = 1",
            "a key has too many parts\n  where:    f:1\n  expected: at most 16 parts",
        ),
        (
            ".".join(['"\\""'] * 400).encode() + b" = 1",
            "a line has too many dots\n  where:    f:1\n  expected: at most 256",
        ),
        (
            b"x = 1\n" + '"\u2028".'.encode() * 300 + b"a = 1",
            "a line has too many dots\n  where:    f:2\n  expected: at most 256",
        ),
    ],
)
def test_what_strict_toml_forbids_is_refused(data: bytes, sentence: str) -> None:
    assert refusal(parse_toml, data) == sentence


def test_a_line_end_of_unicode_does_not_hide_a_long_key() -> None:
    data = (b"a." * 10) + '"\u2028".'.encode() + b"a." * 10 + b"a = 1"
    assert refusal(parse_toml, data) == "a key has too many parts\n  where:    f:1\n  expected: at most 16 parts"


def test_toml_over_a_mebibyte_is_refused() -> None:
    data = b"#" * (MAX_TOML + 1)
    assert refusal(parse_toml, data) == "the file is too large\n  where:    f\n  expected: at most 1048576 bytes"


def test_a_key_of_16_parts_and_dots_in_values_are_read() -> None:
    data = b"a." * 15 + b'a = 1\nb = "' + b"a." * 20 + b'a"\n'
    assert set(parse_toml(data, "f")) == {"a", "b"}


def test_a_megabyte_of_dots_does_not_take_quadratic_time() -> None:
    parts = b"a." * 250 + b"\n"
    assert parse_toml((b"# " + parts) * 1500, "f") == {}


@pytest.mark.parametrize(
    ("path", "key", "joined"),
    [
        ("", "a", "a"),
        ("a", "b-c_1", "a.b-c_1"),
        ("a", "2026.0415.1", 'a["2026.0415.1"]'),
        ("", "x y", '["x y"]'),
        ("a", "\x1b", "a['\\x1b']"),
        ("a", "", 'a[""]'),
        ("a", 3, "a[3]"),
    ],
)
def test_a_path_names_its_place(path: str, key: str | int, joined: str) -> None:
    assert child(path, key) == joined


def test_a_type_has_the_words_of_the_format() -> None:
    values: list[object] = [None, True, 1, 1.5, "", {}, [], b""]
    words = ["null", "a boolean", "an integer", "a number", "a string", "a table", "an array", "bytes"]
    assert [kind(value) for value in values] == words


def table(**values: object) -> Table:
    return Table(values, "t", [])


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        (lambda t: t.text("none"), "t.none: missing: expected a string"),
        (lambda t: t.text("flag"), "t.flag: the wrong type: expected a string, found a boolean, True"),
        (lambda t: t.text("null", "x"), "t.null: the wrong type: expected a string, found null, None"),
        (lambda t: t.integer("flag", 0, 9), "t.flag: the wrong type: expected an integer, found a boolean, True"),
        (lambda t: t.integer("real", 0, 9), "t.real: the wrong type: expected an integer, found a number, 1.0"),
        (lambda t: t.integer("none", 0, 9), "t.none: missing: expected an integer"),
        (lambda t: t.integer("ten", 0, 9), "t.ten: out of range: expected 0 to 9, found 10"),
        (lambda t: t.integer("huge", 0, 9), "t.huge: out of range: expected 0 to 9, found a number too long to print"),
        (
            lambda t: t.text("huge"),
            "t.huge: the wrong type: expected a string, found an integer, a number too long to print",
        ),
        (lambda t: t.flag("ten", default=False), "t.ten: the wrong type: expected a boolean, found an integer, 10"),
        (lambda t: t.choice("word", ("a", "b")), "t.word: not a known value: expected a or b, found 'w'"),
        (lambda t: t.choice("ten", ("a", "b")), "t.ten: the wrong type: expected a string, found an integer, 10"),
        (lambda t: t.parsed("word", int, 0), "t.word: invalid literal for int() with base 10: 'w'"),
        (lambda t: t.parsed("none", int, 0), "t.none: missing: expected a string"),
        (lambda t: t.parsed("ten", int, 0), "t.ten: the wrong type: expected a string, found an integer, 10"),
        (lambda t: t.texts("word"), "t.word: the wrong type: expected an array, found a string, 'w'"),
        (lambda t: t.texts("mixed"), "t.mixed[1]: the wrong type: expected a string, found an integer"),
        (
            lambda t: t.texts("mixed", _no),
            "t.mixed[0]: no\nt.mixed[1]: the wrong type: expected a string, found an integer",
        ),
        (lambda t: t.table("word"), "t.word: the wrong type: expected a table, found a string, 'w'"),
        (lambda t: list(t.tables()), None),
        (
            lambda t: t.only("words", "flag", "null", "ten", "real", "huge", "mixed"),
            "t.word: not a known key: expected 'words'",
        ),
    ],
)
def test_a_getter_notes_the_problem_and_goes_on(read: Callable[[Table], object], problem: str | None) -> None:
    asked = table(flag=True, null=None, ten=10, real=1.0, huge=1 << 20_000, word="w", mixed=["m", 1])
    read(asked)
    if problem is None:
        assert len(asked.problems) == len(asked.values)
        assert asked.problems[2] == Problem("t.ten", "the wrong type", expected="a table", found="an integer, 10")
    else:
        assert "\n".join(map(str, asked.problems)) == problem


def _no(_: str) -> str:
    raise ValueError("no")


def test_a_getter_gives_what_is_there_or_the_default() -> None:
    asked = table(word="w", ten=10, flag=True, list=["a"], inner={"x": {}})
    assert (asked.text("word"), asked.text("none", "d")) == ("w", "d")
    assert (asked.integer("ten", 0, 10), asked.integer("none", 0, 10, 5)) == (10, 5)
    assert (asked.flag("flag", default=False), asked.flag("none", default=False)) == (True, False)
    assert (asked.choice("word", ("w",)), asked.choice("none", ("w", "d"), "d")) == ("w", "d")
    assert (asked.parsed("word", str.upper, ""), asked.parsed("none", str.upper, "D", required=False)) == ("W", "D")
    assert (asked.texts("list"), asked.texts("none")) == (("a",), ())
    assert [name for name, _ in asked.table("inner").tables()] == ["x"]
    assert asked.table("none", required=False).values == {}
    asked.only("word", "ten", "flag", "list", "inner")
    assert asked.problems == []


def test_an_unknown_word_gets_the_nearest_known_one() -> None:
    assert nearest("compresion", ("level", "compression")) == "'compression'"
    assert nearest("zzz", ("level", "compression")) == "one of compression, level"


@given(st.binary() | st.text().map(str.encode) | st.from_regex(rb'[\[\]{}a."=\n 0-9\\ut-]*', fullmatch=True))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_json, parse_toml):
        try:
            assert isinstance(parse(data, "f"), dict)
        except BitproofError as error:
            assert str(error).splitlines()[1].startswith("  where:    f")  # noqa: PT017 - every error must say where
