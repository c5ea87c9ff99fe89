"""The submodules of a commit: where they lie, at which commit, and where they are fetched from (gitmodules(5)).

Their names are used for nothing, so a hostile name leads nowhere; each becomes a repository of its own at its path.
A commit without ``.gitmodules`` has none: its gitlinks stay empty directories, as with git itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bitproof.caps.checkouts.remote import relative
from bitproof.errors import InputError, Problem, shown
from bitproof.system.git.repository import Repository
from bitproof.system.git.worktree import GITLINK, TreeEntry

GITMODULES = ".gitmodules"
MAX_GITMODULES = 1 << 20
REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Submodule:
    """``path`` is below the repository's root, ``repo`` an absolute URL that a cap's may be, ``sha`` the gitlink's."""

    path: str
    repo: str
    sha: str


def submodules(repository: Repository, entries: Sequence[TreeEntry], repo: str) -> list[Submodule]:
    """The submodules of a commit.

    Args:
        repository: which has the commit.
        entries: the commit's files.
        repo: the repository's own URL.

    Raises:
        InputError: one of them has no URL, or one that is not allowed: every problem at once.
    """
    links = [entry for entry in entries if entry.mode == GITLINK]
    described = [entry for entry in entries if entry.path == GITMODULES]
    if not links or not described:
        return []
    urls = _urls(repository, described[0])
    found, problems = [], []
    for link in links:
        try:
            if link.path not in urls:
                raise ValueError(f"has no URL in {GITMODULES}")  # noqa: TRY301 - told beside the others
            url = relative(urls[link.path], repo, allow_local=repository.git.allow_local)
            found.append(Submodule(link.path, url, link.sha))
        except ValueError as error:
            problems.append(Problem(f"submodule {shown(link.path)}", str(error)))
    if problems:
        raise InputError("the submodules cannot be checked out", where=repo, problems=problems)
    return found


def _urls(repository: Repository, entry: TreeEntry) -> dict[str, str]:
    """Path to URL, as the commit says; read by git from the bytes, so that no include is followed."""
    if entry.mode not in REGULAR:
        raise InputError(f"{GITMODULES} is not a regular file", where=repository.worktree.path)
    data = repository.run(f"read {GITMODULES}", "cat-file", "blob", entry.sha)
    if len(data) > MAX_GITMODULES:
        raise InputError(f"{GITMODULES} is too large", where=repository.worktree.path, expected="at most 1 MiB")
    arguments = ("--git-dir=/dev/null", "config", "--file", "-", "--no-includes", "--list", "-z")
    listing = repository.git.run(f"read {GITMODULES}", *arguments, stdin=data)
    modules: dict[str, dict[str, str]] = {}
    for setting in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = setting.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule":
            modules.setdefault(name, {})[variable] = value
    return {module["path"]: module["url"] for module in modules.values() if {"path", "url"} <= module.keys()}
