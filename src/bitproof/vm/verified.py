"""Open, hash, hand on: a boot set whose bytes are the pinned ones (FORMATS section 4; seed 000, "Hash check at boot").

The bytes that were hashed are the bytes that boot. Kernel and initrd are copied to sealed memory, which nobody can
change any more, and that copy is hashed. The rootfs is hashed through the descriptor that QEMU gets. What this leaves
out: a rootfs that someone writes to in place while the VM runs; bitproof itself never writes in place.

With ``verity`` the guest hashes the rootfs, each block when it is read, by the pinned root hash that the kernel's
command line gives to the verified initrd: then nothing is left out, and a larger rootfs takes no longer to open.

Only `open_verified` makes a `VerifiedBootSet`; `open_unverified` is the door beside it and makes another type.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bitproof.errors import InputError, IntegrityError, Problem, shown
from bitproof.model.asset_manifest import BootPins, PinnedFile
from bitproof.model.guest_config import CPUS, MEMORY_MIB
from bitproof.model.names import CHANNEL_STATE, FOLLOWED, MANIFEST, is_hash_name
from bitproof.model.verity import Verity
from bitproof.system import lock
from bitproof.system.content import copy_bytes
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile, Progress, exists, ignore, open_file, unavailable

ARCHES = ("x86_64", "arm64")
MAX_APPEND = 1024
"""Characters; the kernel's whole command line has 2048 on x86."""
MAX_LOADED = 1 << 30
"""Bytes of a kernel or an initrd: they are held in memory."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConfig:
    """What to boot and how: three paths, the digests they must have, the machine.

    Args:
        kernel: path, as are ``initrd`` and ``rootfs``.
        arch: the manifest's key, ``x86_64`` or ``arm64``.
        pins: what the three files must be; `open_verified` refuses to go without.
        cpus: virtual CPUs, 1 to 64.
        memory: MiB, 128 to 1048576.
        append: further words of the kernel's command line, printable ASCII.

    Raises:
        InputError: every limit that is broken; no file has been read then.
    """

    kernel: Path
    initrd: Path
    rootfs: Path
    arch: str
    pins: BootPins | None = None
    cpus: int = 2
    memory: int = 512
    append: str = ""

    def __post_init__(self) -> None:
        """Check the limits."""
        problems = (
            []
            if self.arch in ARCHES
            else [Problem("arch", "cannot boot", expected=" or ".join(ARCHES), found=self.arch)]
        )
        for name, value, (low, high) in (("cpus", self.cpus, CPUS), ("memory", self.memory, MEMORY_MIB)):
            if type(value) is not int or not low <= value <= high:
                problems.append(Problem(name, "out of range", expected=f"{low} to {high}", found=str(value)))
        if len(self.append) > MAX_APPEND:
            problems.append(
                Problem("append", "too long", expected=f"at most {MAX_APPEND} characters", found=str(len(self.append)))
            )
        if not (self.append.isascii() and self.append.isprintable()):
            problems.append(Problem("append", "not printable ASCII", found=shown(self.append)))
        if problems:
            raise InputError("this VM cannot be made", problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBootSet:
    """Three open files and the config they were opened for. ``kernel``, ``initrd``, ``rootfs`` are descriptors.

    ``leases`` are the files on disk: whoever holds one of these descriptors marks the file as in use. ``verity`` is
    what the guest must check the rootfs by; None where it does not.
    """

    config: VmConfig
    kernel: int
    initrd: int
    rootfs: int
    leases: tuple[int, ...]
    verity: Verity | None = None


class VerifiedBootSet(OpenBootSet):
    """A boot set with the pinned bytes, or whose rootfs the guest checks by a pinned root hash.

    Only `open_verified` makes it.
    """

    __slots__ = ()


class UnverifiedBootSet(OpenBootSet):
    """A boot set nobody vouches for."""

    __slots__ = ()


B = TypeVar("B", bound=OpenBootSet)


@contextmanager
def open_verified(config: VmConfig, progress: Progress = ignore, *, verity: bool = False) -> Iterator[VerifiedBootSet]:
    """Open and hash the boot set; it is closed at the end of the block.

    Args:
        config: with pins.
        progress: told how many more bytes are hashed.
        verity: leave the rootfs to the guest, by the pinned root hash. Its size alone is compared.

    Raises:
        InputError: no pins, no root hash in them where that is needed, or a file that is no regular file.
        IntegrityError: a digest differs; every differing file is named.
        UnavailableError: a file cannot be opened or read.
    """
    if config.pins is None:
        raise InputError(
            "no expected digests: what is not pinned is not booted",
            where=config.kernel,
            fix="boot what a manifest lists, give --pins FILE (from `bitproof assets hashes`), or say --unverified",
        )
    tree = _tree(config.pins) if verity else None
    with ExitStack() as stack:
        files = _open(config, stack)
        kernel, initrd, rootfs = files
        problems = [*_compare(kernel, config.pins.kernel, progress), *_compare(initrd, config.pins.initrd, progress)]
        problems += _compare_size(rootfs, tree.size) if tree else _compare(rootfs, config.pins.rootfs, progress)
        if problems:
            raise IntegrityError(
                "the boot set is not the pinned one; nothing was started",
                expected=f"the digests of {config.pins.source}",
                problems=problems,
                fix=_mend(config, config.pins),
            )
        yield _boot_set(VerifiedBootSet, config, files, tree)


def _tree(pins: BootPins) -> Verity:
    if pins.rootfs.verity is None:
        raise InputError(
            "no root hash is pinned, so the guest cannot check the rootfs",
            where=pins.source,
            expected=f'"verity" beside the hash of {pins.rootfs.name}',
            fix="build with rootfs.verity = true (the default) and pin that; or boot without --verity",
        )
    return pins.rootfs.verity


@contextmanager
def open_unverified(config: VmConfig) -> Iterator[UnverifiedBootSet]:
    """Open the boot set without asking for any digest; pins are not looked at. Raises as `open_verified` does."""
    with ExitStack() as stack:
        yield _boot_set(UnverifiedBootSet, config, _open(config, stack))


@dataclass(frozen=True, slots=True)
class _BootFile:
    """One file of a boot set: ``disk`` is the file on disk, ``boots`` what is hashed and handed on."""

    what: str
    disk: OpenFile
    boots: OpenFile


def _open(config: VmConfig, stack: ExitStack) -> list[_BootFile]:
    files = []
    for what, path in (("kernel", config.kernel), ("initrd", config.initrd), ("rootfs", config.rootfs)):
        disk = stack.enter_context(_held(path, what))
        boots = disk if what == "rootfs" else stack.enter_context(_sealed(disk, what))
        files.append(_BootFile(what, disk, boots))
    return files


def _held(path: Path, what: str) -> OpenFile:
    """Open a file and mark it as in use; anew when a cleanup or an install came between the two."""
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(open_file(path, f"the {what}"))
            lock.hold(file)
            with suppress(OSError):
                if os.path.samestat(os.fstat(file.fd), path.lstat()):
                    stack.pop_all()
                    return file


def _sealed(file: OpenFile, what: str) -> OpenFile:
    """A copy in memory that can no longer change, not even by the one who made it."""
    if file.size > MAX_LOADED:
        expected = f"at most {MAX_LOADED} bytes"
        raise InputError(
            f"the {what} is too large to be loaded", where=file.path, expected=expected, found=f"{file.size} bytes"
        )
    fd = os.memfd_create(f"bitproof-{what}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        copy_bytes(file, fd, MAX_LOADED)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return OpenFile(fd, file.path)
    except OSError as error:
        os.close(fd)
        raise unavailable(error, f"the {what} cannot be read", file.path) from None


def _compare(file: _BootFile, pin: PinnedFile, progress: Progress) -> list[Problem]:
    try:
        found = blake3_digest(file.boots, progress)
    except OSError as error:
        raise unavailable(error, f"the {file.what} cannot be read", file.disk.path) from None
    if found == pin.digest:
        return []
    what = f"the {file.what} differs ({_cause(file.boots.size, pin.size)})"
    return [Problem(str(file.disk.path), what, expected=str(pin.digest), found=str(found))]


def _compare_size(rootfs: _BootFile, pinned: int) -> list[Problem]:
    """Only that the tree is where it is said to be: what the blocks are is for the guest to check."""
    found = rootfs.disk.size
    if found == pinned:
        return []
    what = f"the rootfs differs ({_cause(found, pinned)})"
    return [Problem(str(rootfs.disk.path), what, expected=f"{pinned} bytes", found=f"{found} bytes")]


def _cause(found: int, pinned: int | None) -> str:
    """The likely reason for a mismatch, from the sizes in bytes."""
    if pinned is None:
        return "the pins name no size; it was changed or repacked since they were made"
    if found < pinned:
        return f"{found} bytes, pinned {pinned}: truncated, or repacked since the manifest was made"
    if found > pinned:
        return f"{found} bytes, pinned {pinned}: repacked since the manifest was made"
    return f"{found} bytes as pinned: bit rot, or changed since the manifest was made"


def _mend(config: VmConfig, pins: BootPins) -> str:
    """The command that mends a mismatch, by where the pins are from and where the files lie."""
    if Path(pins.source).name != MANIFEST:
        return "boot the release that was pinned; or pin this one: `bitproof assets hashes --format json`"
    if is_hash_name(config.rootfs.name):
        followed = Path(pins.source).with_name(CHANNEL_STATE) / FOLLOWED
        if exists(followed):
            return "remove what differs; `bitproof update` brings it again"
        return "`bitproof assets install` puts the pinned files back from a good assets directory"
    return "`bitproof assets manifest` if the change is wanted, else `bitproof assets build`"


def _boot_set(kind: type[B], config: VmConfig, files: list[_BootFile], verity: Verity | None = None) -> B:
    kernel, initrd, rootfs = (file.boots.fd for file in files)
    leases = tuple(file.disk.fd for file in files)
    return kind(config=config, kernel=kernel, initrd=initrd, rootfs=rootfs, leases=leases, verity=verity)
