"""All faults of all cases, and all mutants, by as many processes as there are processors."""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from tests.faults.campaign import EINTR, EIO, ENOSPC, EXDEV, KILL, LOST, SHORT, Kind, Result, campaign
from tests.faults.cases import CASES, Case
from tests.faults.checks import Laboratory, check
from tests.faults.commands import Zygote, warmed_up
from tests.faults.limits import full_disk, no_descriptors, no_inodes, overlaid, small_files
from tests.faults.mutants import MUTANTS, mutated
from tests.faults.oracle import Expected
from tests.faults.planted import planted

GROWING = ("install", "manifest", "deprecate", "update", "publish")
"""Commands that write a file which is larger than what they say."""
Fault = Callable[[Expected, Zygote], Result]

FAULTS: dict[str, Kind | Fault] = {
    "killed, at every call": KILL,
    "`EIO`, at every call on a file": EIO,
    "`ENOSPC`, at every call on a file": ENOSPC,
    "`EINTR`, where a call can be interrupted": EINTR,
    "nothing taken by a write": SHORT,
    "five bytes taken and lost": LOST,
    "`EXDEV`, a copy between file systems": EXDEV,
    "killed on an overlay, at every change": lambda wanted, zygote: campaign(wanted, KILL, zygote, place=overlaid),
    "a full disk, one page more each time": full_disk,
    "no inodes, one more each time": no_inodes,
    "no descriptors, one more each time": no_descriptors,
    "files that may not grow, some bytes more each time": small_files,
    "links and FIFOs planted where it writes": planted,
}


class Processes:
    """The processes, each with a laboratory of its own.

    Args:
        scratch: where they may work.
        every: faults at every call, not only at those that change something.
    """

    def __init__(self, scratch: Path, *, every: bool) -> None:
        self.scratch = scratch
        self.every = every
        self.pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))

    def faults(self) -> dict[tuple[str, Case], Result]:
        """What each fault of each case came to."""
        keys = list(product(range(len(CASES)), FAULTS))
        keys.sort(key=lambda key: CASES[key[0]].command not in {"update", "publish"})  # what takes longest, first
        results = self.pool.map(partial(_disturbed, self.scratch, self.every), keys)
        return {(name, CASES[number]): result for (number, name), result in zip(keys, results, strict=True)}

    def found(self) -> Iterator[bool]:
        """Which mutants are found, in their order."""
        return self.pool.map(partial(_found, self.scratch), range(len(MUTANTS)))


@cache
def _bench(scratch: Path) -> Laboratory:
    """The laboratory of this process, with which it ends."""
    place = Path(tempfile.mkdtemp(dir=scratch))
    return Laboratory(Zygote(place), place)


def _disturbed(scratch: Path, every: bool, key: tuple[int, str]) -> Result:
    case, fault = CASES[key[0]], FAULTS[key[1]]
    if fault is small_files and case.command not in GROWING:
        return Result()
    bench = _bench(scratch)
    if isinstance(fault, Kind):
        return campaign(bench.expected(case), fault, bench.zygote, every=every)
    return fault(bench.expected(case), bench.zygote)


def _found(scratch: Path, number: int) -> bool:
    bench, mutant = _bench(scratch), MUTANTS[number]
    with ExitStack() as stack:
        copy, place = (Path(stack.enter_context(tempfile.TemporaryDirectory(dir=bench.scratch))) for _ in range(2))
        changed = stack.enter_context(warmed_up(place, mutated(mutant, copy)))
        return bool(check(mutant.found_by, bench, changed, place))
