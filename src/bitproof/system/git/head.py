"""HEAD of a repository, read directly: a no-op sync of many siblings starts no git.

The files are those of gitrepository-layout(5): ``HEAD``, loose refs below ``refs/``, ``packed-refs``. Sizes and chains
are bounded and no symlink is followed. What is left out: reftable, linked worktrees, and whether the commit exists.
"""

import stat
from contextlib import ExitStack

from bitproof.errors import InputError, shown
from bitproof.model.digest import HEX
from bitproof.system.files import Directory

MAX_REF = 4096
MAX_PACKED_REFS = 64 << 20
MAX_SYMREFS = 5
SHA_LENGTHS = (40, 64)


def git_directory(worktree: Directory) -> Directory | None:
    """Open ``.git`` below a checkout; None when there is none. The caller closes it.

    Raises:
        InputError: it is a symlink or a file (a linked worktree or a submodule), which is not followed.
        UnavailableError: it cannot be opened.
    """
    state = worktree.stat(".git")
    if state is None:
        return None
    if not stat.S_ISDIR(state.st_mode):
        found = "a symlink" if stat.S_ISLNK(state.st_mode) else "a file that points elsewhere"
        raise InputError(
            "the repository's .git is not followed",
            where=worktree.path / ".git",
            expected="a directory",
            found=found,
            fix="move the checkout away and let `bitproof caps sync` clone it",
        )
    return worktree.child(".git")


def head(worktree: Directory) -> str | None:
    """The commit that HEAD names, 40 or 64 hex digits; None without ``.git`` or before the first commit.

    Raises:
        InputError: ``.git`` is not a directory, or HEAD is not what git writes.
        UnavailableError: it cannot be read.
    """
    directory = git_directory(worktree)
    if directory is None:
        return None
    with directory:
        name = "HEAD"
        for _ in range(MAX_SYMREFS):
            value = _loose(directory, name)
            if value is None:  # an empty file is not: it is what a power cut leaves
                value = _packed(directory, name)
            if value is None or _is_commit(value):
                return value
            if not value.startswith("ref:"):
                raise _not_a_ref(directory, name, value)
            name = value.removeprefix("ref:").strip()
            if not _is_ref_name(name):
                raise _not_a_ref(directory, "HEAD", value)
        raise _not_a_ref(directory, "HEAD", f"a chain of more than {MAX_SYMREFS} symbolic refs")


def _not_a_ref(directory: Directory, name: str, value: str) -> InputError:
    return InputError(
        "not a git ref",
        where=directory.path / name,
        expected="a commit, or `ref: refs/…`",
        found=shown(value),
        fix="git fsck in the checkout says what is broken",
    )


def _is_commit(value: str) -> bool:
    return len(value) in SHA_LENGTHS and HEX.issuperset(value)


def _is_ref_name(name: str) -> bool:
    parts = name.split("/")
    return name.isprintable() and parts[0] == "refs" and len(parts) > 1 and not {"", ".", ".."} & set(parts)


def _loose(directory: Directory, name: str) -> str | None:
    *parents, last = name.split("/")
    with ExitStack() as stack:
        current = directory
        for part in parents:
            state = current.stat(part)
            if state is None or stat.S_ISREG(state.st_mode):
                return None
            current = stack.enter_context(current.child(part))
        state = current.stat(last)
        if state is None or stat.S_ISDIR(state.st_mode):
            return None
        with current.open(last, "the git ref") as file:
            data = file.read(MAX_REF)
    if len(data) > MAX_REF:
        raise _not_a_ref(directory, name, f"more than {MAX_REF} bytes")
    return data.decode("utf-8", "replace").strip()


def _packed(directory: Directory, name: str) -> str | None:
    """A ref's line in ``packed-refs``: ``<commit> <name>``."""
    if directory.stat("packed-refs") is None:
        return None
    with directory.open("packed-refs") as file:
        data = file.read(MAX_PACKED_REFS)
    if len(data) > MAX_PACKED_REFS:
        raise _not_a_ref(directory, "packed-refs", f"more than {MAX_PACKED_REFS >> 20} MiB")
    end = data.find(f" {name}\n".encode())
    if end < 0:
        return None
    value = data[data.rfind(b"\n", 0, end) + 1 : end].decode("ascii", "replace")
    if not _is_commit(value):
        raise _not_a_ref(directory, "packed-refs", value)
    return value
