"""One row of the benchmarks: our command and what one would type without bitproof, timed by turns with hyperfine."""

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

QUIET = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "BITPROOF_ASSETS_DIR",
    "BITPROOF_GIT_ROOT",
    "BITPROOF_HOME",
    "SOURCE_DATE_EPOCH",
    "XDG_CACHE_HOME",
)
"""Variables that would make one side slower, or lead it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One row: our command, and what it is compared with.

    ``prepare`` runs before each turn of either side and is not timed, and needs ``in_shell``, as the rival may.
    ``needs`` is the rival's program: without it the row is left out, and the page says so. ``rounds`` is in how many
    runs of hyperfine the turns are taken. ``call`` is called in this process in place of ``ours``, with the directory.
    """

    what: str
    ours: str
    rival: str
    rival_text: str
    directory: str
    goal: str = ""
    prepare: str = ""
    runs: int = 20
    warmup: int = 2
    rounds: int = 4
    in_shell: bool = False
    needs: str = ""
    call: Callable[[Path], object] | None = None

    @property
    def setting(self) -> tuple[object, ...]:
        """What two contests that are measured together have in common."""
        return self.rival, self.directory, self.prepare, self.runs, self.warmup, self.rounds, self.in_shell, self.call


@dataclass(frozen=True, slots=True)
class Row:
    """A measured contest: medians in seconds."""

    contest: Contest
    ours: float
    rival: float


def here(contest: Contest) -> bool:
    """Whether the rival's program is on this machine."""
    return not contest.needs or shutil.which(contest.needs) is not None


@contextmanager
def working(scratch: Path) -> Iterator[Mapping[str, str]]:
    """The environment of all commands: a home of its own, and bytecode kept as on a user's machine."""
    home = scratch / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in QUIET}
    yield {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8"}


def bitproof(directory: Path, environment: Mapping[str, str], *words: str) -> None:
    """Run one command, quietly."""
    run(directory, environment, "bitproof", "-q", *words)


def run(directory: Path, environment: Mapping[str, str], *argv: str) -> None:
    """Run a program that must succeed; what it prints is dropped."""
    subprocess.run(argv, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)


def measured(contests: Sequence[Contest], scratch: Path, environment: Mapping[str, str]) -> list[Row]:
    """All sides of contests that have one rival, in rounds, so that what else the machine does hits all of them."""
    turns = timed_here if contests[0].call else timed
    rounds = [turns(contests, scratch, environment) for _ in range(contests[0].rounds)]
    *ours, rival = (median(seconds for sides in rounds for seconds in sides[side]) for side in range(len(contests) + 1))
    return [Row(contest, seconds, rival) for contest, seconds in zip(contests, ours, strict=True)]


def timed(contests: Sequence[Contest], scratch: Path, environment: Mapping[str, str]) -> list[list[float]]:
    """One run of hyperfine: the times of each of our sides, and at last those of the rival, in seconds."""
    first = contests[0]
    result = scratch / "hyperfine.json"
    options = ["--warmup", str(first.warmup), "--runs", str(first.runs // first.rounds), "--style", "none"]
    options += ["--export-json", str(result), "--shell", "sh" if first.in_shell else "none"]
    options += ["--prepare", first.prepare] if first.prepare else []
    subprocess.run(
        ["hyperfine", *options, *(contest.ours for contest in contests), first.rival],
        cwd=scratch / first.directory,
        env=environment,
        check=True,
    )
    return [side["times"] for side in json.loads(result.read_text())["results"]]


def timed_here(contests: Sequence[Contest], scratch: Path, environment: Mapping[str, str]) -> list[list[float]]:
    """As `timed`, with our side called in this process; the rival's start-up is its own, a millisecond or so."""
    (contest,) = contests
    times: list[list[float]] = [[], []]
    for turn in range(contest.warmup + contest.runs // contest.rounds):
        for side, work in enumerate((contest.call, partial(_rival, contest, scratch, environment))):
            start = time.perf_counter()
            if work:
                work(scratch / contest.directory)
            if turn >= contest.warmup:
                times[side].append(time.perf_counter() - start)
    return times


def _rival(contest: Contest, scratch: Path, environment: Mapping[str, str], _: Path) -> None:
    run(scratch / contest.directory, environment, *contest.rival.split())


def milliseconds(seconds: float) -> str:
    """Rounded to three digits or so."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004 - three digits


def machine() -> str:
    """What the numbers depend on, and nothing that names this machine."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    cores = len(os.sched_getaffinity(0))
    kernel = platform.release().partition("-")[0]
    return (
        f"{cpu or platform.machine()}, {cores} cores, {memory / (1 << 20):.0f} GiB of memory, Linux {kernel}, "
        f"Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
