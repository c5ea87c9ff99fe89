"""Whether a sibling is fit to be pinned: nothing uncommitted, and HEAD on a branch or tag of the cap's own remote.

A fork's commits are served under the parent's URL, so that "the server gives it" proves
nothing. The answer comes from a repository that is made for the question and goes away: neither the sibling's refs nor
its objects are used, and none of them change.
"""

from contextlib import ExitStack
from pathlib import Path

from bitproof.caps.checkouts.remote import absolute, contained
from bitproof.caps.checkouts.workshop import scratch, sibling_lock, workshop
from bitproof.errors import InputError, IntegrityError, Problem, UnavailableError, shown
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


def published_head(cap: Cap, git_root: Path, git: Git, *, base: Path, waiting: Waiting = silent) -> str:
    """The commit that `regen` pins for a cap.

    Raises:
        IntegrityError: the sibling has uncommitted changes, or no branch or tag of its remote holds its HEAD.
        InputError: there is no commit, or the sibling is not one that bitproof lets git use.
        UnavailableError: it is missing, or the remote cannot be asked.
    """
    with Directory(git_root, what="the git root") as root, root.child(cap.sibling) as sibling:
        sha = head(sibling)
        if sha is None:
            raise InputError("the sibling has no commit", where=sibling.path, fix="bitproof caps sync")
        changed = uncommitted(git, sibling)
        if changed:
            raise IntegrityError(
                "the sibling has uncommitted changes",
                where=sibling.path,
                found=f"{len(changed)} {'file' if len(changed) == 1 else 'files'}",
                problems=[Problem("", path if path.isprintable() else shown(path)) for path in changed[:SHOWN_FILES]],
                fix="commit and push them first",
            )
    if not remote_contains(cap, sha, git_root, git, base=base, waiting=waiting):
        raise IntegrityError(
            "no branch or tag of the remote has the sibling's HEAD",
            where=git_root / cap.sibling,
            expected=f"a commit of {cap.repo}",
            found=sha,
            fix="push it first",
        )
    return sha


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
