"""A kernel package of Debian's, unpacked: the kernel, its modules, and busybox beside it. Nothing is installed here."""

import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import Job, mmdebstrap
from bitproof.images.program import take_program
from bitproof.system.process import find_program, run

BUSYBOX = "busybox-static"
MAPPER = "dmsetup"
"""The package and its program: busybox cannot make a device of the device mapper."""

_KERNEL = re.compile(r"boot/vmlinuz-([A-Za-z0-9._+~-]+)", re.ASCII)
_BUSYBOX = re.compile(r"(?:usr/)?bin/busybox", re.ASCII)
_MODULES = re.compile(
    r"(?:usr/)?(lib/modules/[A-Za-z0-9._+~-]+/(?:[A-Za-z0-9._+/-]+\.ko(?:\.xz|\.zst|\.gz)?|modules\.(?:builtin|builtin\.modinfo|order)))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFiles:
    """What was unpacked: the kernel and its module directory (both None without a kernel package), and busybox.

    ``mapper`` is the program that maps the rootfs through dm-verity with its libraries, path in the initrd to bytes;
    empty where the config wants no verity.
    """

    kernel: Path | None
    modules: Path | None
    busybox: Path
    mapper: Mapping[str, bytes] = field(default_factory=dict)


def fetch_kernel(job: Job) -> KernelFiles:
    """Download and unpack busybox and the kernel package, if the config names one, and index the kernel's modules.

    Raises:
        InputError: the package brings no kernel, or more than one.
        UnavailableError: as `mmdebstrap`; or the packages hold no busybox.
    """
    job.stage("kernel packages")
    package = job.config.kernel.package
    packed, tree = job.work / "kernel.tar", job.work / "kernel"
    verity = job.config.verity
    mmdebstrap(job, "extract", tuple(filter(None, [package, BUSYBOX, MAPPER if verity else ""])), packed)
    kernels = unpack_kernel(packed, tree)
    mapper = take_program(packed, MAPPER) if verity else {}
    packed.unlink()
    if not (tree / "busybox").exists():
        raise UnavailableError(f"the package {BUSYBOX} holds no busybox", where=job.config.suite)
    if not package:
        return KernelFiles(kernel=None, modules=None, busybox=tree / "busybox", mapper=mapper)
    if len(kernels) != 1:
        found = ", ".join(sorted(kernels)) or "none"
        raise InputError(
            "the kernel package must bring one kernel", where=package, expected="one boot/vmlinuz-*", found=found
        )
    (version,) = kernels
    modules = tree / "lib" / "modules" / version
    if not modules.is_dir():
        raise InputError("the kernel package brings no modules", where=package, expected=f"lib/modules/{version}")
    run([find_program("depmod", "kmod"), "-b", str(tree), version])
    return KernelFiles(kernel=tree / "vmlinuz", modules=modules, busybox=tree / "busybox", mapper=mapper)


def unpack_kernel(packed: Path, tree: Path) -> set[str]:
    """Write the kernel, its modules and busybox below ``tree``; the versions of all kernels in the tar."""
    kernels = set()
    tree.mkdir()
    with tarfile.open(packed, "r:") as tar:
        for member in tar:
            path = member.name.removeprefix("./")
            kernel = _KERNEL.fullmatch(path)
            modules = _MODULES.fullmatch(path)
            if not member.isreg() or ".." in path.split("/"):
                continue
            if kernel:
                kernels.add(kernel[1])
                _write(tar, member, tree / "vmlinuz")
            elif _BUSYBOX.fullmatch(path):
                _write(tar, member, tree / "busybox")
            elif modules:
                _write(tar, member, tree / modules[1])
    return kernels


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is not None:
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
