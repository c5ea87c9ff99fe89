"""Reads ``console`` blocks of Markdown and compares them with what their commands really print.

A line ``$ …`` is a command, ``> …`` goes on with it; the lines below are its output, standard error included. In the
output ``…`` stands for anything within a line, and alone for any number of lines. A digest stands for any digest, the
same one wherever it is written again, as do the 16 digits of a hash name. Sizes and milliseconds stand for any others:
all of these depend on the day's Debian packages and on the computer.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS = re.compile(r"<!-- console: ([a-z, ]+) -->")
VARIES = re.compile(
    r"(?P<digest>(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f]))"
    r"|(?<=-)(?P<hash16>[0-9a-f]{16})(?![0-9a-f])"
    r"|(?P<size>\d+(?:\.\d)? [kMG]B)"
    r"|(?P<bytes>(?<![.\w-])\d{7,}(?![.\w]))"
    r"|(?P<time>\d+ ms)"
    r"|(?P<any>…)"
)
ANYTHING = {"size": r"\d+(?:\.\d)? [kMG]B", "bytes": r"\d{7,}", "time": r"\d+ ms", "any": r"[^\n]*?"}


@dataclass(frozen=True)
class Step:
    """One command and the output that the document shows for it."""

    command: str
    expected: str

    @property
    def asks_for_the_code(self) -> bool:
        """Whether it prints the exit code of the command before it."""
        return "$?" in self.command


def read_steps(text: str) -> list[Step]:
    """All commands of a document, in order."""
    steps: list[Step] = []
    for block in FENCE.findall(text):
        command: list[str] = []
        output: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ ") or (line.startswith("> ") and command and not output):
                if line.startswith("$ ") and command:
                    steps.append(_step(command, output))
                    command, output = [], []
                command.append(line[2:])
            else:
                assert command, f"a console block begins with output: {line}"
                output.append(line)
        steps.append(_step(command, output))
    return steps


def _step(command: list[str], output: Iterable[str]) -> Step:
    return Step("\n".join(command), "".join(f"{line.rstrip()}\n" for line in output))


def read_settings(text: str) -> frozenset[str]:
    """The words of ``<!-- console: … -->``."""
    found = SETTINGS.search(text)
    return frozenset(word.strip() for word in found[1].split(",")) if found else frozenset()


@dataclass
class Matcher:
    """Compares outputs with what a document shows, and remembers which digest of it stands for which real one."""

    known: dict[str, str] = field(default_factory=dict)

    def matches(self, step: Step, actual: str) -> bool:
        """Whether the output is as shown."""
        groups: dict[str, str] = {}
        pattern = "".join(self._line(line, groups) for line in step.expected.splitlines())
        found = re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in actual.splitlines()))
        if found:
            self.known |= {text: found[name] for text, name in groups.items()}
        return found is not None and len(set(self.known.values())) == len(self.known)

    def _line(self, line: str, groups: dict[str, str]) -> str:
        if line == "…":
            return r"(?:[^\n]*\n)*?"
        pattern, end = "", 0
        for found in VARIES.finditer(line):
            pattern += re.escape(line[end : found.start()]) + self._varying(found, groups)
            end = found.end()
        return f"{pattern}{re.escape(line[end:])}\n"

    def _varying(self, found: re.Match[str], groups: dict[str, str]) -> str:
        if found["digest"]:
            return self._digits(found["digest"][:16], groups) + self._digits(found["digest"][16:], groups)
        if found["hash16"]:
            return self._digits(found["hash16"], groups)
        return ANYTHING[str(found.lastgroup)]

    def _digits(self, text: str, groups: dict[str, str]) -> str:
        if text in self.known:
            return self.known[text]
        if text in groups:
            return f"(?P={groups[text]})"
        groups[text] = f"d{len(groups)}"
        return f"(?P<{groups[text]}>[0-9a-f]{{{len(text)}}})"


def script(steps: Iterable[Step], mark: str) -> str:
    """One bash script for all commands, so that ``cd`` and ``export`` last; after each a line with its exit code."""
    lines = ["exec 2>&1"]
    for step in steps:
        lines += [step.command, f"code=$?; printf '\\n%s %d\\n' {mark} $code; (exit $code)"]
    return "\n".join(lines) + "\n"


def split_output(output: str, mark: str) -> list[tuple[str, int]]:
    """The output and exit code of each command of a `script`."""
    parts = re.split(rf"\n{mark} (\d+)\n", output)
    return [(text, int(code)) for text, code in zip(parts[::2], parts[1::2], strict=False)]


def documents(root: Path) -> list[Path]:
    """Every Markdown file of the project that people read."""
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")])
