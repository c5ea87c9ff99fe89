"""Makes every fault happen, and writes ``docs/faults.md``: ``make faults``. Ten minutes, as root, since it mounts.

``python -m tests.faults quick`` hits only the calls that change something, and races less: the page says so.
"""

import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.faults.campaign import EINTR, EIO, ENOSPC, EXDEV, KILL, LOST, SHORT, Kind, Result, campaign
from tests.faults.cases import CASES
from tests.faults.checks import Laboratory, check, laboratory
from tests.faults.commands import Zygote, warmed_up
from tests.faults.conftest import IN_MEMORY
from tests.faults.limits import full_disk, no_descriptors, no_inodes, overlaid, read_only, small_files
from tests.faults.mutants import MUTANTS, mutated
from tests.faults.oracle import Expected
from tests.faults.planted import planted
from tests.faults.races import LAYOUTS, race

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
ROUNDS, FEW_ROUNDS = 1000, 100
COMMANDS = tuple(dict.fromkeys(case.command for case in CASES))
GROWING = ("install", "manifest", "deprecate")
"""Commands that write a file which is larger than what they say."""

QUICK = sys.argv[1:] == ["quick"]
Fault = Callable[[Expected, Zygote], Result]


def at_calls(kind: Kind) -> Fault:
    """A kind of fault at every call that it makes sense for; ``quick``, at those that change something."""
    return lambda wanted, zygote: campaign(wanted, kind, zygote, every=not QUICK)


FAULTS: dict[str, Fault] = {
    "killed, at every call": at_calls(KILL),
    "`EIO`, at every call on a file": at_calls(EIO),
    "`ENOSPC`, at every call on a file": at_calls(ENOSPC),
    "`EINTR`, where a call can be interrupted": at_calls(EINTR),
    "nothing taken by a write": at_calls(SHORT),
    "five bytes taken and lost": at_calls(LOST),
    "`EXDEV`, a copy between file systems": at_calls(EXDEV),
    "killed on an overlay, at every change": lambda wanted, zygote: campaign(wanted, KILL, zygote, place=overlaid),
    "a full disk, one page more each time": full_disk,
    "no inodes, one more each time": no_inodes,
    "no descriptors, one more each time": no_descriptors,
    "files that may not grow, 97 bytes more each time": small_files,
    "links and FIFOs planted where it writes": planted,
}


def main() -> int:
    """Make all faults happen; returns 1 when a state was bad or a mutant was missed."""
    bad: list[str] = []
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as scratch, laboratory(Path(scratch)) as bench:
        page = "\n".join(_page(bench, Path(scratch), bad)) + "\n"
    PAGE.write_text(page)
    sys.stderr.write("".join(f"bad: {problem}\n" for problem in bad))
    return 1 if bad else 0


def _page(bench: Laboratory, scratch: Path, bad: list[str]) -> Iterator[str]:
    yield from INTRODUCTION
    yield QUICKLY if QUICK else FULLY
    yield ""
    yield f"| fault | {' | '.join(COMMANDS)} | bad states |"
    yield f"|---|{'---:|' * (len(COMMANDS) + 1)}"
    for name, fault in FAULTS.items():
        yield _row(name, fault, bench, bad)
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
    for number, mutant in enumerate(MUTANTS, 1):
        with ExitStack() as stack:
            copy, place = (Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch))) for _ in range(2))
            changed = stack.enter_context(warmed_up(place, mutated(mutant, copy)))
            found = check(mutant.found_by, bench, changed, place)
        bad += [] if found else [f"the mutant is missed: {mutant.breaks}"]
        yield f"| {number} | {mutant.breaks} | `{mutant.file}` | {mutant.found_by if found else '**missed**'} |"
    yield ""
    yield f"Made on Linux {platform.release().partition('-')[0]} with Python {platform.python_version()}."


def _row(name: str, fault: Fault, bench: Laboratory, bad: list[str]) -> str:
    counts = dict.fromkeys(COMMANDS, 0)
    found: list[str] = []
    for case in CASES:
        if fault is small_files and case.command not in GROWING:
            continue
        result = fault(bench.expected(case), bench.zygote)
        counts[case.command] += result.injected
        found += [f"{name}, {case}: {problem}" for problem in result.bad]
    bad += found
    return f"| {name} | {' | '.join(str(count or '') for count in counts.values())} | {len(found)} |"


INTRODUCTION = """\
# Faults

Written by `make faults` (`tests/faults`); `make test` runs a selection of it. Every number is how often a fault was
made to happen to the real command on real files. After each of them:

- every path is as it was or as it should be, and what is written last is new only when all else is;
- no file that was open before has changed;
- exit 0 means that all is done; else it is exit 3 (1 for wrong bytes), with a sentence, and no temporary is left;
- the same command then succeeds with just the right files, and one cleanup leaves nothing behind.

A state that fails any of this is bad. Faults are injected by strace (`-e inject=CALL:signal=SIGKILL:when=N`, `error=`,
`retval=`), one call after the other. `build` is its last step, which puts the new files in place. An empty cell: the
command makes no such call.
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
