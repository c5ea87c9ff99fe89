"""Which states are right after a command was disturbed, told from outside: the tree before, and the tree it makes.

Nothing here knows how bitproof writes. A run may leave each path as it was or as it will be, the path that is written
last may be new only when all else is, and no inode that was there before may have changed. A run that ends well has
made the new tree; one that fails says so and leaves no temporary. Whatever happened, the same command then succeeds
with just the new tree, and one cleanup leaves nothing that a cleanup of an undisturbed run would not leave.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitproof.model.names import is_hash_name
from bitproof.system.hashing import bytes_digest
from bitproof.system.net.partial import SUFFIX
from tests.faults.cases import Case, descriptors
from tests.faults.channels import downloads
from tests.faults.commands import KILLED, Outcome, Zygote

Tree = dict[str, tuple[int, bytes]]
"""Mode and bytes of every path; what a symlink leads to; nothing for a directory."""

FAILED = (1, 2, 3)
UNAVAILABLE = 3
LOCK, CACHE = ".bitproof.lock", ".bitproof-digests.json"
LOCKS = (LOCK, ".history.lock", ".stable.lock")


def tree(root: Path) -> Tree:
    """Everything below a directory but locks and caches, which hold nothing that is missed."""
    found = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(directory, name)
            if name not in {*LOCKS, CACHE}:
                found[str(path.relative_to(root))] = (path.lstat().st_mode, _content(path))
    return found


def _content(path: Path) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return os.fsencode(path.readlink())
    return path.read_bytes() if stat.S_ISREG(mode) else b""


def is_temporary(path: str) -> bool:
    """Whether it is what a writer leaves that was killed."""
    return Path(path).name.startswith(".bitproof-") and path.endswith(".tmp")


@dataclass(frozen=True, slots=True)
class Expected:
    """The trees of a case: before, after, and after a cleanup; and what of it may be different in between.

    ``between`` may be there in the place of what is old or new, ``unfinished`` are downloads, which the next run needs:
    each path with the bytes that it will have.
    """

    case: Case
    template: Path
    old: Tree
    new: Tree
    clean: Tree
    between: Tree
    unfinished: dict[str, bytes]


def expected(case: Case, zygote: Zygote, scratch: Path) -> Expected:
    """Lay a case out, and run it undisturbed with the real bitproof, which then has all imported for later runs."""
    template, run = scratch / "template", scratch / "warm"
    template.mkdir(parents=True)
    case.lay_out(template)
    prepare(case, template, zygote, run)
    old, new = tree(template), tree(run)
    cleaned = zygote.run(case.cleanup, run)
    assert cleaned.code == 0, cleaned
    assert new != old, case
    between = {path: (new[path][0], data) for path, data in case.between(template).items()}
    return Expected(case, template, old, new, tree(run), between, _downloads(case, old, new))


def _downloads(case: Case, old: Tree, new: Tree) -> dict[str, bytes]:
    """What an update keeps of the files that it brings, until they have their names in the store."""
    found: dict[str, bytes] = {}
    for path in new.keys() - old.keys():
        data = new[path][1]
        if case.command == "update" and is_hash_name(Path(path).name):
            part, journal = downloads(bytes_digest(data))
            found |= {part: data, journal: b""}
    return found


def prepare(case: Case, template: Path, zygote: Zygote, run: Path) -> None:
    """Run a case and a cleanup, so that the warmed-up Python has all imported, then the case once more."""
    case.copy(template, run)
    assert zygote.warm(case.argv, run) == 0, case
    zygote.warm(case.cleanup, run)
    case.copy(template, run)
    outcome = zygote.run(case.argv, run)
    assert outcome.code == 0, outcome


@contextmanager
def held(run: Path) -> Iterator[list[str]]:
    """Hold every file open, as a running VM would; the list says at the end of the block which ones changed."""
    files = list(descriptors(run))
    changed: list[str] = []
    try:
        yield changed
        changed += [
            f"a file that was open changed: {data[:20]!r}"
            for fd, data in files
            if os.fstat(fd).st_size != len(data) or os.pread(fd, len(data) + 1, 0) != data
        ]
    finally:
        for fd, _ in files:
            os.close(fd)


def problems(wanted: Expected, run: Path, outcome: Outcome) -> list[str]:
    """What is wrong with the state that a disturbed run left, and with what it said."""
    now = tree(run)
    left = [path for path in now if is_temporary(path) and path not in wanted.old]
    kept = {path: now[path] for path in now.keys() & wanted.unfinished}
    now = {path: entry for path, entry in now.items() if path not in {*left, *kept}}
    found = _mixed(wanted, now) + _damaged_cache(run) + _unusable(wanted, kept)
    if outcome.code == 0 and (now != wanted.new or left or kept):
        found.append(f"acknowledged, and not done: {_difference(wanted.new, now)} {[*left, *kept]}")
    if outcome.code in FAILED:
        found += [f"failed, and left {path}" for path in left]
        found += _unproved(wanted, kept) if outcome.code != UNAVAILABLE else []
        found += [] if "error: " in outcome.text and "Traceback" not in outcome.text else [f"says: {outcome.text!r}"]
    if outcome.code not in {0, KILLED, *FAILED}:
        found.append(f"ended with {outcome.code}: {outcome.text[-500:]}")
    return found


def _mixed(wanted: Expected, now: Tree) -> list[str]:
    found = [
        f"neither old nor new: {path} {now.get(path)}"
        for path in sorted(now.keys() | wanted.old.keys() | wanted.new.keys())
        if now.get(path) not in {wanted.old.get(path), wanted.new.get(path)}
        and now.get(path, ()) != wanted.between.get(path)
    ]
    for at, path in enumerate(wanted.case.last):
        others = sorted((wanted.old.keys() | wanted.new.keys()).difference(wanted.case.last[at + 1 :]))
        missing = [other for other in others if now.get(other) != wanted.new.get(other)]
        if now.get(path) == wanted.new.get(path) != wanted.old.get(path) and missing:
            found.append(f"{path} came before {', '.join(missing)}")
    return found


def _unusable(wanted: Expected, kept: Tree) -> list[str]:
    """Downloads that are not as the next run needs them: its owner's, of their size or empty; proved when read-only."""
    found = []
    for path, (mode, data) in kept.items():
        whole = wanted.unfinished[path]
        begun = mode == stat.S_IFREG | 0o600 and (not whole or len(data) in {0, len(whole)})
        if not begun and (mode, data) != (stat.S_IFREG | 0o444, whole):
            found.append(f"kept a download that is no use: {path} {oct(mode)} {len(data)} bytes")
    return found


def _unproved(wanted: Expected, kept: Tree) -> list[str]:
    """Downloads that stay although wrong bytes came: only those of other files may, which are whole."""
    parts = {path: path.removesuffix(SUFFIX) for path in kept}
    return [
        f"failed for wrong bytes, and left {path}"
        for path, part in parts.items()
        if part not in kept or kept[part][1] != wanted.unfinished[part]
    ]


def _damaged_cache(run: Path) -> list[str]:
    """Caches that are no whole JSON: they are renamed into place too."""
    found = []
    for path in run.rglob(CACHE):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            found.append(f"{path.name} is torn")
    return found


def _difference(wanted: Tree, now: Tree) -> str:
    return ", ".join(path for path in sorted(wanted.keys() | now.keys()) if wanted.get(path) != now.get(path))


def recovery(wanted: Expected, run: Path, zygote: Zygote) -> list[str]:
    """What is wrong after the same command is run again, and after one cleanup."""
    found = []
    again = zygote.run(wanted.case.argv, run)
    now = {path: entry for path, entry in tree(run).items() if not is_temporary(path) or path in wanted.new}
    if again.code or now != wanted.new:
        found.append(f"the next run: {again.code} {again.text[-500:]} {_difference(wanted.new, now)}")
    cleaned = zygote.run(wanted.case.cleanup, run)
    if cleaned.code or tree(run) != wanted.clean:
        found.append(f"after a cleanup: {cleaned.code} {cleaned.text[-500:]} {_difference(wanted.clean, tree(run))}")
    return found
