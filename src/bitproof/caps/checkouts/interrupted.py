"""A checkout in the user's own sibling that was killed half-way, and how the next one heals it.

Git writes files in place and its index last, so a killed checkout leaves files of two commits, perhaps one cut short,
and lock files. A note beside the locks says which two commits, and is only written once the sibling was found clean.
So on finding a note: a file that differs between the two commits and now has the bytes of the old one, of the new one,
or of the beginning of the new one, is git's work; anything else is the user's and nothing is touched. Git's work is
put back to the old commit, from where the checkout starts again.

The note goes with the sibling's lock (`workshop`); git itself was killed together with bitproof.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bitproof.errors import IntegrityError, Problem, UnavailableError, shown
from bitproof.system.files import Directory
from bitproof.system.git.repository import Repository, head
from bitproof.system.git.worktree import GITLINK

ABSENT = "000000"
SYMLINK = "120000"
MAX_NOTE = 200
SHOWN_FILES = 10
SHA1_DIGITS = 40
LOCKS = ("index.lock", "HEAD.lock", "shallow.lock")


class State(Enum):
    """Whose bytes a file has: none, the old commit's, those of git on its way to the new one, or the user's."""

    ABSENT = "absent"
    OLD = "old"
    OURS = "ours"
    FOREIGN = "foreign"


class Note(NamedTuple):
    """What a checkout was about to do: from ``old`` to ``new``; ``old`` is empty while it only fetches."""

    old: str
    new: str


class Change(NamedTuple):
    """A file that differs between two commits: git's modes, `ABSENT` where there is none, and object names."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str


def write_note(notes: Directory, name: str, note: Note) -> None:
    """Say what begins."""
    notes.write(name, f"{note.old} {note.new}\n".encode())


def read_note(notes: Directory, name: str) -> Note | None:
    """What was begun and not finished."""
    if notes.stat(name) is None:
        return None
    with notes.open(name) as file:
        old, _, new = file.read(MAX_NOTE).decode("ascii", "replace").rstrip("\n").partition(" ")
    return Note(old, new)


def heal(repository: Repository, notes: Directory, name: str) -> None:
    """Undo what a killed checkout left; does nothing when there is no note.

    Raises:
        IntegrityError: a file has neither commit's bytes, so that it may be the user's work; names them.
        UnavailableError: a git still works in the sibling.
    """
    note = read_note(notes, name)
    if note is None:
        return
    _drop_dead_locks(repository.worktree)
    if note.old and head(repository.worktree) == note.old:
        _put_back(repository, note)
    notes.remove(name)


def _put_back(repository: Repository, note: Note) -> None:
    if all(_staged(repository, commit) for commit in note):
        return  # staged by the user since: what is changed is reported as the user's
    changes = _changes(repository, note)
    states = {change: _state(repository, change) for change in changes}
    foreign = [change.path for change, state in states.items() if state is State.FOREIGN]
    if foreign:
        raise IntegrityError(
            f"an interrupted checkout cannot be finished: {len(foreign)} files are of neither commit",
            where=repository.worktree.path,
            expected=f"the files of {note.old} or {note.new}",
            problems=[Problem("", shown(path)) for path in foreign[:SHOWN_FILES]],
            fix="move these files away, then try again",
        )
    for change, state in states.items():
        if state is State.OURS:
            _remove(repository.worktree, change.path)
    repository.run("put the index back", "read-tree", note.old)  # after the removals: the disk may be full
    missing = [change for change, state in states.items() if state is not State.OLD and change.old_mode != ABSENT]
    restored = "".join(f"{change.path}\0" for change in missing)
    arguments = ("checkout-index", "--quiet", "-z", "--stdin")
    repository.run("put back the files of the old commit", *arguments, stdin=os.fsencode(restored))
    repository.run("examine the files", "update-index", "-q", "--refresh", "--ignore-submodules")


def _staged(repository: Repository, commit: str) -> bool:
    """Whether the index is not that commit's."""
    return bool(repository.run("compare the index", "diff-index", "--cached", "--name-only", "-z", commit, "--"))


def _changes(repository: Repository, note: Note) -> list[Change]:
    raw = repository.paths("compare the commits", "diff-tree", "-r", "-z", "--no-renames", note.old, note.new, "--")
    changes = []
    for state, path in zip(raw[::2], raw[1::2], strict=True):
        old_mode, new_mode, old, new, _ = state.removeprefix(":").split(" ")
        if GITLINK not in {old_mode, new_mode}:
            changes.append(Change(path, old_mode, new_mode, old, new))
    return changes


def _state(repository: Repository, change: Change) -> State:
    """What the file is now; a file that changes only its mode is made anew rather than judged."""
    data = _read(repository.worktree, change.path)
    if data is None:
        return State.ABSENT
    kind = hashlib.sha1 if len(change.new) == SHA1_DIGITS else hashlib.sha256
    found = kind(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    if found == change.old != change.new:
        return State.OLD
    if found == change.new:
        return State.OURS
    if change.new_mode in {ABSENT, SYMLINK}:
        return State.FOREIGN
    begun = repository.run("read a file of the commit", "cat-file", "blob", change.new).startswith(data)
    return State.OURS if begun else State.FOREIGN


def _read(worktree: Directory, path: str) -> bytes | None:
    """A file's bytes or a symlink's target, no directory on the way being a symlink; None for anything else."""
    for directory, name in _parent(worktree, path):
        state = directory.stat(name)
        if state is not None and stat.S_ISLNK(state.st_mode):
            return os.fsencode(os.readlink(name, dir_fd=directory.fd))
        if state is not None and stat.S_ISREG(state.st_mode):
            with directory.open(name) as file:
                return file.read(file.size)
    return None


def _parent(worktree: Directory, path: str) -> Iterator[tuple[Directory, str]]:
    """The directory that a path ends in and its last part: once, or never when it cannot be reached."""
    first, slash, rest = path.partition("/")
    if not slash:
        yield worktree, path
        return
    try:
        child = worktree.child(first)
    except UnavailableError:
        return
    with child:
        yield from _parent(child, rest)


def _remove(worktree: Directory, path: str) -> None:
    """Remove a file, and the directories above it that this leaves empty."""
    for directory, name in _parent(worktree, path):
        directory.remove(name)
    with suppress(OSError):
        for parent in list(PurePosixPath(path).parents)[:-1]:
            os.rmdir(parent, dir_fd=worktree.fd)


def refuse_locks(worktree: Directory) -> None:
    """Before a note is written, so that no lock of the user's own git is ever taken for a dead one.

    Raises:
        UnavailableError: git is at work in the sibling, or died there under someone else's hand.
    """
    with worktree.child(".git") as directory:
        found = next((name for name in LOCKS if directory.stat(name) is not None), None)
        if found:
            what = "another git works in the sibling, or was killed there"
            fix = f"if no git runs there, remove {directory.path / found}"
            raise UnavailableError(what, where=worktree.path, found=found, fix=fix)


def has_lock(worktree: Directory) -> bool:
    """Whether a git is at work in the sibling, or died there."""
    with worktree.child(".git") as directory:
        return any(directory.stat(name) is not None for name in LOCKS)


def _drop_dead_locks(worktree: Directory) -> None:
    """Remove the lock files that a killed git left.

    Raises:
        UnavailableError: a git is alive in the sibling.
    """
    with worktree.child(".git") as directory:
        names = [name for name in LOCKS if directory.stat(name) is not None]
        if names and (alive := _git_at_work(worktree.path, {str(directory.path / name) for name in names})):
            fix = "wait for it to end, then try again"
            raise UnavailableError("another git works in the sibling", where=worktree.path, found=alive, fix=fix)
        for name in names:
            directory.remove(name)
    refs = worktree.path / ".git" / "refs" / "bitproof"
    for lock in refs.rglob("*.lock"):
        with Directory(lock.parent) as parent:
            parent.remove(lock.name)


def _git_at_work(worktree: Path, locks: set[str]) -> str:
    """A process that has a lock file open, or is a git that runs in the sibling, as far as this user may see."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().startswith("git"):
                place = (process / "cwd").readlink()
                if place == worktree or worktree in place.parents:
                    return f"process {process.name}"
            if any(str(link.readlink()) in locks for link in (process / "fd").iterdir()):
                return f"process {process.name}"
    return ""
