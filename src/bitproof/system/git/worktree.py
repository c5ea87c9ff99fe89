"""What a checkout has of its user's, and what a commit would put there. Nothing here changes anything."""

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from bitproof.errors import InputError
from bitproof.system.files import Directory
from bitproof.system.git.repository import Repository

GITLINK = "160000"


class TreeEntry(NamedTuple):
    """One file of a commit. ``mode`` is git's, in octal: ``100644``, ``100755``, ``120000``, `GITLINK`."""

    mode: str
    sha: str
    path: str


def has_commit(repository: Repository, sha: str) -> bool:
    """Whether the repository has this object, and it is a commit.

    Raises:
        InputError: the object is there and is not a commit.
    """
    answer = repository.run("look for the commit", "cat-file", "--batch-check", stdin=f"{sha}\n".encode()).decode()
    kind = answer.split()[1:2]
    if kind == ["missing"]:
        return False
    if kind != ["commit"]:
        raise InputError(
            "the pin is not a commit", where=repository.worktree.path, expected=f"commit {sha}", found=answer.strip()
        )
    return True


def is_ancestor(repository: Repository, sha: str, of: str) -> bool:
    """Whether a commit is ``of`` or one of its ancestors; in a shallow clone as far as its history goes."""
    return not repository.run("compare the commits", "rev-list", "--max-count=1", sha, f"^{of}", "--")


def is_shallow(repository: Repository) -> bool:
    """Whether the repository lacks history on purpose: that a commit is not there then says nothing."""
    return (repository.worktree.path / ".git" / "shallow").exists()


def tree(repository: Repository, sha: str) -> list[TreeEntry]:
    """Every file, symlink and submodule of a commit."""
    entries = []
    for line in repository.paths("list the files of the commit", "ls-tree", "-r", "-z", "--full-tree", sha):
        state, path = line.split("\t", 1)
        mode, _, oid = state.split(" ")
        entries.append(TreeEntry(mode, oid, path))
    return entries


def changed_files(repository: Repository) -> list[str]:
    """Tracked files with uncommitted changes, staged or not, and those that git was told not to look at.

    Submodules are not looked into.
    """
    status = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
    changed = {entry[3:] for entry in repository.paths("look for uncommitted changes", *status)}
    marked = [entry.split(" ", 1) for entry in repository.paths("list the tracked files", "ls-files", "-v", "-z")]
    return sorted(changed | {path for tag, path in marked if tag.islower() or tag == "S"})


def conflicts(repository: Repository, entries: Iterable[TreeEntry]) -> list[str]:
    """Untracked files, ignored ones too, that stand where a checkout of ``entries`` would put another file."""
    tracked = set(repository.paths("list the tracked files", "ls-files", "-z"))
    found = set()
    for entry in entries:
        if entry.path not in tracked and (path := _in_the_way(repository.worktree, entry, tracked)):
            found.add(path)
    return sorted(found)


def _in_the_way(worktree: Directory, entry: TreeEntry, tracked: set[str]) -> str:
    """The untracked file at ``entry``, or at a directory above it; empty when there is none."""
    parts = entry.path.split("/")
    for count in range(1, len(parts) + 1):
        path = "/".join(parts[:count])
        try:
            state = os.stat(path, dir_fd=worktree.fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if not stat.S_ISDIR(state.st_mode):
            return "" if path in tracked else path
    return ""  # a directory: git itself refuses to lose files in it


def commit_time(repository: Repository, sha: str) -> int:
    """When a commit was made, in seconds: the ``SOURCE_DATE_EPOCH`` of what is built from it.

    Raises:
        InputError: the commit has no time that can be read.
    """
    head, _, _ = repository.run("read the commit", "cat-file", "commit", sha).partition(b"\n\n")
    for line in head.split(b"\n"):
        if line.startswith(b"committer "):
            seconds = line.split(b" ")[-2]
            if seconds.isdigit():
                return int(seconds)
    raise InputError("the commit has no time", where=repository.worktree.path, found=sha)
