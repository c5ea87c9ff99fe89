"""The initrd: a packages' part and a guest part, each a whole archive compressed on its own, one after the other.

The packages' part (busybox, kernel modules, directories, device nodes) is kept beside the image under a name that holds
its digest, so that `repack` needs no network: it reads that part, makes the guest part anew, and joins them. The kernel
unpacks such segments in turn (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.images.config import Artifacts
from bitproof.images.initrd import compress, cpio
from bitproof.images.initrd.modules import (
    BASE,
    MAX_MODULE,
    OPTIONAL,
    OPTIONAL_VERITY,
    VERITY,
    ModuleIndex,
    load_order,
    read_index,
)
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.hashing import blake3_digest, bytes_digest
from bitproof.system.opened import OpenFile, read_file

if TYPE_CHECKING:  # a repack fetches no kernel
    from bitproof.images.kernel.package import KernelFiles

BASE_PREFIX = ".initrd-base-"
BEGINNING = 1 << 20
"""Bytes of a packages' part that surely hold its first entry, whatever the codec's block."""
MAX_INDEX = 64 << 20
MODULE_LIST = "etc/bitproof/modules"
VERITY_LIST = "etc/bitproof/verity-modules"
ENVIRONMENT = "etc/bitproof/environment"
REBUILD = "bitproof assets build"

_DIRECTORIES = (("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("run", 0o755), ("newroot", 0o755), ("tmp", 0o1777))
_COMPRESSED_MODULE = (".xz", ".zst", ".gz")


def base_entries(files: "KernelFiles", wanted: Iterable[str]) -> list[cpio.Entry]:
    """The packages' part.

    Args:
        files: what was unpacked; with a ``mapper`` the initrd can map the rootfs through dm-verity.
        wanted: modules beside `modules.BASE`: the rootfs's file system, and the config's.

    Raises:
        InputError: the kernel lacks a wanted module.
    """
    entries = [cpio.directory(name, permissions) for name, permissions in _DIRECTORIES]
    entries.append(cpio.character_device("dev/console", 5, 1, 0o600))
    entries.append(cpio.character_device("dev/null", 1, 3, 0o666))
    entries.append(cpio.file("bin/busybox", read_file(files.busybox, MAX_MODULE), 0o755))
    entries += [cpio.file(path, data, 0o755) for path, data in files.mapper.items()]
    for name, paths in _load_lists(files, wanted).items():
        modules = [_module(files.modules, path) for path in paths] if files.modules else []
        listed = "".join(f"/{entry.path}\n" for entry in modules)
        entries += [*modules, cpio.file(name, listed.encode())]
    return entries


def _load_lists(files: "KernelFiles", wanted: Iterable[str]) -> dict[str, Sequence[str]]:
    """Which modules init loads, in order: always, and after these when the rootfs is to be mapped through dm-verity."""
    if files.modules is None:
        return dict.fromkeys([MODULE_LIST, VERITY_LIST] if files.mapper else [MODULE_LIST], ())
    index, wanted = _index(files.modules), tuple(wanted)
    lists: dict[str, Sequence[str]] = {MODULE_LIST: load_order(index, (*BASE, *wanted), OPTIONAL)}
    if files.mapper:
        with_verity = load_order(index, (*BASE, *wanted, *VERITY), (*OPTIONAL, *OPTIONAL_VERITY))
        lists[VERITY_LIST] = [path for path in with_verity if path not in lists[MODULE_LIST]]
    return lists


def _module(directory: Path, path: str) -> cpio.Entry:
    """A module, unpacked; ``directory`` is ``…/lib/modules/VERSION`` after depmod."""
    data = read_file(directory / path, MAX_MODULE, "the kernel module")
    name = path
    for suffix in _COMPRESSED_MODULE:
        if path.endswith(suffix):
            name, data = path.removesuffix(suffix), compress.unpacked(data, MAX_MODULE)
    return cpio.file(f"lib/modules/{directory.name}/{name}", data)


def _index(directory: Path) -> ModuleIndex:
    dep = read_file(directory / "modules.dep", MAX_INDEX, "the kernel's list of modules").decode()
    builtin = directory / "modules.builtin"
    return read_index(dep, read_file(builtin, MAX_INDEX).decode() if builtin.exists() else "")


def guest_entries(artifacts: Artifacts, environment: Iterable[tuple[str, str]]) -> list[cpio.Entry]:
    """The guest part: ``/init``, ``/guest/bin/*`` and the environment as lines that a shell can read."""
    lines = "".join(f"export {name}={quoted(value)}\n" for name, value in environment)
    programs = [cpio.file(f"guest/bin/{name}", data, 0o755) for name, data in artifacts.programs]
    return [cpio.file("init", artifacts.init, 0o755), *programs, cpio.file(ENVIRONMENT, lines.encode())]


def quoted(value: str) -> str:
    r"""A value in single quotes, as a POSIX shell reads it back.

    >>> print(quoted("it's"))
    'it'\''s'
    """
    return "'" + value.replace("'", "'\\''") + "'"


def segment(entries: Iterable[cpio.Entry], codec: str, level: int, epoch: int) -> bytes:
    """One part of an initrd: an archive, compressed."""
    return compress.segment(cpio.archive(entries, epoch), codec, level)


def base_name(base: bytes) -> str:
    """The name under which a packages' part is kept: a dot, so that no manifest or cleanup takes it for an asset."""
    return BASE_PREFIX + bytes_digest(base).value


def base_epoch(base: OpenFile, where: object) -> int:
    """The time that a packages' part was built with.

    Raises:
        InputError: it is no archive.
    """
    try:
        return cpio.archive_mtime(compress.unpacked(base.read_at(0, BEGINNING), cpio.HEADER_SIZE))
    except ValueError as error:
        raise InputError("the initrd's base is not an initrd", where=where, found=str(error), fix=REBUILD) from None


def open_base(directory: Directory) -> OpenFile:
    """The packages' part that is kept in an arch's directory, open and checked.

    Raises:
        UnavailableError: there is none.
        InputError: there is more than one, or its name holds no digest.
        IntegrityError: its bytes do not have the digest of its name.
    """
    names = [name for name, _ in directory.names() if name.startswith(BASE_PREFIX)]
    if not names:
        found = "nothing"
        expected = f"{BASE_PREFIX}DIGEST"
        raise UnavailableError(
            "there is no initrd to repack", where=directory.path, expected=expected, found=found, fix=REBUILD
        )
    if len(names) > 1:
        what = "it is not clear which initrd to repack"
        raise InputError(
            what, where=directory.path, expected=f"one {BASE_PREFIX}DIGEST", found=", ".join(names), fix=REBUILD
        )
    base = directory.open(names[0], "the initrd's base")
    try:
        check_base(base)
    except BaseException:
        base.close()
        raise
    return base


def check_base(base: OpenFile) -> None:
    """That a packages' part has the digest of the name it was opened by. Raises as `open_base` does."""
    try:
        expected = Digest("blake3", base.path.name.removeprefix(BASE_PREFIX))
    except ValueError as error:
        what = "the name of the initrd's base holds no digest"
        raise InputError(what, where=base.path, found=str(error), fix=REBUILD) from None
    found = blake3_digest(base)
    if found != expected:
        what = "the initrd's base is not what was built"
        raise IntegrityError(what, where=base.path, expected=expected, found=found, fix=REBUILD)


def initrd_mode(directory: Directory, name: str) -> int:
    """The permissions that a new initrd takes over from the old one."""
    state = directory.stat(name)
    return stat.S_IMODE(state.st_mode) if state is not None and stat.S_ISREG(state.st_mode) else 0o644
