"""Every check by a name, so that a table can say which one finds a mutant: a kind of fault on a case, or its own."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import damage, races
from tests.faults.campaign import KINDS, campaign
from tests.faults.cases import CASES, Case
from tests.faults.commands import Zygote, warmed_up
from tests.faults.oracle import Expected, expected, recovery, tree
from tests.faults.planted import planted
from tests.faults.protocol import not_made_to_last, temporaries, violations
from tests.faults.resumed import resumed

ROUNDS = 10
RESUMED = "a download that was killed"


class Laboratory:
    """What the cases should do, as the real bitproof does it: asked for once, and kept."""

    def __init__(self, zygote: Zygote, scratch: Path) -> None:
        self.zygote = zygote
        self.scratch = scratch
        self.known: dict[Case, Expected] = {}

    def expected(self, case: Case) -> Expected:
        """The trees of a case."""
        if case not in self.known:
            place = self.scratch / str(case).replace(" ", "-")
            self.known[case] = expected(case, self.zygote, place)
        return self.known[case]


@contextmanager
def laboratory(scratch: Path) -> Iterator[Laboratory]:
    """A laboratory with a warmed-up bitproof for the block."""
    with warmed_up(scratch) as warmed:
        yield Laboratory(warmed, scratch)


def check(name: str, laboratory: Laboratory, zygote: Zygote, scratch: Path) -> list[str]:
    """Run one check on a bitproof, and return what is wrong.

    Args:
        name: ``kind: case``, or the name of a check of its own.
        laboratory: knows what the real bitproof does.
        zygote: runs the bitproof that is checked.
        scratch: an empty directory.
    """
    if name == RESUMED:
        return resumed(zygote, scratch)
    if name in damage.CHECKS:
        return damage.CHECKS[name](zygote, scratch)
    if name in races.LAYOUTS:
        return races.race(name, ROUNDS, zygote, scratch).bad
    if name == races.LATE:
        return races.late(zygote, scratch)
    kind, _, of = name.partition(": ")
    case = next(case for case in CASES if str(case) == of)
    wanted = laboratory.expected(case)
    if zygote is not laboratory.zygote:
        zygote.warm(case.argv, case.copy(wanted.template, scratch / "warm"))
        zygote.warm(case.cleanup, scratch / "warm")
    if kind in ON_CASES:
        return ON_CASES[kind](wanted, zygote)
    return campaign(wanted, next(one for one in KINDS if one.name == kind), zygote, stop=True).bad


def undisturbed(wanted: Expected, zygote: Zygote, place: Path | None = None) -> list[str]:
    """It makes the tree that it should, and a cleanup leaves the one that it should; in a copy, or in a given place."""
    run = place or wanted.case.copy(wanted.template, wanted.template.with_name("run"))
    done = zygote.run(wanted.case.argv, run)
    right = done.code == 0 and tree(run) == wanted.new
    return ([] if right else [f"another tree: {done}"]) + recovery(wanted, run, zygote)


def protocol(wanted: Expected, zygote: Zygote) -> list[str]:
    """Two runs, so that names which are random differ."""
    found: list[str] = []
    names: list[set[str]] = []
    run = wanted.template.with_name("run")
    for _ in range(2):
        _, calls = zygote.traced(wanted.case.argv, wanted.case.copy(wanted.template, run), "-f")
        found += violations(wanted.case, run, calls)
        names.append(temporaries(run, calls))
    return found + [f"{name} can be told" for name in names[0] & names[1]]


def again(wanted: Expected, zygote: Zygote) -> list[str]:
    """A second run, which finds all done; but for the last file of an update: with it the next one is done at once."""
    run = wanted.case.copy(wanted.template, wanted.template.with_name("run"))
    zygote.run(wanted.case.argv, run)
    if wanted.case.command == "update":
        _put_back(run / wanted.case.last[-1], wanted.template / wanted.case.last[-1])
    _, calls = zygote.traced(wanted.case.argv, run, "-f")
    return violations(wanted.case, run, calls) + not_made_to_last(wanted, run, calls)


def _put_back(path: Path, before: Path) -> None:
    path.unlink()
    if before.exists():
        shutil.copy2(before, path)


ON_CASES: dict[str, Callable[[Expected, Zygote], list[str]]] = {
    "undisturbed": undisturbed,
    "protocol": protocol,
    "again": again,
    "planted": lambda wanted, zygote: planted(wanted, zygote, stop=True).bad,
}
