"""bitproof's own directory below the git root: ``.bitproof``, with locks, half-made clones and notes of checkouts.

``locks/<sibling>.lock`` is held for as long as anything of that sibling changes; ``clones/<sibling>/`` and
``notes/<sibling>/`` belong to its holder. So whatever lies in ``clones/<sibling>/`` when the lock is taken is dead; a
git that outlived its bitproof may still write there for a while, which harms nobody: names are never used again.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bitproof.errors import BitproofError, InputError, shown
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent

WORKSHOP = ".bitproof"


@contextmanager
def sibling_lock(git_root: Path, sibling: str, waiting: Waiting = silent) -> Iterator[None]:
    """Keep every other bitproof out of a sibling, for as long as it is checked out and built.

    Raises:
        UnavailableError: the git root cannot be written.
        InputError: the sibling has the name of bitproof's own directory.
    """
    if sibling == WORKSHOP or "/" in sibling:
        raise InputError("not a name for a sibling", where=git_root, found=shown(sibling))
    with ExitStack() as stack:
        root = stack.enter_context(Directory(git_root, create=True, what="the git root"))
        own = stack.enter_context(root.child(WORKSHOP, create=True))
        locks = stack.enter_context(own.child("locks", create=True))
        stack.enter_context(locked(locks, waiting=waiting, name=f"{sibling}.lock"))
        yield


@contextmanager
def workshop(git_root: Path, sibling: str) -> Iterator[tuple[Directory, Directory, Directory]]:
    """The git root, an empty directory for clones, and the notes of this sibling; the lock is held."""
    with ExitStack() as stack:
        root = stack.enter_context(Directory(git_root, what="the git root"))
        own = stack.enter_context(root.child(WORKSHOP))
        clones = stack.enter_context(own.child("clones", create=True))
        _removed(clones, sibling)
        mine = stack.enter_context(clones.child(sibling, create=True))
        stack.callback(_removed, clones, sibling)
        notes = stack.enter_context(own.child("notes", create=True))
        yield root, mine, stack.enter_context(notes.child(sibling, create=True))


@contextmanager
def scratch(clones: Directory) -> Iterator[tuple[str, Directory]]:
    """An empty directory with a name nobody can guess; gone at the end, unless it was renamed."""
    name = os.urandom(8).hex()
    with clones.child(name, create=True) as directory:
        try:
            yield name, directory
        finally:
            _removed(clones, name)


def _removed(directory: Directory, name: str) -> None:
    """Remove what is not needed any more; what cannot be removed now is removed by the next one."""
    with suppress(BitproofError):
        directory.remove_tree(name)
