"""What a cap's remote has: fetching exactly a commit, and whether a branch or tag of it holds a commit.

A server may refuse to give a commit by its name (protocol v0 does, unless it is a tip); then all branches and tags are
fetched, into ``refs/bitproof/``. The user's own refs are never written.
"""

import os
from pathlib import Path

from bitproof.errors import InputError, UnavailableError, shown
from bitproof.model.caps_manifest import check_repo
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, Repository
from bitproof.system.git.worktree import has_commit, is_shallow
from bitproof.system.process import OverdueError

NAMESPACE = "refs/bitproof"
ALL_REFS = tuple(f"+refs/{kind}/*:{NAMESPACE}/{kind}/*" for kind in ("heads", "tags"))
_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"),
    *("--no-prune", "--no-prune-tags"),
)
SHA1_DIGITS = 40


def object_format(sha: str) -> str:
    """The kind of repository that a commit's name belongs to.

    >>> object_format("0" * 40), object_format("0" * 64)
    ('sha1', 'sha256')
    """
    return "sha1" if len(sha) == SHA1_DIGITS else "sha256"


def absolute(repo: str, base: Path) -> str:
    """A local path that is relative starts at ``base``, the manifest's directory; everything else stays."""
    return os.path.normpath(base / repo) if repo.startswith(("./", "../")) else repo


def relative(url: str, repo: str, *, allow_local: bool) -> str:
    """The URL of a submodule, which may be relative to its repository's (gitmodules(5)).

    >>> relative("../b.git", "https://example.org/team/a.git", allow_local=False)
    'https://example.org/team/b.git'

    Raises:
        ValueError: it is not one that a cap's ``repo`` may be, or leads above the host.
    """
    if not url:
        raise ValueError("its URL is empty")
    if not url.startswith(("./", "../")):
        return check_repo(url, allow_local=allow_local)
    host, path = _host_and_path(repo)
    parts = path.rstrip("/").split("/")
    for part in url.split("/"):
        if part == ".." and not parts:
            raise ValueError(f"leads above its host: found {shown(url)}")
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return check_repo(host + "/".join(parts), allow_local=allow_local)


def _host_and_path(repo: str) -> tuple[str, str]:
    scheme, slashes, rest = repo.partition("://")
    if slashes:
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}/", path
    if repo.startswith("/"):
        return "/", repo[1:]
    host, _, path = repo.partition(":")
    return f"{host}:", path


def fetch_commit(repository: Repository, repo: str, sha: str, *, shallow: bool, tether: bool) -> None:
    """Have the commit in the repository, with all its files.

    Args:
        repository: where to.
        repo: an absolute URL.
        sha: the commit.
        shallow: fetch it without its history. Never in a complete clone: that would cut the user's history.
        tether: have git killed when this process is: where a git left alone could do harm.

    Raises:
        UnavailableError: the remote is gone, answers garbage, or has no such commit; an `OverdueError` when it stalls.
        InputError: the pin is not a commit.
    """
    depth = ("--depth=1",) if shallow else ()
    try:
        repository.run("fetch the pinned commit", *_FETCH, *depth, "--", repo, sha, tether=tether)
    except OverdueError:
        raise
    except UnavailableError:
        _fetch_all(repository, repo, tether=tether)
    if not has_commit(repository, sha):
        fix = "check the pin: was it pushed, and is it of this repository?"
        raise UnavailableError("the repository does not have the pinned commit", where=repo, expected=sha, fix=fix)


def _fetch_all(repository: Repository, repo: str, *, tether: bool = False) -> None:
    whole = ("--unshallow",) if is_shallow(repository) else ()
    repository.run("fetch all branches and tags", *_FETCH, *whole, "--", repo, *ALL_REFS, tether=tether)


def contained(git: Git, scratch: Directory, repo: str, sha: str) -> bool:
    """Whether a branch or tag of the remote holds the commit: a fork's commits are served under the same URL.

    Only ``refs/heads`` and ``refs/tags`` count, not a pull request's refs. Asks for the tips first; only when the
    commit is none of them, the history is fetched, without files where the server can, into a repository of its own in
    ``scratch``, an empty directory.

    Raises:
        UnavailableError: the remote cannot be asked.
    """
    repository = git.make(scratch, object_format(sha))
    tips = repository.run("list the branches and tags", "ls-remote", "--quiet", "--heads", "--tags", "--", repo)
    if sha in {line.split(b"\t")[0].decode("ascii", "replace") for line in tips.splitlines()}:
        return True
    if not tips:
        return False
    filtered = (*_FETCH, "--filter=tree:0", "--", repo, *ALL_REFS)
    try:
        repository.run("fetch the history of all branches and tags", *filtered)
    except OverdueError:
        raise
    except UnavailableError:  # a server that knows no filters, or says so by failing
        _fetch_all(repository, repo)
    commits = repository.run("list the commits", "rev-list", f"--glob={NAMESPACE}/*")
    return sha.encode() in commits.split(b"\n")


def checked_format(repository: Repository, sha: str) -> None:
    """Refuse a pin that this repository could never have.

    Raises:
        InputError: the pin is of another object format.
    """
    found = repository.run("read the object format", "rev-parse", "--show-object-format").decode().strip()
    if found != object_format(sha):
        raise InputError(
            "the pin is of another kind of repository",
            where=repository.worktree.path,
            expected=f"{object_format(sha)}: {sha}",
            found=found,
            fix="move the checkout away and let `bitproof caps sync` clone it, or mend the pin",
        )
