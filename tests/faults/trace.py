"""What strace wrote, read into values."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PID = r"(?:(?P<tid>\d+) +)?"
_WHOLE = re.compile(_PID + r"(?P<name>\w+)\((?P<args>.*)\) += (?P<result>.+)")
_BEGIN = re.compile(_PID + r"(?P<name>\w+)\((?P<args>.*) ?<unfinished \.\.\.>")
_END = re.compile(_PID + r"<\.\.\. (?P<name>\w+) resumed>(?P<args>.*)\) += (?P<result>.+)")
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<(?P<path>[^>]*)>")
_WORD = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"')

MUTATING = frozenset(
    (
        *("write", "pwrite64", "copy_file_range", "sendfile", "ftruncate", "fallocate", "fsync", "fdatasync"),
        *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
        *("mkdir", "mkdirat", "rmdir", "flock", "chmod", "fchmod", "fchmodat", "fchown", "utimensat"),
    )
)
"""What changes a file system, or says who may; ``openat`` does with O_CREAT."""

MEMORY = "/memfd:"
"""What the paths of files in memory begin with."""
WAIT = "rt_sigtimedwait"
"""In which a command waits for its tracer."""
BEFORE = "fsync(0</dev/null>"
"""What it calls then, before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call: of which thread, the how manieth of this name there, and when it began and ended."""

    tid: str
    name: str
    number: int
    args: str
    result: str
    begin: int
    end: int

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return not self.result.startswith(("-1", "?"))

    @property
    def mutating(self) -> bool:
        """Whether it changes a file system, or locks; what is only in memory is no file system."""
        if self.path.startswith(MEMORY):
            return False
        return self.name in MUTATING or (self.name == "openat" and "O_CREAT" in self.args)

    @property
    def directories(self) -> list[str]:
        """The paths of the descriptors among its arguments."""
        return [found["path"] for found in _DESCRIPTOR.finditer(self.args)]

    @property
    def path(self) -> str:
        """The file it is about: what its first descriptor is, or what its first name leads to."""
        return self.paths[0] if self.paths else (self.directories or [""])[0]

    @property
    def paths(self) -> list[str]:
        """The files that its names lead to, each below the descriptor before it."""
        if self.name in {"write", "pwrite64"}:
            return []
        found, below = [], Path()
        for part in re.finditer(f"{_DESCRIPTOR.pattern}|{_WORD.pattern}", self.args):
            if part["path"] is not None:
                below = Path(part["path"])
            elif part["text"]:
                found.append(str(below / part["text"]))
        return found


def read_calls(lines: Iterable[str]) -> list[Call]:
    """The calls of a trace, in the order in which they began, without those of the zygote."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[int, str, str, int]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for at, line in enumerate(lines):
        if WAIT in line:
            continue
        if BEFORE in line:
            counts[_tid(line), "fsync"] += 1
            continue
        if begun := _BEGIN.match(line):
            tid, name = begun["tid"] or "", begun["name"]
            counts[tid, name] += 1
            open_calls[tid] = (at, name, begun["args"], counts[tid, name])
        elif ended := _END.match(line):
            begin, name, args, number = open_calls.pop(ended["tid"] or "", (at, ended["name"], "", 1))
            calls.append(_call(ended, name, args + ended["args"], number, begin, at))
        elif whole := _WHOLE.match(line):
            tid, name = whole["tid"] or "", whole["name"]
            counts[tid, name] += 1
            calls.append(_call(whole, name, whole["args"], counts[tid, name], at, at))
    return sorted(calls, key=lambda call: call.begin)


def _tid(line: str) -> str:
    found = re.match(_PID, line)
    return (found["tid"] if found else "") or ""


def _call(found: re.Match[str], name: str, args: str, number: int, begin: int, end: int) -> Call:
    return Call(
        tid=found["tid"] or "", name=name, number=number, args=args, result=found["result"], begin=begin, end=end
    )
