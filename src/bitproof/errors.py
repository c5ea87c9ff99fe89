"""The three ways bitproof can fail, one exit code each.

An error carries its data (what, where, expected, found, what to do) and writes its own sentence from it.
Nothing here prints or exits: ``cli.main`` alone maps an error to words on stderr and to an exit code.
"""

from collections.abc import Iterable

SHOWN = 80


def shown(value: object) -> str:
    """A value as an error quotes it: Python's repr, cut to 80 characters, a line of a terminal."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints, which TOML can write in hex
        return "a number too long to print"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


class Problem:
    """One thing wrong at one place: a JSON path, a TOML key, a file.

    ``str(problem)`` is one line: ``where: what``, then what was expected and found where these are known.
    """

    __slots__ = ("expected", "found", "what", "where")

    def __init__(self, where: str, what: str, *, expected: str = "", found: str = "") -> None:
        self.where = where
        self.what = what
        self.expected = expected
        self.found = found

    def within(self, place: str) -> "Problem":
        """The same problem of a part of ``place``: a file, a cap."""
        where = f"{place}: {self.where}" if self.where else place
        return Problem(where, self.what, expected=self.expected, found=self.found)

    def __str__(self) -> str:
        """One line, as it is printed."""
        told = [f"expected {self.expected}"] if self.expected else []
        told += [f"found {self.found}"] if self.found else []
        sentence = f"{self.what}: {', '.join(told)}" if told else self.what
        return f"{self.where}: {sentence}" if self.where else sentence

    def __repr__(self) -> str:
        """The printed line, marked as a problem."""
        return f"Problem({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        """Two problems are equal when they say the same."""
        return isinstance(other, Problem) and str(self) == str(other)

    def __hash__(self) -> int:
        """Agrees with ``==``."""
        return hash(str(self))


class BitproofError(Exception):
    """What went wrong, where, what was expected and found, and what to do next.

    Args:
        what: one sentence without a final full stop.
        where: the file, path or key that it is about.
        expected: what should have been there (digests in full).
        found: what was there.
        fix: what to do next, usually a command.
        problems: every single problem, when there can be more than one.
        details: further lines to quote (the end of a log, a console).
    """

    exit_code = 3
    kind = "error"

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        expected: object = "",
        found: object = "",
        fix: str = "",
        problems: Iterable[Problem] = (),
        details: Iterable[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.expected = str(expected)
        self.found = str(found)
        self.fix = fix
        self.problems = tuple(problems)
        self.details = tuple(details)

    def __str__(self) -> str:
        """The whole message, one fact a line."""
        lines = [self.what]
        facts = {"where": self.where, "expected": self.expected, "found": self.found}
        lines += [f"  {name + ':':<9} {fact}" for name, fact in facts.items() if fact]
        lines += [f"  - {problem}" for problem in self.problems]
        lines += [f"  | {line}" for line in self.details]
        lines += [f"  {'fix:':<9} {self.fix}"] if self.fix else []
        return "\n".join(lines)


class IntegrityError(BitproofError):
    """Checked, and it differs: a mismatch, a drift, a failed build or guest check. Exit code 1."""

    exit_code = 1
    kind = "integrity"


class InputError(BitproofError):
    """The input is wrong: usage, a manifest, a config, an unknown arch or version. Exit code 2."""

    exit_code = 2
    kind = "input"


class UnavailableError(BitproofError):
    """It could not be checked or done: a tool, a file, the network, a permission, disk space. Exit code 3."""

    exit_code = 3
    kind = "unavailable"
