"""Links planted at every path that a command writes: whoever plants them gets nothing written or removed elsewhere."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.campaign import Result
from tests.faults.commands import Outcome, Zygote
from tests.faults.oracle import CACHE, FAILED, LOCK, Expected, tree

PATIENCE = 5
"""Seconds, for what takes milliseconds."""
Plant = Callable[[Path, Path], None]


PLANTS: dict[str, Plant] = {
    "a symlink": lambda path, victim: path.symlink_to(victim),
    "a dangling symlink": lambda path, victim: path.symlink_to(victim.with_name("not there")),
    "a symlink to a directory": lambda path, victim: path.symlink_to(victim.parent),
    "a hard link": lambda path, victim: path.hardlink_to(victim),
    "a FIFO": lambda path, _: os.mkfifo(path),
}


def written(wanted: Expected) -> list[str]:
    """The files that a case makes, replaces or removes, its locks, its downloads, and the cache of its place."""
    changed = [
        path
        for path in sorted(wanted.old.keys() | wanted.new.keys())
        if wanted.old.get(path) != wanted.new.get(path) and "/" in path
    ]
    files = [path for path in changed if wanted.new.get(path, wanted.old.get(path, (0, b"")))[1]]
    place = wanted.case.place
    locks = wanted.case.locks or (f"{place}/{LOCK}",)
    return [*files, *wanted.unfinished, *locks, *([f"{place}/{CACHE}"] if wanted.case.command == "manifest" else [])]


def planted(wanted: Expected, zygote: Zygote, *, stop: bool = False) -> Result:
    """Plant each kind of thing at each path that a case writes, and run it; ``stop`` at the first that is bad.

    A publisher takes what has the name of its metadata for that of one who died, and goes on with the next number: what
    it says is there has to be.
    """
    result = Result()
    for path in written(wanted):
        for name, plant in PLANTS.items():
            if stop and result.bad:
                return result
            result.injected += 1
            result.bad += [f"{name} at {path}: {problem}" for problem in _planted(wanted, zygote, path, plant)]
    return result


def _planted(wanted: Expected, zygote: Zygote, path: str, plant: Plant) -> list[str]:
    run = wanted.case.copy(wanted.template, wanted.template.with_name("run"))
    outside = wanted.template.with_name("outside")
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir()
    victim = outside / "victim"
    victim.write_bytes(b"precious")
    target = run / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    plant(target, victim)
    outcome = zygote.run(wanted.case.argv, run, deadline=PATIENCE)
    found = [] if tree(outside) == {"victim": (victim.stat().st_mode, b"precious")} else ["the victim was touched"]
    if wanted.case.command == "publish" and outcome.code == 0:
        checked = zygote.run(wanted.case.cleanup, run)
        return found + ([] if checked.code == 0 else [f"published, and {checked}"])
    return found + _ended(wanted, path, run, outcome)


def _ended(wanted: Expected, path: str, run: Path, outcome: Outcome) -> list[str]:
    """It succeeds and has replaced what was planted, or it says what is wrong; it never waits for it.

    A cleanup removes regular files only, and leaves all else where it is.
    """
    if outcome.code == -signal.SIGALRM:
        return ["it hangs"]
    if outcome.code in FAILED:
        left = [name for name in tree(run) if ".tmp" in name and name not in wanted.old]
        refused = outcome.text.startswith("error: ") and "Traceback" not in outcome.text
        return [*(f"left {name}" for name in left), *([] if refused else [f"says {outcome.text}"])]
    now = tree(run).get(path)
    if outcome.code == 0 and (path in wanted.new or path in wanted.unfinished) and now != wanted.new.get(path):
        return [f"acknowledged, and there is {now}"]
    return [] if outcome.code == 0 else [f"ended with {outcome.code}: {outcome.text[-500:]}"]
