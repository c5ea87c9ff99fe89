"""Build an arch's kernel, initrd and rootfs, and publish them into the dev layout.

1. Check config, artifacts and programs; nothing is downloaded or written before.
2. Fetch the kernel's packages and the rootfs's tree, at the same time; the first failure ends both.
3. Note what packages these are; with a lock, they must be the locked ones.
4. Compile the kernel where the config says so, and filter and pack the rootfs, at the same time; compose the initrd.
5. Stage all files beside their places, then rename: rootfs, kernel, the initrd's base, the initrd, then what says what
   they are made of. A file whose bytes are the same stays the inode it was. Then what an earlier build left over is
   removed.

The caller holds the lock of the dev layout.
"""

import os
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bitproof.errors import InputError, UnavailableError
from bitproof.images.config import open_kernel, read_artifacts
from bitproof.images.debian import Job, check_programs_run, debian_arch, workspace
from bitproof.images.drivers.choose import Driver
from bitproof.images.initrd import image as initrd
from bitproof.images.inventory.packages import rootfs_packages
from bitproof.images.inventory.sbom import describe
from bitproof.images.kernel.package import KernelFiles, fetch_kernel
from bitproof.images.kernel.source import PREFIX as KERNEL_PREFIX
from bitproof.images.kernel.source import check_source, compiled_kernel, kept_name
from bitproof.images.repack import checked_epoch, guest_segment
from bitproof.images.rootfs.image import fetch_rootfs, make_rootfs
from bitproof.images.rootfs.pack import check_packer
from bitproof.images.supply import ANY, Supply
from bitproof.model.guest_config import ArchConfig, GuestConfig
from bitproof.model.inventory import Inventory
from bitproof.model.names import INITRD, KERNEL, ROOTFS
from bitproof.system.content import copy_bytes, reserve, write_synced
from bitproof.system.files import Directory, is_temporary
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile, open_file
from bitproof.system.process import find_program

Stage = Callable[[str], None]
A = TypeVar("A")
B = TypeVar("B")


def build_arch(
    config: GuestConfig,
    arch: str,
    *,
    config_dir: Path,
    artifacts: Path,
    assets: Directory,
    epoch: int,
    stage: Stage,
    supply: Supply = ANY,
) -> None:
    """Build kernel, initrd and rootfs of one arch and publish them as ``assets/{arch}/…``.

    Args:
        config: the whole guest config.
        arch: the arch key, one of the config's.
        config_dir: what the config's paths are relative to.
        artifacts: the guest's own files.
        assets: the dev layout, whose lock the caller holds.
        epoch: the time of everything that has one (SOURCE_DATE_EPOCH), seconds since 1970.
        stage: told what begins; called from two threads.
        supply: which driver makes Debian's trees, and which packages alone may be in them.

    Raises:
        InputError: config, artifacts or packages are wrong.
        IntegrityError: the packages are not the locked ones.
        UnavailableError: a program is missing, the network or the disk does not serve.
    """
    wanted = config.arch(arch)
    checked_epoch(epoch)
    guest = read_artifacts(artifacts)
    driver = _checked(wanted, config_dir, supply)
    stage(f"driver {driver.name}: {driver.reason}")
    with workspace() as work:
        stop = threading.Event()
        job = Job(config=wanted, epoch=epoch, work=work, stage=stage, stopped=stop.is_set, fetch=driver.fetch)
        job = supply.equip(job, config_dir)
        fetched, (tree, facts) = _together(
            lambda: fetch_kernel(job), lambda: fetch_rootfs(job, config.packages), stop.set
        )
        packages = rootfs_packages(facts, driver.base)
        inventory = Inventory(arch=arch, kernel=fetched.packages, rootfs=packages, base=driver.base)
        supply.check_packages(inventory)
        files, rootfs = _together(
            lambda: _with_kernel(job, fetched, config.compression, config_dir, assets),
            lambda: make_rootfs(job, tree, guest.overlay),
            stop.set,
        )
        stage("initrd")
        base = _base(config, wanted, files, epoch)
        image = base + guest_segment(config, guest, epoch)
        stage("publish")
        with (
            open_kernel(config_dir, wanted.kernel.file) if files.kernel is None else open_file(files.kernel) as kernel,
            open_file(rootfs) as packed,
            assets.child(arch, create=True) as directory,
        ):
            images: dict[str, OpenFile | bytes] = {rootfs.name: packed, KERNEL: kernel}
            images |= {initrd.base_name(base): base, INITRD: image}
            if files.inputs:
                images[kept_name(kernel)] = files.inputs.to_bytes()
            publish(directory, {**images, **describe(inventory, wanted.suite, epoch)})


def check_build(
    config: GuestConfig, arches: Sequence[str], *, config_dir: Path, artifacts: Path, supply: Supply = ANY
) -> None:
    """Check all that can be known before a build begins; a caller who does so first leaves nothing of a refused one.

    Args:
        config: the whole guest config.
        arches: arch keys.
        config_dir: what the config's paths are relative to.
        artifacts: the guest's own files.
        supply: as for `build_arch`.

    Raises:
        InputError: an arch, the artifacts, the given kernel or the lock are not usable.
        UnavailableError: a program is missing, or lacks the codec.
    """
    read_artifacts(artifacts)
    for arch in arches:
        _checked(config.arch(arch), config_dir, supply)


def _checked(config: ArchConfig, config_dir: Path, supply: Supply) -> Driver:
    """The driver for an arch that can be built here."""
    _check_kernel(config, config_dir)
    driver = supply.check(config, config_dir)
    with workspace() as work:
        check_packer(config, work)
    return driver


def _check_kernel(config: ArchConfig, config_dir: Path) -> None:
    debian_arch(config.arch)
    check_programs_run(config.arch)
    if config.kernel.compiled:
        check_source(config, config_dir)
        return
    if config.kernel.package:
        find_program("depmod", "kmod")
        return
    open_kernel(config_dir, config.kernel.file).close()
    if config.kernel.modules:
        where = f"arch.{config.arch}.kernel.modules"
        raise InputError("a given kernel.file has no modules to load", where=where, fix="leave kernel.modules out")


def _with_kernel(job: Job, fetched: KernelFiles, compression: str, config_dir: Path, assets: Directory) -> KernelFiles:
    """What the packages bring, and the kernel when it is compiled here."""
    if not job.config.kernel.compiled:
        return fetched
    made = compiled_kernel(job, fetched.source, config_dir, assets, compression)
    return replace(fetched, kernel=made.kernel, inputs=made.inputs)


def _together(first: Callable[[], A], second: Callable[[], B], stop: Callable[[], None]) -> tuple[A, B]:
    """Both at the same time, ``second`` in this thread. The first failure stops the other and is the one raised."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(first)
        future.add_done_callback(lambda done: stop() if done.exception() else None)
        try:
            result = second()
            return future.result(), result
        except BaseException as error:
            earlier = future.exception() if isinstance(error, Exception) and future.done() else None
            stop()
            if earlier is not None:
                raise earlier from None
            raise


def _base(config: GuestConfig, arch: ArchConfig, files: KernelFiles, epoch: int) -> bytes:
    entries = initrd.base_entries(files, (arch.rootfs_format, *arch.kernel.modules))
    return initrd.segment(entries, config.compression, config.level, epoch)


def publish(directory: Directory, files: dict[str, OpenFile | bytes]) -> None:
    """Put ``files`` in place in their order, or none of them when one cannot be staged; remove what is left over."""
    with ExitStack() as staged:
        for name, source in reversed(files.items()):  # the stack renames the last one first
            if not _holds(directory, name, source):
                _fill(source, staged.enter_context(directory.staged(name, 0o644)))
    for name, _ in directory.names():
        ours = name in ROOTFS or name.startswith((initrd.BASE_PREFIX, KERNEL_PREFIX))
        if (ours and name not in files) or is_temporary(name):  # a temporary of a writer that was killed
            directory.remove(name)
    directory.sync()


def _fill(source: OpenFile | bytes, target: OpenFile) -> None:
    if isinstance(source, bytes):
        write_synced(target, source)
        return
    reserve(target.fd, source.size)
    done = copy_bytes(source, target.fd, source.size)
    os.fsync(target.fd)
    if done != source.size or blake3_digest(OpenFile(target.fd, target.path)) != blake3_digest(source):
        raise UnavailableError("the file changed while it was copied", where=source.path)


def _holds(directory: Directory, name: str, source: OpenFile | bytes) -> bool:
    """Whether ``name`` is a regular file with these bytes already."""
    state = directory.stat(name)
    size = len(source) if isinstance(source, bytes) else source.size
    if state is None or not stat.S_ISREG(state.st_mode) or state.st_size != size:
        return False
    with directory.open(name) as file:
        if isinstance(source, bytes):
            return file.read(size) == source
        return blake3_digest(file) == blake3_digest(source)
