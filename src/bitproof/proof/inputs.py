"""The recorded inputs of a build: what the bytes of an artifact are a function of, kept beside it as canonical JSON.

The same inputs always give the same bytes. Whoever records replaces the roots that differ from machine to machine
(the checkout, the private HOME) before, as the build itself maps its paths: a record holds nothing of one machine but
its host triple. What is left out: recording, and reading the file; both are the caller's.
"""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from bitproof.errors import InputError, Problem, shown
from bitproof.model.decode import Table, kind, parse_json
from bitproof.model.digest import HEX, Digest

FORMAT = 1
INPUTS_SUFFIX = ".inputs.json"
"""What a record's file has behind the name of the artifact that it lies beside."""
MAX_INPUTS = 1 << 20
"""Bytes of such a file."""
COMMIT_LENGTHS = (40, 64)

_NO_DIGEST = Digest("sha256", "0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the toolchain: ``host`` is the triple it runs on, ``digest`` the SHA-256 of its binary.

    ``version`` and ``host`` are as the program tells them; empty when it does not.
    """

    name: str
    version: str
    digest: Digest
    host: str = ""

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {"name": self.name, "version": self.version, "host": self.host, "sha256": self.digest.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedInputs:
    """What one artifact was built from. The order of ``toolchain``, ``environment`` and ``parts`` means nothing.

    Args:
        commit: 40 or 64 lower-case hex digits; empty when the sources have no commit.
        driver: which build driver ran (``cargo``, ``make``, ``precompose``…).
        commands: what was run, in order, each program with its arguments.
        toolchain: the programs that made the bytes, each name once.
        target: what it was built for; empty when the driver knows none.
        environment: the whole environment of the build, name and value.
        flags: what compilers were given beside their commands, in order (``RUSTFLAGS``, ``CFLAGS``).
        parts: what was composed into it, cap id and digest; empty for what is built from sources alone.

    Raises:
        ValueError: no commit, a name that stands twice, text that UTF-8 cannot hold.
    """

    commit: str
    driver: str
    commands: tuple[tuple[str, ...], ...]
    toolchain: tuple[Program, ...]
    target: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    parts: tuple[tuple[str, Digest], ...] = ()

    def __post_init__(self) -> None:
        """Check, and put what has no order in one."""
        _commit(self.commit)
        _once("program", (program.name for program in self.toolchain))
        _once("variable", (name for name, _ in self.environment))
        _once("part", (name for name, _ in self.parts))
        object.__setattr__(self, "toolchain", tuple(sorted(self.toolchain, key=lambda program: program.name)))
        object.__setattr__(self, "environment", tuple(sorted(self.environment)))
        object.__setattr__(self, "parts", tuple(sorted(self.parts, key=lambda part: part[0])))
        try:
            self.to_bytes()
        except UnicodeEncodeError as error:
            raise ValueError(f"not text that UTF-8 can hold: {shown(error.object[error.start :])}") from None

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "format": FORMAT,
            "commit": self.commit,
            "driver": self.driver,
            "target": self.target,
            "commands": [list(command) for command in self.commands],
            "flags": list(self.flags),
            "toolchain": [program.document() for program in self.toolchain],
            "environment": dict(self.environment),
            "parts": {name: digest.value for name, digest in self.parts},
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON: UTF-8, 2-space indent, final newline."""
        return (json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes, where: str = "recorded inputs") -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            InputError: with every problem of the file.
        """
        problems: list[Problem] = []
        root = Table(parse_json(data, where), "", problems)
        root.integer("format", FORMAT, FORMAT)
        fields = ("commit", "driver", "target", "commands", "flags", "toolchain", "environment", "parts")
        root.only("format", *fields)
        try:
            made = cls(
                commit=root.parsed("commit", _commit, ""),
                driver=root.text("driver"),
                target=root.text("target"),
                commands=_commands(root),
                flags=root.texts("flags"),
                toolchain=_toolchain(root),
                environment=_environment(root.table("environment")),
                parts=_parts(root.table("parts")),
            )
        except ValueError as error:
            problems.append(Problem("", str(error)))
        if problems:
            raise InputError("the recorded inputs are not usable", where=where, problems=problems, fix="build it again")
        return made


def differing(expected: RecordedInputs, found: RecordedInputs) -> tuple[Problem, ...]:
    """Every recorded input that differs, the most telling first; empty when none does.

    Each says where (``commit``, ``toolchain.rustc.version``, ``environment.LANG``) and both values in full.
    """
    return (
        *_texts(
            "",
            {"commit": expected.commit, "target": expected.target, "driver": expected.driver},
            {"commit": found.commit, "target": found.target, "driver": found.driver},
        ),
        *_texts(
            "parts",
            {name: digest.value for name, digest in expected.parts},
            {name: digest.value for name, digest in found.parts},
        ),
        *_texts("toolchain", _facts(expected.toolchain), _facts(found.toolchain)),
        *_flags(expected.flags, found.flags),
        *_texts("commands", _numbered(expected.commands), _numbered(found.commands)),
        *_texts("environment", dict(expected.environment), dict(found.environment)),
    )


def _texts(place: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Problem]:
    """Each key whose value differs, in the order of ``expected``, then of ``found``."""
    for key in dict.fromkeys((*expected, *found)):
        old, new = expected.get(key), found.get(key)
        if old != new:
            yield Problem(f"{place}.{key}" if place else key, "differs", expected=_quoted(old), found=_quoted(new))


def _quoted(text: str | None) -> str:
    """A value in full, so that two that differ never read the same."""
    if text is None:
        return "nothing"
    return text if text and text.isprintable() and text != "nothing" else repr(text)


def _facts(toolchain: Iterable[Program]) -> dict[str, str]:
    """``rustc.version`` and so on to its value."""
    return {
        f"{program.name}.{key}": value
        for program in toolchain
        for key, value in program.document().items()
        if key != "name"
    }


def _numbered(commands: Iterable[tuple[str, ...]]) -> dict[str, str]:
    return {str(number): shlex.join(command) for number, command in enumerate(commands, 1)}


def _flags(expected: tuple[str, ...], found: tuple[str, ...]) -> Iterator[Problem]:
    """The flags that one side has and the other has not, or the order when that is all."""
    if expected == found:
        return
    gone, new = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if gone or new:
        missing, extra = (shlex.join(flags.elements()) or "nothing" for flags in (gone, new))
        yield Problem("flags", "differ", expected=missing, found=extra)
    else:
        yield Problem("flags", "stand in another order", expected=shlex.join(expected), found=shlex.join(found))


def _commit(text: str) -> str:
    if text and (len(text) not in COMMIT_LENGTHS or not HEX.issuperset(text)):
        raise ValueError(f"not a commit: expected 40 or 64 lower-case hex digits, found {shown(text)}")
    return text


def _once(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"a {what} stands more than once: {', '.join(shown(name) for name in twice)}")


def _digest(text: str) -> Digest:
    return Digest.parse(text, "sha256")


def _commands(root: Table) -> tuple[tuple[str, ...], ...]:
    """An array of arrays of strings."""
    values = root.get("commands", list, [])
    listed = Table({str(number): value for number, value in enumerate(values)}, "commands", root.problems)
    return tuple(listed.texts(key) for key in listed.values)


def _toolchain(root: Table) -> tuple[Program, ...]:
    programs = []
    for index, value in enumerate(root.get("toolchain", list, [])):
        if not isinstance(value, dict):
            root.problem("toolchain", "the wrong type", expected="an array of tables", found=kind(value))
            continue
        table = Table(value, f"toolchain[{index}]", root.problems)
        table.only("name", "version", "host", "sha256")
        programs.append(
            Program(
                name=table.text("name"),
                version=table.text("version"),
                host=table.text("host"),
                digest=table.parsed("sha256", _digest, _NO_DIGEST),
            )
        )
    return tuple(programs)


def _environment(table: Table) -> tuple[tuple[str, str], ...]:
    return tuple((name, table.text(name)) for name in table.values)


def _parts(table: Table) -> tuple[tuple[str, Digest], ...]:
    return tuple((name, table.parsed(name, _digest, _NO_DIGEST)) for name in table.values)
