"""One cap's work: the sibling's lock, checkout, build; or a precomposed cap's script. What `sync` does, joined here."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bitproof.caps.builds.build import build
from bitproof.caps.builds.environment import BuildSettings
from bitproof.caps.checkouts.checkout import checkout_locked, sibling_lock
from bitproof.caps.siblings import Roots, digest_below, open_sibling
from bitproof.caps.survey import recorded_parts
from bitproof.errors import BitproofError, InputError, IntegrityError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from bitproof.system.git.worktree import commit_time, has_commit, is_ancestor, is_shallow
from bitproof.system.lock import Waiting, locked, silent

NO_COMMIT_EPOCH = 315_532_800
"""1980-01-01, as in images: a product that is in no repository has no commit's time."""

Began = Callable[[Cap, str], None]
"""Told a cap and the step that begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What holds for every cap of one sync.

    Args:
        roots: where siblings and artifacts are.
        git: how git is run.
        settings: how builds are run.
        stopped: asked now and then; a yes ends what runs.
        waiting: told a lock's path before waiting for another bitproof.
    """

    roots: Roots
    git: Git
    settings: BuildSettings
    stopped: Callable[[], bool]
    waiting: Waiting = silent

    def make(self, cap: Cap, began: Began) -> None:
        """Bring the sibling to its pin and build the artifact, with every other bitproof kept out.

        Raises:
            BitproofError: see `checkout_locked` and `build`.
        """
        with sibling_lock(self.roots.git_root, cap.sibling, self.waiting):
            if self._is_done(cap):  # by the bitproof that was waited for
                return
            began(cap, "checkout")
            checkout_locked(cap, self.roots.git_root, self.git, base=self.roots.own)
            with open_sibling(self.roots, cap) as sibling:
                build(
                    cap,
                    sibling.path,
                    self.settings,
                    commit=cap.sha,
                    epoch=commit_time(self.git.open(sibling), cap.sha),
                    began=lambda step: began(cap, step),
                    stopped=self.stopped,
                )

    def precompose(self, cap: Cap, parts: tuple[tuple[str, Digest], ...], began: Began) -> None:
        """Make a precomposed artifact in the manifest's own repository; ``parts`` are what it may be made of.

        Its SOURCE_DATE_EPOCH is the time of the pinned commit: HEAD moves with every change of the product.
        """
        with Directory(self.roots.own) as own, locked(own, waiting=self.waiting):
            if self._is_done(cap) and dict(recorded_parts(cap, self.roots)) == dict(parts):
                return
            commit, epoch = self.own_commit(cap.sha)
            build(
                cap,
                self.roots.own,
                self.settings,
                commit=commit,
                epoch=epoch,
                parts=parts,
                began=lambda step: began(cap, step),
                stopped=self.stopped,
            )

    def _is_done(self, cap: Cap) -> bool:
        """Whether the cap is as it is pinned, read from the disk."""
        with suppress(BitproofError), open_sibling(self.roots, cap) as sibling:
            at_pin = cap.precomposed or head(sibling) == cap.sha
            return at_pin and digest_below(*self.roots.place(cap)) == cap.digest
        return False

    def own_commit(self, timed: str = "") -> tuple[str, int]:
        """The own repository's HEAD and its time; without a repository, no commit and 1980.

        Args:
            timed: a precomposed cap's pin, whose time is wanted instead. A shallow clone may not have it.

        Raises:
            IntegrityError: the pin is not HEAD or an ancestor of it (FORMATS section 6).
            BitproofError: there is a repository, and git may not be used in it: another time would give other bytes.
        """
        with Directory(self.roots.own) as own:
            if own.stat(".git") is None:
                return "", NO_COMMIT_EPOCH
            try:
                commit = head(own)
                repository = self.git.open(own)
            except InputError as error:
                fix = "use a plain clone of the product: what points out of it is not followed"
                raise InputError(error.what, where=error.where, problems=error.problems, fix=fix) from None
            if not commit:
                return "", NO_COMMIT_EPOCH
            if not timed.strip("0"):
                return commit, commit_time(repository, commit)
            known = has_commit(repository, timed)
            if not (is_ancestor(repository, timed, commit) if known else is_shallow(repository)):
                raise IntegrityError(
                    "the pin is not in the history of the product",
                    where=own.path,
                    expected=f"{commit} or an ancestor of it",
                    found=timed,
                    fix="bitproof caps regen with the cap's id pins the own HEAD",
                )
            return commit, commit_time(repository, timed if known else commit)
