"""Small Debian trees as tars, such as mmdebstrap makes them, and how to look into what the filter made of them."""

import io
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path

from bitproof.images.config import OverlayEntry
from bitproof.images.rootfs.filter import filter_tree

EPOCH = 1_700_000_000
KINDS = {stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFCHR: tarfile.CHRTYPE}

TMP = "tmp"

Tree = dict[str, tuple[int, bytes | str]]
"""Path to mode and content, or what a symlink points to."""

DEBIAN: Tree = {
    "": (0o40755, b""),
    "bin": (0o120777, "usr/bin"),
    "dev": (0o40755, b""),
    "dev/null": (0o20666, b""),
    "dev/pts": (0o40755, b""),
    "dev/fd": (0o120777, "/proc/self/fd"),
    "etc": (0o40755, b""),
    "etc/hostname": (0o100755, b"the-builder\n"),
    "etc/machine-id": (0o100444, b"0123456789abcdef\n"),
    "etc/resolv.conf": (0o100644, b"nameserver 192.0.2.1\n"),
    "etc/motd": (0o100600, b"old\n"),
    "root": (0o40700, b""),
    TMP: (0o41777, b""),
    "usr": (0o40755, b""),
    "usr/bin": (0o40755, b""),
    "usr/bin/su": (0o104755, b"su"),
    "usr/bin/wall": (0o102755, b"wall"),
    "var/cache/apt": (0o40755, b""),
    "var/cache/apt/archives": (0o40755, b""),
    "var/cache/apt/archives/partial": (0o40700, b""),
    "var/cache/apt/pkgcache.bin": (0o100644, b"cache"),
    "var/cache/ldconfig/aux-cache": (0o100600, b"aux"),
    "var/lib/apt/lists": (0o40755, b""),
    "var/lib/apt/lists/lock": (0o100640, b""),
    "var/log/apt": (0o40755, b""),
    "var/log/dpkg.log": (0o100644, b"at noon"),
    "var/mail": (0o42775, b""),
}


OWNED = ("var/cache/apt/archives/partial", "var/log/apt", "var/mail")
"""Not of root."""


def pack(path: Path, tree: Tree, links: dict[str, str] | None = None, *, mtime: float = EPOCH + 5.5) -> Path:
    """A tar such as mmdebstrap makes, with hard ``links`` at its end."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, (mode, value) in tree.items():
            made = tarfile.TarInfo(f"./{name}")
            made.type = KINDS.get(stat.S_IFMT(mode), tarfile.REGTYPE)
            made.mode, made.mtime, made.uname = stat.S_IMODE(mode), int(mtime), "root"
            made.uid, made.gid = (42, 4) if name in OWNED else (0, 0)
            made.pax_headers = {"mtime": str(mtime)}
            data = b"" if isinstance(value, str) else value
            made.linkname, made.size = value if isinstance(value, str) else "", len(data)
            tar.addfile(made, io.BytesIO(data))
        for name, target in (links or {}).items():
            made = tarfile.TarInfo(f"./{name}")
            made.type, made.linkname = tarfile.LNKTYPE, f"./{target}"
            tar.addfile(made)
    return path


def filtered(tmp_path: Path, tree: Tree, overlay: Iterable[OverlayEntry] = (), **links: str) -> Path:
    """The tree through the filter."""
    hard = {name.replace("__", "/"): target for name, target in links.items()}
    target = tmp_path / "filtered.tar"
    filter_tree(pack(tmp_path / "whole.tar", tree, hard), target, tuple(overlay), EPOCH)
    return target


def listing(path: Path) -> dict[str, tarfile.TarInfo]:
    """Path to header; every path stands once."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    found = {member.name.removeprefix("."): member for member in members}
    assert len(found) == len(members)
    return found


def content(path: Path, name: str) -> bytes:
    with tarfile.open(path) as tar:
        file = tar.extractfile(f"./{name}")
        assert file is not None
        return file.read()
