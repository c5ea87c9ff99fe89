"""The filter of the rootfs: what of Debian's tree stays, and where the guest's overlay comes to lie.

The filter takes what varies between two runs or two hosts (logs, caches, host name, resolver, device nodes, times after
the epoch) and what gives privileges (setuid, setgid; file capabilities go with all extended attributes). It reads and
writes tars and holds only their headers in memory. Sources: FORMATS section 2; mmdebstrap(1), "SOURCE_DATE_EPOCH".
"""

import copy
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from bitproof.errors import InputError, Problem
from bitproof.images.config import OverlayEntry, kind_of
from bitproof.system.opened import open_file

MOUNT_POINTS = {"proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755, "tmp": 0o1777}
FIXED = {"etc/hostname": b"bitproof\n", "etc/machine-id": b""}
"""Files with the same content everywhere. An empty machine-id is what systemd calls "not yet known"."""
APT = ("var/cache/apt/", "var/lib/apt/lists/")
"""Directories of root here: apt gives some to its own user, where that one could reach the scratch directory."""
EMPTIED = ("dev/", "var/log/", *APT)
"""Of these only the directories stay."""
DROPPED = frozenset({"etc/resolv.conf", "var/cache/ldconfig/aux-cache", "var/lib/dbus/machine-id"})

_PRIVILEGES = stat.S_ISUID | stat.S_ISGID
_MAX_LINKS = 40


def dropped(path: str, *, is_directory: bool) -> bool:
    """Whether the filter leaves an entry out.

    >>> dropped("var/log/dpkg.log", is_directory=False), dropped("var/log/apt", is_directory=True)
    (True, False)
    """
    return path in DROPPED or path in FIXED or (path.startswith(EMPTIED) and not is_directory)


@dataclass(frozen=True, slots=True)
class TreePlan:
    """What becomes of a tree: ``placed`` overlay entries by their path in it, and the tree's ``gone`` paths."""

    placed: Mapping[str, OverlayEntry]
    gone: frozenset[str]


def plan_tree(members: Iterable[tarfile.TarInfo], overlay: Iterable[OverlayEntry]) -> TreePlan:
    """Where the overlay's entries come to lie, and what of the tree goes. Pure.

    An overlay path that leads through a symlink of the tree (``bin`` → ``usr/bin``) lies where the symlink leads, as it
    would with a copy onto a running system. A directory that the tree has keeps its mode and owner.

    Raises:
        InputError: a file where the tree has a directory, a directory where it has a file, two entries at one place.
    """
    tree = {_clean(member.name): member for member in members}
    links = {path: member.linkname for path, member in tree.items() if member.issym()}
    problems: list[Problem] = []
    placed: dict[str, OverlayEntry] = {}
    for entry in overlay:
        is_directory = stat.S_ISDIR(entry.mode)
        path = _resolved(entry.path, links, follow_last=is_directory)
        where, there, other = f"rootfs/{entry.path}", tree.get(path), placed.get(path)
        if there is not None and there.isdir() != is_directory:
            found = "a directory" if there.isdir() else "a file"
            problems.append(Problem(where, f"is {kind_of(entry.mode)} where the rootfs has {found}"))
        elif other is not None and not is_directory:
            problems.append(Problem(where, "lies at one place with another artifact", found=f"rootfs/{other.path}"))
        elif not (is_directory and there is not None):
            placed[path] = entry
    if problems:
        what = "the guest artifacts do not fit onto the rootfs"
        raise InputError(what, problems=problems, fix="mend these; nothing was published")
    gone = {path for path, member in tree.items() if path in placed or dropped(path, is_directory=member.isdir())}
    return TreePlan(placed, frozenset(gone))


def _clean(name: str) -> str:
    """A tar's path relative to the root; the root itself is empty."""
    return str(PurePosixPath("/", name))[1:]


def _resolved(path: str, links: Mapping[str, str], *, follow_last: bool) -> str:
    """``path`` with the tree's symlinks followed, as in a chroot: ``..`` stops at the root."""
    done: list[str] = []
    todo = path.split("/")[::-1]
    for _ in range(_MAX_LINKS * len(todo)):
        if not todo:
            return "/".join(done)
        name = todo.pop()
        link = links.get("/".join([*done, name])) if todo or follow_last else None
        if link is not None:
            done = [] if link.startswith("/") else done
            todo += link.split("/")[::-1]
        elif name == "..":
            done = done[:-1]
        elif name not in {"", "."}:
            done.append(name)
    raise InputError("a symlink of the rootfs leads in a circle", where=f"rootfs/{path}")


def filter_tree(source: Path, target: Path, overlay: tuple[OverlayEntry, ...], epoch: int) -> None:
    """Write the tar ``target`` from the tar ``source``: filtered, with the overlay after it.

    Raises:
        InputError: as `plan_tree`.
        UnavailableError: an overlay file cannot be read.
    """
    with tarfile.open(source, "r:") as tree, tarfile.open(target, "w:", format=tarfile.GNU_FORMAT) as out:
        members = tree.getmembers()
        plan = plan_tree(members, overlay)
        for member in members:
            path = _clean(member.name)
            if path not in plan.gone:
                # A hard link whose target is gone becomes the file itself.
                bears = member.isreg() or (member.islnk() and _clean(member.linkname) in plan.gone)
                content = tree.extractfile(member) if bears else None
                out.addfile(_normalised(member, path, epoch, content), content)
        _add_fixed(out, {_clean(member.name) for member in members}, plan, epoch)
        for path, entry in sorted(plan.placed.items()):
            _add_overlay(out, path, entry, epoch)


def _normalised(member: tarfile.TarInfo, path: str, epoch: int, content: IO[bytes] | None) -> tarfile.TarInfo:
    """An entry's header as it goes into the rootfs; with ``content`` it is a regular file."""
    made = copy.copy(member)
    made.name = f"./{path}"
    made.mode = member.mode & ~_PRIVILEGES & 0o7777
    made.mtime = min(int(member.mtime), epoch)
    made.uname = made.gname = ""
    if path.startswith(APT):
        made.uid = made.gid = 0
    made.pax_headers = {}
    if content is not None:
        made.type, made.linkname = tarfile.REGTYPE, ""
        made.size = content.seek(0, io.SEEK_END)
        content.seek(0)
    return made


def _add_fixed(out: tarfile.TarFile, present: set[str], plan: TreePlan, epoch: int) -> None:
    """The mount points that are missing, and the files with the same content everywhere."""
    for path, mode in MOUNT_POINTS.items():
        if path not in present and path not in plan.placed:
            out.addfile(_entry(path, stat.S_IFDIR | mode, epoch))
    for path, data in FIXED.items():
        if path not in plan.placed:
            out.addfile(_entry(path, stat.S_IFREG | 0o644, epoch, size=len(data)), io.BytesIO(data))


def _add_overlay(out: tarfile.TarFile, path: str, entry: OverlayEntry, epoch: int) -> None:
    if not stat.S_ISREG(entry.mode):
        out.addfile(_entry(path, entry.mode, epoch, link=entry.link))
        return
    with open_file(entry.source, "the artifact") as file, os.fdopen(os.dup(file.fd), "rb") as content:
        out.addfile(_entry(path, entry.mode, epoch, size=file.size), content)


def _entry(path: str, mode: int, epoch: int, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(f"./{path}")
    made.type = {stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}.get(stat.S_IFMT(mode), tarfile.REGTYPE)
    made.mode, made.mtime, made.size, made.linkname = stat.S_IMODE(mode), epoch, size, link
    return made
