"""Strict reading of JSON and TOML, and typed getters that note *every* problem with its path.

What it refuses follows FORMATS section 1: sizes are capped before parsing, text is strict UTF-8, duplicate keys, NaN
and deep nesting are problems. What it leaves out: what the values mean, which is each document's own.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from bitproof.errors import InputError, Problem, shown

T = TypeVar("T")

MAX_JSON = 16 << 20
MAX_TOML = 1 << 20
MAX_DEPTH = 32
MAX_KEY = 256
"""Characters of the longest key that a path quotes in full: twice the longest name (FORMATS section 1)."""
MAX_KEY_PARTS = 16
MAX_DOTS = 256
"""Dots in one line of TOML: what bounds tomllib's quadratic time whichever way a long key is quoted."""

_PLAIN = frozenset((str, int, bool, type(None)))
_BOM = b"\xef\xbb\xbf"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = rf"(?<![A-Za-z0-9_.-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{MAX_KEY_PARTS},}}+[ \t]*+[=\]]"


def child(path: str, key: str | int) -> str:
    """The path of a value below ``path``: ``assets.releases["2026.0415.1"]``, ``packages[0]``.

    A key longer than any name is cut: in a hostile file it would be copied into the path of each of a million values.
    """
    if isinstance(key, int):
        return f"{path}[{key}]"
    if len(key) > MAX_KEY or not key.isprintable():
        return f"{path}[{shown(key)}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def kind(value: object) -> str:
    """A value's type in the words of JSON and TOML."""
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        dict: "a table",
        list: "an array",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def decode_text(data: bytes, where: str, limit: int) -> str:
    """Strict UTF-8 without a BOM, at most ``limit`` bytes.

    Raises:
        InputError: naming ``where``.
    """
    if len(data) > limit:
        raise InputError("the file is too large", where=where, expected=f"at most {limit} bytes")
    if data.startswith(_BOM):
        raise InputError("the file begins with a byte order mark", where=where, expected="UTF-8 without a BOM")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not UTF-8", where=where, found=f"byte 0x{data[error.start]:02x} at {error.start}"
        ) from None


class _Duplicates(dict[str, object]):
    """An object in which keys stood twice; `_faults` turns them into problems with a path."""

    repeated: tuple[str, ...] = ()


class _Constant:
    """NaN, Infinity or -Infinity, which are not JSON."""

    def __init__(self, text: str) -> None:
        self.text = text


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counted = Counter(key for key, _ in pairs)
    marked = _Duplicates(value)
    marked.repeated = tuple(key for key, count in counted.items() if count > 1)
    return marked


def parse_json(data: bytes, where: str) -> dict[str, object]:
    """A JSON document whose root is an object, read strictly.

    Raises:
        InputError: not UTF-8, a BOM, too large or nested too deep, not JSON, duplicate keys, NaN or infinite numbers.
    """
    import json

    text = decode_text(data, where, MAX_JSON)
    try:
        value: object = json.loads(text, object_pairs_hook=_pairs, parse_constant=_Constant)
    except RecursionError:
        raise InputError("the file is nested too deep", where=where, expected=f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise InputError("the file is not JSON", where=where, found=str(error)) from None
    problems = [] if _is_plain(value) else list(_faults(value, "", 1))
    if not isinstance(value, dict):
        problems.append(Problem("", "the document is not an object", found=kind(value)))
    if "\\ud" in text or "\\uD" in text:
        problems += _surrogates(value, "", 1)
    if problems:
        raise InputError("the file is not acceptable JSON", where=where, problems=problems)
    return cast("dict[str, object]", value)


def _is_plain(value: object) -> bool:
    """Whether there is surely nothing for `_faults` to find: a level at a time, and no path is written."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return True
        if not {type(outer) for outer in level} <= {dict, list}:
            return False
        entries = (outer.values() if type(outer) is dict else outer for outer in level)
        level = [inner for values in entries for inner in values if type(inner) not in _PLAIN]
    return False


def _faults(value: object, path: str, depth: int) -> Iterator[Problem]:
    """What strict JSON forbids and the standard parser lets through."""
    if isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            yield Problem(path, "nested too deep", expected=f"at most {MAX_DEPTH} levels")
            return
        if isinstance(value, _Duplicates):
            yield from (Problem(child(path, key), "the key stands more than once") for key in value.repeated)
        keyed: Iterable[tuple[str | int, object]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in keyed:
            if type(inner) is not str and type(inner) is not int:
                yield from _faults(inner, child(path, key), depth + 1)
    elif isinstance(value, _Constant):
        yield Problem(path, "not a JSON number", found=value.text)
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        yield Problem(path, "the number is too large")


def _surrogates(value: object, path: str, depth: int) -> Iterator[Problem]:
    """Half a character, written as an escape: JSON's grammar lets it through, UTF-8 cannot hold it."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            yield Problem(path, "half a surrogate pair", found=f"\\u{ord(value[error.start]):04x}")
    elif isinstance(value, (dict, list)) and depth <= MAX_DEPTH:
        keyed: Iterable[tuple[str | int, object]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in keyed:
            yield from _surrogates(key, child(path, key), depth)
            yield from _surrogates(inner, child(path, key), depth + 1)


def parse_toml(data: bytes, where: str, limit: int = MAX_TOML) -> dict[str, object]:
    """A TOML document, read strictly.

    Raises:
        InputError: not UTF-8, a BOM, too large, a key of more than 16 parts, not TOML.
    """
    import tomllib

    text = decode_text(data, where, limit)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS:
            raise InputError("a line has too many dots", where=f"{where}:{number}", expected=f"at most {MAX_DOTS}")
        if line.count(".") >= MAX_KEY_PARTS and re.search(_LONG_KEY, line, re.ASCII):
            raise InputError(
                "a key has too many parts", where=f"{where}:{number}", expected=f"at most {MAX_KEY_PARTS} parts"
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError("the file is nested too deep", where=where) from None
    except ValueError as error:
        raise InputError("the file is not TOML", where=where, found=str(error)) from None


class Table:
    """A JSON object or TOML table while it is read.

    Getters return a value of the asked type, or note a problem in the shared list and return a stand-in, so that
    reading goes on and every problem of a file is reported at once. Whoever made the list raises when it is not empty.
    """

    __slots__ = ("_above", "_place", "problems", "values")

    def __init__(
        self,
        values: dict[str, object],
        place: str | int,
        problems: list[Problem],
        above: "Table | None" = None,
    ) -> None:
        self.values = values
        self.problems = problems
        self._place = place
        self._above = above

    @property
    def path(self) -> str:
        """Where it stands in the document: written when a problem asks for it, as most tables have none."""
        return str(self._place) if self._above is None else child(self._above.path, self._place)

    def problem(self, key: str | int, what: str, *, expected: str = "", found: str = "") -> None:
        """Note a problem at ``key`` below this table."""
        self.problems.append(Problem(child(self.path, key), what, expected=expected, found=found))

    def get(self, key: str, kind_of: type[T], default: T, *, required: bool = True) -> T:
        """The value of ``key`` when it is a ``kind_of``; ``True`` is never an integer."""
        value = self.values.get(key)
        if type(value) is kind_of:
            return value
        if value is None and key not in self.values:
            if required:
                self.problem(key, "missing", expected=kind(default))
            return default
        self.problem(key, "the wrong type", expected=kind(default), found=f"{kind(value)}, {shown(value)}")
        return default

    def text(self, key: str, default: str | None = None) -> str:
        """A string; required when there is no default."""
        return self.get(key, str, default or "", required=default is None)

    def flag(self, key: str, *, default: bool) -> bool:
        """An optional boolean."""
        return self.get(key, bool, default, required=False)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """An integer from ``low`` to ``high``; required when there is no default."""
        stand_in = low if default is None else default
        value = self.get(key, int, stand_in, required=default is None)
        if not low <= value <= high:
            self.problem(key, "out of range", expected=f"{low} to {high}", found=shown(value))
            return stand_in
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of ``choices``; required when there is no default."""
        before = len(self.problems)
        value = self.text(key, default)
        if value not in choices and len(self.problems) == before:
            self.problem(key, "not a known value", expected=" or ".join(choices), found=shown(value))
        return value

    def parsed(self, key: str, parse: Callable[[str], T], stand_in: T, *, required: bool = True) -> T:
        """A string that ``parse`` accepts. Its ValueError is the problem; absent and not required is ``stand_in``."""
        value = self.values.get(key)
        if type(value) is not str:
            self.text(key, None if required else "")  # says what is wrong, when it is
            return stand_in
        try:
            return parse(value)
        except ValueError as error:
            self.problem(key, str(error))
            return stand_in

    def texts(self, key: str, parse: Callable[[str], str] = str) -> tuple[str, ...]:
        """An optional array of strings, each of which ``parse`` accepts."""
        values = self.get(key, list, [], required=False)
        listed = Table({}, key, self.problems, self)
        read = []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                listed.problem(index, "the wrong type", expected="a string", found=kind(value))
                continue
            try:
                read.append(parse(value))
            except ValueError as error:
                listed.problem(index, str(error))
        return tuple(read)

    def table(self, key: str, *, required: bool = True) -> "Table":
        """The table below ``key``; an empty one stands in."""
        return Table(self.get(key, dict, {}, required=required), key, self.problems, self)

    def rows(self, key: str) -> Iterator["Table"]:
        """The tables of an optional array; other values in it are problems."""
        listed = Table({}, key, self.problems, self)
        for index, value in enumerate(self.get(key, list, [], required=False)):
            if isinstance(value, dict):
                yield Table(value, index, self.problems, listed)
            else:
                listed.problem(index, "the wrong type", expected="a table", found=f"{kind(value)}, {shown(value)}")

    def tables(self) -> Iterator[tuple[str, "Table"]]:
        """Every entry of this table that is a table itself; the others are problems."""
        for key, value in self.values.items():
            if isinstance(value, dict):
                yield key, Table(value, key, self.problems, self)
            else:
                self.problem(key, "the wrong type", expected="a table", found=f"{kind(value)}, {shown(value)}")

    def only(self, *known: str) -> None:
        """Note every key that is not known, with the nearest known one."""
        for key in self.values:
            if key not in known:
                self.problem(key, "not a known key", expected=nearest(key, known))


def matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    """A parser for `Table.parsed`: the text itself when the whole of it matches, else a ValueError that says so."""

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"not {expected}: found {shown(text)}")
        return text

    return parse


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean`` for a word: the nearest known one, else all of them."""
    import difflib

    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    return repr(close[0]) if close else f"one of {', '.join(words)}"
