"""What the user gives: the guest config, and the guest's artifacts (seed 000, "File Locations").

Artifacts are ``init`` (required), ``bin/*`` for the initrd, and ``rootfs/**``, which is laid over the rootfs. All of it
is checked here, before a build downloads or writes anything.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitproof.errors import InputError, Problem
from bitproof.model.decode import MAX_TOML
from bitproof.model.guest_config import GuestConfig, read_guest_config
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, open_file

INIT = "init"
PROGRAMS = "bin"
OVERLAY = "rootfs"
MAX_PROGRAM = 256 << 20
"""Bytes of one file of the initrd, which lives in the guest's memory."""


@dataclass(frozen=True, slots=True)
class OverlayEntry:
    """A directory, regular file or symlink below ``artifacts/rootfs``.

    ``path`` is relative to the root, ``source`` where it lies, ``mode`` the type bits with 0755 or 0644 (0777 for a
    symlink), ``link`` what a symlink points to.
    """

    path: str
    source: Path
    mode: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The guest's own files: ``programs`` are name and bytes, the overlay's files are read only when needed."""

    init: bytes
    programs: tuple[tuple[str, bytes], ...]
    overlay: tuple[OverlayEntry, ...]


def load_guest_config(directory: Path) -> GuestConfig:
    """Read every ``*.toml`` of the config directory and its subdirectories.

    Raises:
        InputError: there is no such directory, or the config is not usable (every problem of every file).
        UnavailableError: a file cannot be read.
    """
    if not directory.is_dir():
        raise InputError("there is no guest config", where=directory, expected="a directory with build.toml")
    with Directory(directory, what="the guest config") as opened:
        return read_guest_config(dict(_toml_files(opened, "")), str(directory))


def _toml_files(directory: Directory, prefix: str) -> Iterator[tuple[str, bytes]]:
    for name, state in directory.names():
        if stat.S_ISDIR(state.st_mode):
            with directory.child(name) as below:
                yield from _toml_files(below, f"{prefix}{name}/")
        elif name.endswith(".toml"):
            with directory.open(name, "the config file") as file:
                yield f"{prefix}{name}", file.read(MAX_TOML)


def open_kernel(config_dir: Path, file: str) -> OpenFile:
    """Open ``kernel.file``; raises as `open_in_config`."""
    return open_in_config(config_dir, file, "kernel.file")


def open_in_config(config_dir: Path, file: str, key: str) -> OpenFile:
    """Open a file that a key names, relative to the config directory; no part of it may be a symlink.

    Raises:
        InputError: it is missing, a symlink or no regular file.
        UnavailableError: it cannot be read.
    """
    path = config_dir / file
    for part in (path, *path.parents[: file.count("/")]):
        if part.is_symlink() or not part.exists():
            found = "a symlink" if part.is_symlink() else "nothing"
            raise InputError(f"{key} is not usable", where=part, expected="a file in the config directory", found=found)
    return open_file(path, key)


def read_artifacts(directory: Path) -> Artifacts:
    """Check all artifacts and read those of the initrd.

    Raises:
        InputError: there is no directory, no ``init``, or something that has no place, all of it at once.
        UnavailableError: a file cannot be read.
    """
    if not directory.is_dir():
        raise InputError(
            "there are no guest artifacts", where=directory, expected="a directory with init, bin/ and rootfs/"
        )
    problems: list[Problem] = []
    with Directory(directory, what="the guest artifacts") as opened:
        entries = dict(opened.names())
        problems += [
            Problem(name, "has no place in an image", expected=f"{INIT}, {PROGRAMS}/ or {OVERLAY}/")
            for name in entries
            if name not in {INIT, PROGRAMS, OVERLAY}
        ]
        init = _init(opened, entries.get(INIT), problems)
        programs = _programs(opened, entries.get(PROGRAMS), problems)
        overlay = tuple(_overlay(opened, entries.get(OVERLAY), problems))
    if problems:
        fix = "mend these; nothing was built"
        raise InputError("the guest artifacts are not usable", where=directory, problems=problems, fix=fix)
    return Artifacts(init, programs, overlay)


def _init(directory: Directory, state: os.stat_result | None, problems: list[Problem]) -> bytes:
    if state is None:
        problems.append(Problem(INIT, "missing", expected="the program that the kernel starts"))
        return b""
    return _small_file(directory, INIT, INIT, state, problems)


def _programs(
    directory: Directory, state: os.stat_result | None, problems: list[Problem]
) -> tuple[tuple[str, bytes], ...]:
    if not _is_directory(PROGRAMS, state, problems):
        return ()
    with directory.child(PROGRAMS) as below:
        return tuple(
            (name, _small_file(below, name, f"{PROGRAMS}/{name}", entry, problems)) for name, entry in below.names()
        )


def _small_file(directory: Directory, name: str, path: str, state: os.stat_result, problems: list[Problem]) -> bytes:
    """The bytes of a file of the initrd."""
    if not stat.S_ISREG(state.st_mode):
        problems.append(Problem(path, "not a regular file", found=kind_of(state.st_mode)))
        return b""
    with directory.open(name) as file:
        data = file.read(MAX_PROGRAM)
    if len(data) > MAX_PROGRAM or not data:
        problems.append(
            Problem(path, "not usable", expected=f"1 to {MAX_PROGRAM} bytes", found=f"{state.st_size} bytes")
        )
    return data


def _overlay(directory: Directory, state: os.stat_result | None, problems: list[Problem]) -> Iterator[OverlayEntry]:
    if _is_directory(OVERLAY, state, problems):
        with directory.child(OVERLAY) as below:
            yield from _overlay_below(below, "", problems)


def _overlay_below(directory: Directory, prefix: str, problems: list[Problem]) -> Iterator[OverlayEntry]:
    """Parents before what lies in them, sorted by name."""
    for name, state in directory.names():
        path, source = f"{prefix}{name}", directory.path / name
        if stat.S_ISDIR(state.st_mode):
            yield OverlayEntry(path, source, stat.S_IFDIR | 0o755)
            with directory.child(name) as below:
                yield from _overlay_below(below, f"{path}/", problems)
        elif stat.S_ISREG(state.st_mode):
            yield OverlayEntry(path, source, stat.S_IFREG | (0o755 if state.st_mode & 0o111 else 0o644))
        elif stat.S_ISLNK(state.st_mode):
            yield OverlayEntry(path, source, stat.S_IFLNK | 0o777, os.readlink(name, dir_fd=directory.fd))
        else:
            problems.append(Problem(f"{OVERLAY}/{path}", "has no place in an image", found=kind_of(state.st_mode)))


def _is_directory(name: str, state: os.stat_result | None, problems: list[Problem]) -> bool:
    if state is not None and not stat.S_ISDIR(state.st_mode):
        problems.append(Problem(name, "not a directory", found=kind_of(state.st_mode)))
    return state is not None and stat.S_ISDIR(state.st_mode)


def kind_of(mode: int) -> str:
    """The type of a file in words."""
    names = {stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symlink"}
    return names.get(stat.S_IFMT(mode), "a device, FIFO or socket")
