"""Where caps lie on disk: siblings below the git root, precomposed artifacts below the manifest's own repository.

Every path is opened part by part below a directory, and no symlink is followed on the way, so that nothing outside the
two roots is ever read, hashed or pinned. Reading needs neither git nor a network.
"""

import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bitproof.errors import InputError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, Progress, ignore


@dataclass(frozen=True, slots=True)
class Roots:
    """``git_root`` holds the siblings; ``own`` is the manifest's repository."""

    git_root: Path
    own: Path

    def directory(self, cap: Cap) -> Path:
        """The repository that a cap's artifact is relative to."""
        return self.own if cap.precomposed else self.git_root / cap.sibling

    def place(self, cap: Cap) -> tuple[Path, tuple[str, ...]]:
        """A cap's artifact: the root that nothing may leave, and the parts of the path below it."""
        parts = tuple(cap.artifact.split("/"))
        return (self.own, parts) if cap.precomposed else (self.git_root, (cap.sibling, *parts))

    def artifact(self, cap: Cap) -> Path:
        """Where a cap's artifact lies, or would."""
        return self.directory(cap) / cap.artifact


def open_sibling(roots: Roots, cap: Cap) -> Directory:
    """Open the directory of a cap's repository; a sibling may not be a symlink out of the git root.

    Raises:
        UnavailableError: it is not there, or is a symlink.
    """
    if cap.precomposed:
        return Directory(roots.own)
    with Directory(roots.git_root) as git_root:
        return git_root.child(cap.sibling)


def open_below(root: Path, parts: Sequence[str]) -> OpenFile | None:
    """Open a regular file below ``root``, part by part; None when any part is missing.

    Raises:
        InputError: it, or a directory on the way, is a symlink, or it is no regular file.
        UnavailableError: it cannot be read.
    """
    if not root.is_dir():
        return None
    with Directory(root) as directory:
        return open_within(directory, parts)


def open_within(directory: Directory, parts: Sequence[str]) -> OpenFile | None:
    """As `open_below`, from a directory that is open already and stays so."""
    *directories, name = parts
    with ExitStack() as stack:
        for part in directories:
            inner = _child(directory, part)
            if inner is None:
                return None
            directory = stack.enter_context(inner)
        return None if directory.stat(name) is None else directory.open(name, "the artifact")


def digest_below(root: Path, parts: Sequence[str], progress: Progress = ignore) -> Digest | None:
    """The SHA-256 of a file below ``root``, read from the disk; None when it is missing. Raises as `open_below`."""
    from bitproof.system.hashing import sha256_digest

    file = open_below(root, parts)
    if file is None:
        return None
    with file:
        digest = sha256_digest(file)
        progress(file.size)
        return digest


def directory_below(root: Path, parts: Sequence[str], *, create: bool = False) -> Directory | None:
    """Open a directory below ``root``, part by part; None when any part is missing and is not to be made.

    Raises:
        InputError: a directory on the way is a symlink.
        UnavailableError: it cannot be opened or made.
    """
    current = Directory(root)
    for part in parts:
        with current:
            inner = _child(current, part, create=create)
        if inner is None:
            return None
        current = inner
    return current


def _child(directory: Directory, name: str, *, create: bool = False) -> Directory | None:
    state = directory.stat(name)
    if state is None and not create:
        return None
    if state is not None and stat.S_ISLNK(state.st_mode):
        raise InputError("a directory on the way is a symlink", where=directory.path / name, expected="a directory")
    return directory.child(name, create=create)


def write_below(root: Path, path: str, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file below ``root`` by the protocol of `system.files`, and the directories on the way.

    Raises as `directory_below`.
    """
    *directories, name = path.split("/")
    directory = directory_below(root, directories, create=True)
    if directory is not None:
        with directory:
            directory.write(name, data, mode=mode)
