"""Whether a sibling is fit to be pinned: nothing uncommitted, and HEAD on a branch or tag of the cap's own remote.

A fork's commits are served under the parent's URL, so that "the server gives it" proves
nothing. The answer comes from a repository that is made for the question and goes away: neither the sibling's refs nor
its objects are used, and none of them change.
"""

from contextlib import ExitStack
from pathlib import Path

from bitproof.caps.checkouts.remote import absolute, contained
from bitproof.caps.checkouts.workshop import scratch, sibling_lock, workshop
from bitproof.caps.siblings import Roots, open_sibling
from bitproof.errors import InputError, IntegrityError, UnavailableError, shown
from bitproof.model.caps_manifest import Cap, check_repo
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from bitproof.system.git.worktree import GITLINK, changed_files, tree
from bitproof.system.lock import Waiting, silent

MAX_NESTED = 8
SHOWN_FILES = 10


def remote_contains(cap: Cap, sha: str, git_root: Path, git: Git, *, base: Path, waiting: Waiting = silent) -> bool:
    """Whether a branch or tag of the cap's remote holds a commit: what `regen` asks before it pins one.

    Works in a repository of its own, which goes away: neither the sibling's refs nor its objects are used. Takes the
    sibling's lock. Raises as `checkout`.
    """
    try:
        repo = absolute(check_repo(cap.repo, allow_local=git.allow_local), base)
    except ValueError as error:
        raise InputError(f"cap {cap.id} has no remote that can be asked: {error}") from None
    with (
        sibling_lock(git_root, cap.sibling, waiting),
        workshop(git_root, cap.sibling) as (_, clones, _notes),
        scratch(clones) as (_name, empty),
    ):
        return contained(git, empty, repo, sha)


def pinnable_head(cap: Cap, roots: Roots, git: Git, waiting: Waiting = silent) -> str:
    """The commit to pin for a cap: its sibling's HEAD; for a precomposed cap the own repository's.

    Args:
        cap: which.
        roots: where its sibling is.
        git: how git is run.
        waiting: told the lock's path before waiting for a sync of the sibling.

    Raises:
        IntegrityError: uncommitted changes, or no branch or tag of the cap's remote holds HEAD.
        InputError: there is no checkout or no commit, or git may not be used in it.
        UnavailableError: git or the remote does not serve.
    """
    with open_sibling(roots, cap) as sibling:
        commit = head(sibling)
        if commit is None:
            raise InputError("there is no commit to pin", where=sibling.path)
        if cap.precomposed:
            return commit
        changed = uncommitted(git, sibling)
    if changed:
        found = f"{', '.join(shown(path) for path in changed[:SHOWN_FILES])}"
        more = len(changed) - SHOWN_FILES
        found += f" and {more} more" if more > 0 else ""
        raise IntegrityError("the sibling has uncommitted changes", found=found)
    if not remote_contains(cap, commit, roots.git_root, git, base=roots.own, waiting=waiting):
        raise IntegrityError(
            "no branch or tag of the remote holds HEAD", expected=f"a commit of {cap.repo}", found=commit
        )
    return commit


def uncommitted(git: Git, worktree: Directory, depth: int = 0) -> list[str]:
    """Changed files as `changed_files`, those of submodules too, and submodules that are not at their recorded commit.

    Git itself is never sent into a submodule, whose own config it would believe.
    """
    repository = git.open(worktree)
    changed = changed_files(repository)
    sha = head(worktree)
    links = [entry for entry in tree(repository, sha) if entry.mode == GITLINK] if sha and depth < MAX_NESTED else []
    for link in links:
        with ExitStack() as stack:
            inner = worktree
            try:
                for part in link.path.split("/"):
                    inner = stack.enter_context(inner.child(part))
            except UnavailableError:
                continue
            found = head(inner)
            if found is None:
                continue
            if found != link.sha:
                changed.append(link.path)
            changed += [f"{link.path}/{path}" for path in uncommitted(git, inner, depth + 1)]
    return changed
