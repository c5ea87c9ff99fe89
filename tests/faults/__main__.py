"""Makes every fault happen, and writes ``docs/faults.md``: ``make faults``. Ten minutes, as root, since it mounts.

``python -m tests.faults quick`` hits only the calls that change something, and races less: the page says so.
"""

import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.checks import Laboratory, laboratory
from tests.faults.conftest import IN_MEMORY
from tests.faults.everything import FAULTS, Processes
from tests.faults.limits import read_only
from tests.faults.mutants import MUTANTS
from tests.faults.races import LAYOUTS, race

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
ROUNDS, FEW_ROUNDS = 1000, 100
COMMANDS = tuple(dict.fromkeys(case.command for case in CASES))
QUICK = sys.argv[1:] == ["quick"]


def main() -> int:
    """Make all faults happen; returns 1 when a state was bad or a mutant was missed."""
    bad: list[str] = []
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as scratch, laboratory(Path(scratch)) as bench:
        page = "\n".join(_page(bench, Path(scratch), bad)) + "\n"
    PAGE.write_text(page)
    sys.stderr.write("".join(f"bad: {problem}\n" for problem in bad))
    return 1 if bad else 0


def _page(bench: Laboratory, scratch: Path, bad: list[str]) -> Iterator[str]:
    processes = Processes(scratch, every=not QUICK)
    yield from INTRODUCTION
    yield QUICKLY if QUICK else FULLY
    yield ""
    yield from _faults(processes, bad)
    mutants = list(_mutants(processes, bad))
    processes.pool.shutdown()  # races want the processors for themselves
    stores = read_only(bench.zygote, scratch)
    bad += stores.bad
    yield ""
    yield f"On a read-only file system {stores.injected} commands that need no write were run: resolve, verify, check,"
    yield f"list, hashes, a dry cleanup, and a boot up to QEMU. Failed: {len(stores.bad)}."
    yield from RACES
    for number, scenario in enumerate(LAYOUTS):
        place = scratch / f"race-{number}"
        place.mkdir()
        done = race(scenario, FEW_ROUNDS if QUICK else ROUNDS, bench.zygote, place)
        bad += done.bad
        yield f"| {scenario} | {done.injected:,} | {done.locked:,} | {len(done.bad)} |"
    yield from MUTANTS_FOUND
    yield from mutants
    yield ""
    yield f"Made on Linux {platform.release().partition('-')[0]} with Python {platform.python_version()}."


def _faults(processes: Processes, bad: list[str]) -> Iterator[str]:
    """The table of all faults."""
    yield f"| fault | {' | '.join(COMMANDS)} | bad states |"
    yield f"|---|{'---:|' * (len(COMMANDS) + 1)}"
    results = processes.faults()
    for name in FAULTS:
        counts = dict.fromkeys(COMMANDS, 0)
        found: list[str] = []
        for case in CASES:
            counts[case.command] += results[name, case].injected
            found += [f"{name}, {case}: {problem}" for problem in results[name, case].bad]
        bad += found
        yield f"| {name} | {' | '.join(str(count or '') for count in counts.values())} | {len(found)} |"


def _mutants(processes: Processes, bad: list[str]) -> Iterator[str]:
    """The rows of the mutants."""
    for number, (mutant, found) in enumerate(zip(MUTANTS, processes.found(), strict=True), 1):
        bad += [] if found else [f"the mutant is missed: {mutant.breaks}"]
        yield f"| {number} | {mutant.breaks} | `{mutant.file}` | {mutant.found_by if found else '**missed**'} |"


INTRODUCTION = """\
# Faults

Written by `make faults` (`tests/faults`); `make test` runs a selection of it. Every number is how often a fault was
made to happen to the real command on real files. After each of them:

- every path is as it was or as it should be, and what is written last is new only when all else is;
- no file that was open before has changed;
- exit 0 means that all is done; else it is exit 3 (1 for wrong bytes), with a sentence, and no temporary is left; an
  update keeps what it has downloaded for the next one, which uses or removes it;
- the same command then succeeds with just the right files, and one cleanup leaves nothing behind.

A state that fails any of this is bad. Faults are injected by strace (`-e inject=CALL:signal=SIGKILL:when=N`, `error=`,
`retval=`), one call after the other. `build` is its last step, which puts the new files in place. `publish` is `channel
publish` into a directory, and `channel check` in the place of the cleanup; `update` reads a directory and a web server.
An empty cell: the command makes no such call.
""".splitlines()
FULLY = "A call is any system call of the command."
QUICKLY = "This page is of a quick run: a call is one that changes a file system, or a lock."
RACES = """
## At the same time

A barrier lets all commands of a round go at once. Some wait for the lock, some do not (`--no-wait`). Bad is: an exit
code other than 0 but for the one sentence of a lock that is held, a file in force that is missing, torn or there twice,
a release or a deprecation that is lost, a file removed under a VM that holds it.

| commands | run | locked out | bad |
|---|---:|---:|---:|
""".splitlines()
MUTANTS_FOUND = """
## What the checks are worth

Each of these safeguards is taken out of a copy of bitproof (`tests/faults/mutants.toml`), and the check beside it must
find that. `protocol` reads the trace of an undisturbed run: the order of write, fsync, rename and lock.

| | safeguard taken out | of | found by |
|---:|---|---|---|
""".splitlines()

if __name__ == "__main__":
    sys.exit(main())
