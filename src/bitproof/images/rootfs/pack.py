"""A filtered tree packed as squashfs or erofs, the same bytes on every run. Sources: tar2sqfs(1), mkfs.erofs(1)."""

import os
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.images.debian import TIMEOUT, Job
from bitproof.model.guest_config import ArchConfig
from bitproof.system.opened import open_file
from bitproof.system.process import find_program, run

EROFS_UUID = "b17b00f0-0000-4000-8000-000000000000"
"""A fixed UUID: nothing finds the rootfs by it, and a random one would change the bytes."""


def check_packer(config: ArchConfig, work: Path) -> None:
    """Try whether this machine can make the rootfs's format, on an empty tree in ``work``.

    Raises:
        UnavailableError: the packer is not installed, lacks the codec, or needs root.
    """
    if config.rootfs_format == "squashfs":
        find_program("tar2sqfs", "squashfs-tools-ng")
        return
    find_program("mkfs.erofs", "erofs-utils")
    if os.geteuid() != 0:
        what = "an erofs rootfs needs root, to unpack files with their owners"
        raise UnavailableError(what, where=config.arch, fix='run it as root, or set rootfs.format = "squashfs"')
    (tree := work / "empty").mkdir()
    try:
        run(_erofs_command(config, 0, work / "empty.erofs", tree))
    except UnavailableError as error:
        what = f"this mkfs.erofs cannot compress with {config.rootfs_compression}"
        where = f"arch.{config.arch}.rootfs.compression"
        fix = "set lz4hc or lz4; zstd needs erofs-utils 1.8 or newer"
        raise UnavailableError(what, where=where, found=error.found, details=error.details, fix=fix) from None


def pack_rootfs(job: Job, filtered: Path) -> Path:
    """Pack a filtered tar as the image that the config asks for, in the job's directory.

    Raises:
        UnavailableError: the packer failed.
    """
    form = job.config.rootfs_format
    job.stage(f"rootfs {form}")
    image = job.work / f"rootfs.{form}"
    if form == "squashfs":
        with open_file(filtered) as file:
            _run(job, _squashfs_command(job.config, job.epoch, image), stdin=file.fd)
        return image
    (tree := job.work / "tree").mkdir()
    as_packed = ["--numeric-owner", "--same-owner", "--same-permissions"]
    _run(job, [find_program("tar", "tar"), "--extract", *as_packed, f"--file={filtered}", f"--directory={tree}"])
    _run(job, _erofs_command(job.config, job.epoch, image, tree))
    return image


def _run(job: Job, argv: list[str], stdin: int | None = None) -> None:
    run(argv, environment={"SOURCE_DATE_EPOCH": str(job.epoch)}, stdin=stdin, timeout=TIMEOUT, stopped=job.stopped)


def _squashfs_command(config: ArchConfig, epoch: int, image: Path) -> list[str]:
    """tar2sqfs(1): reads the tar from standard input; any number of jobs gives the same bytes."""
    codec = ["--compressor", config.rootfs_compression, "--comp-extra", f"level={config.rootfs_level}"]
    options = ["--quiet", "--no-skip", "--no-xattr", "--defaults", f"mtime={epoch}"]
    return [find_program("tar2sqfs", "squashfs-tools-ng"), *options, *codec, str(image)]


def _erofs_command(config: ArchConfig, epoch: int, image: Path, tree: Path) -> list[str]:
    """mkfs.erofs(1): one time for all files, no extended attributes, clusters of 64 KiB (an eighth smaller)."""
    level = f",{config.rootfs_level}" if config.rootfs_level else ""
    options = ["--quiet", "-x-1", "-C65536", f"-T{epoch}", f"-U{EROFS_UUID}", f"-z{config.rootfs_compression}{level}"]
    return [find_program("mkfs.erofs", "erofs-utils"), *options, str(image), str(tree)]
