"""Bring a sibling to exactly the pinned commit, and lose nothing of the user's (FORMATS section 6, ``caps sync``).

1. The sibling's lock is taken: ``<git root>/.bitproof/locks/<sibling>.lock``. Two syncs of one git root both end well.
2. Clones that a killed run left under ``.bitproof/clones/<sibling>/`` are removed: under the lock, all are dead.
3. No sibling yet: a clone is made there, checked out, proved, and renamed into place; there is never half a sibling.
4. A sibling that is there: examined before git runs in it, healed after a kill (`interrupted`), refused with
   uncommitted changes or untracked files in the way; the commit is fetched if missing; a plain detached checkout.
5. HEAD is read and compared with the pin. Then the submodules, each in the same way.

Nothing is ever forced, reset, stashed or cleaned. What is left out: whether the remote's refs hold the commit, which
`published` answers for `regen`.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bitproof.caps.checkouts.interrupted import Note, has_lock, heal, refuse_locks, write_note
from bitproof.caps.checkouts.remote import absolute, checked_format, fetch_commit, object_format
from bitproof.caps.checkouts.submodules import Submodule, submodules
from bitproof.caps.checkouts.workshop import scratch, sibling_lock, workshop
from bitproof.errors import BitproofError, InputError, IntegrityError, Problem, shown
from bitproof.model.caps_manifest import Cap, check_repo
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, Repository, head
from bitproof.system.git.worktree import TreeEntry, changed_files, conflicts, has_commit, is_shallow, tree
from bitproof.system.lock import Waiting, silent
from bitproof.system.process import OverdueError

__all__ = ["checkout", "checkout_locked", "sibling_lock"]

MAX_NESTED = 8
SHOWN_FILES = 10


def checkout(cap: Cap, git_root: Path, git: Git, *, base: Path, waiting: Waiting = silent) -> None:
    """Bring a cap's sibling to its pin, under the sibling's lock.

    Args:
        cap: not precomposed, its ``sha`` not a placeholder.
        git_root: where siblings are; made when missing.
        git: how git is run.
        base: where a relative local ``repo`` starts: the manifest's directory.
        waiting: told the lock's path before waiting for another bitproof.

    Raises:
        IntegrityError: it would overwrite files, or HEAD is not the pin afterwards.
        InputError: the sibling, its config or a submodule is not one that bitproof lets git use.
        UnavailableError: git is missing or failed, or the remote did; the step, the command, the last lines.
    """
    with sibling_lock(git_root, cap.sibling, waiting):
        checkout_locked(cap, git_root, git, base=base)


def checkout_locked(cap: Cap, git_root: Path, git: Git, *, base: Path) -> None:
    """As `checkout`, for a caller that holds `sibling_lock`."""
    try:
        repo = absolute(check_repo(cap.repo, allow_local=git.allow_local), base)
    except ValueError as error:
        raise InputError(f"cap {cap.id} cannot be cloned: {error}") from None
    with workshop(git_root, cap.sibling) as (root, clones, notes):
        pin = _Pin(cap.sibling, repo, cap.sha)
        _Checkout(git, clones, notes).bring(root, pin)


@dataclass(frozen=True, slots=True)
class _Pin:
    """What must be where: ``path`` names a sibling or a submodule in messages and notes."""

    path: str
    repo: str
    sha: str

    @property
    def note(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Checkout:
    """One sibling's checkout, its submodules included."""

    git: Git
    clones: Directory
    notes: Directory
    depth: int = 0

    def bring(self, parent: Directory, pin: _Pin) -> None:
        """Have the repository at ``parent``/last part of the pin's path at the pin."""
        name = pin.path.rpartition("/")[2]
        state = parent.stat(name)
        if state is not None and not stat.S_ISDIR(state.st_mode):
            found = "a symlink" if stat.S_ISLNK(state.st_mode) else "a file"
            fix = "move it away; set local_dir if the checkout has another name"
            raise InputError(
                "the sibling is not a directory", where=parent.path / name, expected="a directory", found=found, fix=fix
            )
        if state is None or _is_empty(parent, name):
            self.clone(parent, name, pin)
        else:
            with parent.child(name) as worktree:
                self.update(worktree, pin)

    def clone(self, parent: Directory, name: str, pin: _Pin) -> None:
        """Make the whole checkout elsewhere, then rename it into place."""
        with scratch(self.clones) as (temporary, worktree):
            repository = self.git.make(worktree, object_format(pin.sha))
            repository.run("name the remote", "remote", "add", "--", "origin", pin.repo)
            fetch_commit(repository, pin.repo, pin.sha, shallow=True, tether=False)
            entries = tree(repository, pin.sha)
            within = submodules(repository, entries, pin.repo)
            self.switch(repository, pin, tether=False)
            self.submodules(worktree, pin, within)
            self.clones.move(temporary, parent, name)

    def update(self, worktree: Directory, pin: _Pin) -> None:
        """Move a checkout that is there to the pin."""
        repository = self.git.open(worktree)
        heal(repository, self.notes, pin.note)
        checked_format(repository, pin.sha)
        before = head(worktree)
        changed = changed_files(repository)
        if changed:
            raise _would_overwrite(worktree, changed, "uncommitted changes")
        if not has_commit(repository, pin.sha):
            self.fetch(repository, pin)
        entries = tree(repository, pin.sha)
        within = submodules(repository, entries, pin.repo)
        if before != pin.sha:
            self.move(repository, pin, before, entries)
        self.submodules(worktree, pin, within)

    def fetch(self, repository: Repository, pin: _Pin) -> None:
        """Fetch the pin into a checkout that is there. A failure is no kill, and needs no healing."""
        refuse_locks(repository.worktree)
        write_note(self.notes, pin.note, Note("", pin.sha))
        try:
            fetch_commit(repository, pin.repo, pin.sha, shallow=is_shallow(repository), tether=True)
        except BitproofError as error:
            self.after_failure(repository, pin, killed=isinstance(error, OverdueError))
            raise
        self.notes.remove(pin.note)

    def move(self, repository: Repository, pin: _Pin, before: str | None, entries: Sequence[TreeEntry]) -> None:
        """The checkout proper, in a clean checkout; a kill on the way leaves a note for the next one."""
        untracked = conflicts(repository, entries)
        if untracked:
            raise _would_overwrite(repository.worktree, untracked, "untracked files in the way")
        refuse_locks(repository.worktree)
        if before is not None:
            write_note(self.notes, pin.note, Note(before, pin.sha))
        try:
            self.switch(repository, pin, tether=True)
        except BitproofError as error:
            self.after_failure(repository, pin, killed=isinstance(error, OverdueError))
            raise
        self.notes.remove(pin.note)

    def after_failure(self, repository: Repository, pin: _Pin, *, killed: bool) -> None:
        """Heal at once; when that fails the note stays, and the next one heals or says why it cannot.

        A git that was not killed removes its own lock, so one that is there is another's, and ours changed nothing.
        """
        if not killed and has_lock(repository.worktree):
            self.notes.remove(pin.note)
            return
        with suppress(BitproofError):
            heal(repository, self.notes, pin.note)

    def switch(self, repository: Repository, pin: _Pin, *, tether: bool) -> None:
        """Check out the commit, which git refuses rather than lose a file, and prove HEAD."""
        arguments = ("checkout", "--quiet", "--detach", "--no-recurse-submodules", "--no-overwrite-ignore")
        repository.run("check out the pinned commit", *arguments, pin.sha, "--", tether=tether)
        found = head(repository.worktree)
        if found != pin.sha:
            where = repository.worktree.path
            raise IntegrityError("HEAD is not the pin after the checkout", where=where, expected=pin.sha, found=found)

    def submodules(self, worktree: Directory, pin: _Pin, within: Sequence[Submodule]) -> None:
        """Bring every submodule to its recorded commit; no directory on the way may be a symlink."""
        if within and self.depth >= MAX_NESTED:
            raise InputError("submodules are nested too deep", where=worktree.path, expected=f"at most {MAX_NESTED}")
        inner = _Checkout(self.git, self.clones, self.notes, self.depth + 1)
        for submodule in within:
            with ExitStack() as stack:
                parent = worktree
                for part in submodule.path.split("/")[:-1]:
                    parent = stack.enter_context(parent.child(part, create=True))
                inner.bring(parent, _Pin(f"{pin.path}/{submodule.path}", submodule.repo, submodule.sha))


def _is_empty(parent: Directory, name: str) -> bool:
    with parent.child(name) as directory:
        return not directory.names()


def _would_overwrite(worktree: Directory, files: Sequence[str], why: str) -> IntegrityError:
    return IntegrityError(
        f"would overwrite {len(files)} {'file' if len(files) == 1 else 'files'}",
        where=worktree.path,
        found=why,
        problems=[Problem("", path if path.isprintable() else shown(path)) for path in files[:SHOWN_FILES]],
        fix="commit, stash or move them away, then try again",
    )
