"""Write docs/powercuts.md: ``python -m tests.powercuts.table``. Root is needed; a quarter of an hour."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contest import machine
from tests.conftest import ROOT
from tests.powercuts.mutants import MUTANTS, Mutant, planted
from tests.powercuts.outcome import Outcome
from tests.powercuts.run import KINDS, simulated

PAGE = ROOT / "docs" / "powercuts.md"
HEAD = """# Power cuts

Written by `python -m tests.powercuts.table`. Releases are recorded, installed from the same and from another file
system, deprecated and cleaned up on a real ext4 and XFS (16 MiB, made with the defaults) whose disk keeps a log of
every write and flush; some commands are killed at each sync of a directory and then run again. Then the power is cut:
all that was flushed is on the disk; of the blocks of 4 KiB that were written since, any may be, in no order. Each such
disk is mounted, and must hold:

- every file as the last acknowledged command left it, or as the next one would have; no other file, none torn
- nothing acknowledged lost: a command is when it has returned, and a mark in the same log says when that was
- with the next command's manifest, all of the next command's files: the manifest is written last
- `resolve` and `verify` are right, one `cleanup` leaves nothing over, the next `install` succeeds
"""
TAIL = """Every state at a flush is tried, then random ones. Images that differ in no byte count once; some are judged
again with more commands acknowledged, so there are more states than images. The seed decides which, given a log; times
and names of temporary files make each log another one.

Not shown: a disk that loses what it said it had flushed, tears a block of 4 KiB, or rots; other file systems. On XFS an
install from the same file system shares the blocks of the source, so there is nothing to sync; and on both a sync
*after* the rename would do. That it comes before is shown with `strace`, in `tests/system/`.
"""


def main() -> None:
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="images a file system")
    parser.add_argument("--mutants", type=int, default=500, help="images a mutant and file system")
    words = parser.parse_args()
    PAGE.write_text("\n".join(page(words.count, words.mutants)), "utf-8")


def page(count: int, of_mutants: int) -> Iterator[str]:
    """The lines of the page."""
    yield HEAD
    yield "| file system | commands | blocks written | flushes | states | different images | bad | time a state |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for kind in KINDS:
        found = tried(kind, count, None)
        numbers = (found.commands, found.writes, found.flushes, found.states, found.images, found.bad)
        cells = [kind, *(f"{number:,}" for number in numbers), f"{1000 * found.seconds / found.states:.0f} ms"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield TAIL
    yield "bitproof with one safeguard taken out, by the same simulation:\n"
    yield f"| taken out | {' | '.join(f'{kind}, bad states' for kind in KINDS)} |"
    yield f"|---|{'---:|' * len(KINDS)}"
    for mutant in MUTANTS:
        outcomes = (tried(kind, of_mutants, mutant) for kind in KINDS)
        yield f"| {mutant.name} | {' | '.join(f'{one.bad:,} of {one.states:,}' for one in outcomes)} |"
    yield f"\nMeasured on: {machine()}.\n"


def tried(kind: str, count: int, mutant: Mutant | None) -> Outcome:
    """One simulation."""
    with TemporaryDirectory() as room, TemporaryDirectory() as package:
        return simulated(kind, count, room=Path(room), package=planted(mutant, Path(package)) if mutant else None)


if __name__ == "__main__":
    main()
