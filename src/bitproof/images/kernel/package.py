"""Packages of Debian's, unpacked: a kernel with its modules or its source, and busybox. Nothing is installed here."""

import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import Job, fetch_tree
from bitproof.images.inventory.packages import kernel_packages, read_facts
from bitproof.images.program import take_program
from bitproof.model.inventory import Package
from bitproof.proof.inputs import RecordedInputs
from bitproof.system.process import find_program, run

BUSYBOX = "busybox-static"
MAPPER = "dmsetup"
"""The package and its program: busybox cannot make a device of the device mapper."""
SOURCE = "source.tar.xz"

_KERNEL = re.compile(r"boot/vmlinuz-([A-Za-z0-9._+~-]+)", re.ASCII)
_SOURCE = re.compile(r"usr/src/linux-source-[0-9.]+\.tar\.xz", re.ASCII)
_BUSYBOX = re.compile(r"(?:usr/)?bin/busybox", re.ASCII)
_MODULES = re.compile(
    r"(?:usr/)?(lib/modules/[A-Za-z0-9._+~-]+/(?:[A-Za-z0-9._+/-]+\.ko(?:\.xz|\.zst|\.gz)?|modules\.(?:builtin|builtin\.modinfo|order)))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFiles:
    """What was unpacked: the kernel and its module directory (both None without a kernel package), and busybox.

    ``mapper`` is the program that maps the rootfs through dm-verity with its libraries, path in the initrd to bytes;
    empty where the config wants no verity. ``source`` is the tarball out of a package with a kernel's source. Of a
    compiled kernel ``inputs`` is what it was made from. ``packages`` are all that were unpacked.
    """

    kernel: Path | None
    modules: Path | None
    busybox: Path
    packages: tuple[Package, ...] = ()
    mapper: Mapping[str, bytes] = field(default_factory=dict)
    source: Path | None = None
    inputs: RecordedInputs | None = None


def fetch_kernel(job: Job) -> KernelFiles:
    """Download and unpack busybox and what the config names: a kernel, whose modules are indexed, or its source.

    Raises:
        InputError: the package brings no kernel, or more than one; the source's package brings no source.
        UnavailableError: as the driver; or the packages hold no busybox.
    """
    job.stage("kernel packages")
    package, source = job.config.kernel.package, job.config.kernel.source
    packed, tree = job.work / "kernel.tar", job.work / "kernel"
    verity = job.config.verity
    wanted = tuple(filter(None, [package, source, BUSYBOX, MAPPER if verity else ""]))
    fetch_tree(job, "extract", wanted, packed)
    packages = kernel_packages(read_facts(packed))
    kernels = unpack_kernel(packed, tree)
    mapper = take_program(packed, MAPPER) if verity else {}
    packed.unlink()
    if not (tree / "busybox").exists():
        raise UnavailableError(f"the package {BUSYBOX} holds no busybox", where=job.config.suite)
    if source and not (tree / SOURCE).exists():
        expected = "one usr/src/linux-source-*.tar.xz"
        raise InputError("the package brings no kernel's source", where=source, expected=expected, found="none")
    if not package:
        return KernelFiles(
            kernel=None,
            modules=None,
            busybox=tree / "busybox",
            packages=packages,
            mapper=mapper,
            source=tree / SOURCE if source else None,
        )
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
    return KernelFiles(
        kernel=tree / "vmlinuz", modules=modules, busybox=tree / "busybox", packages=packages, mapper=mapper
    )


def unpack_kernel(packed: Path, tree: Path) -> set[str]:
    """Write kernel, modules, source and busybox below ``tree``; the versions of all kernels in the tar."""
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
            elif _SOURCE.fullmatch(path):
                _write(tar, member, tree / SOURCE)
            elif modules:
                _write(tar, member, tree / modules[1])
    return kernels


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is not None:
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
