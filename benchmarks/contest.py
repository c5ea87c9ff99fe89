"""One row of the benchmarks: our command and what one would type without bitproof, timed by turns with hyperfine."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROUNDS = 4
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
    ``needs`` is the rival's program: without it the row is left out, and the page says so.
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
    in_shell: bool = False
    needs: str = ""


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


def measured(contest: Contest, scratch: Path, environment: Mapping[str, str]) -> Row:
    """Both sides of a contest, in rounds, so that what else the machine does hits both."""
    rounds = [measured_once(contest, scratch, environment) for _ in range(ROUNDS)]
    ours, rival = ([time for sides in rounds for time in sides[side]] for side in (0, 1))
    return Row(contest, median(ours), median(rival))


def measured_once(contest: Contest, scratch: Path, environment: Mapping[str, str]) -> list[list[float]]:
    """One run of hyperfine: the times of our side, and those of the rival, in seconds."""
    result = scratch / "hyperfine.json"
    options = ["--warmup", str(contest.warmup), "--runs", str(contest.runs // ROUNDS), "--style", "none"]
    options += ["--export-json", str(result), "--shell", "sh" if contest.in_shell else "none"]
    options += ["--prepare", contest.prepare] if contest.prepare else []
    subprocess.run(
        ["hyperfine", *options, contest.ours, contest.rival],
        cwd=scratch / contest.directory,
        env=environment,
        check=True,
    )
    return [side["times"] for side in json.loads(result.read_text())["results"]]


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
