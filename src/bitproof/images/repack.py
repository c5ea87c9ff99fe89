"""Make the initrd of a built arch anew from the guest's files: the daily loop, so nothing of a build is imported here.

The packages' part is copied as the build kept it, however large, and the guest's part, packed anew, goes behind it
(`initrd.image`).
"""

import stat
from pathlib import Path

from bitproof.errors import InputError, UnavailableError
from bitproof.images.config import Artifacts, read_artifacts
from bitproof.images.initrd import image as initrd
from bitproof.images.initrd.cpio import MAX_FIELD
from bitproof.model.guest_config import GuestConfig
from bitproof.model.names import INITRD
from bitproof.system.content import copy_bytes, write_synced
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile

PIECE = 1 << 20
"""Bytes that are compared at a time."""


def repack_arch(config: GuestConfig, arch: str, *, artifacts: Path, assets: Directory, epoch: int | None) -> bool:
    """Make the initrd of a built arch anew from the guest's files; needs no network and touches nothing else.

    Args:
        config: the whole guest config.
        arch: the arch key, one of the config's.
        artifacts: the guest's own files.
        assets: the dev layout, whose lock the caller holds.
        epoch: the time of the guest's files; that of the build when absent.

    Returns:
        Whether the initrd changed; its old inode is never written to.

    Raises:
        InputError: config or artifacts are wrong; it is not clear what to repack.
        UnavailableError: the arch was never built.
        IntegrityError: what the build kept for this does not have its digest.
    """
    config.arch(arch)
    guest = read_artifacts(artifacts)
    if assets.stat(arch) is None:
        fix = f"{initrd.REBUILD} --arch {arch}"
        raise UnavailableError("there is no initrd to repack", where=assets.path / arch, found="nothing", fix=fix)
    with assets.child(arch) as directory, initrd.open_base(directory) as base:
        time = initrd.base_epoch(base, directory.path) if epoch is None else checked_epoch(epoch)
        segment = guest_segment(config, guest, time)
        if _is_joined(directory, base, segment):
            directory.sync()  # whoever renamed it may have been killed before this
            return False
        with directory.staged(INITRD, initrd.initrd_mode(directory, INITRD)) as target:
            copy_bytes(base, target.fd, base.size)
            initrd.check_base(OpenFile(target.fd, base.path))  # what landed
            write_synced(target, segment, base.size)
    return True


def _is_joined(directory: Directory, base: OpenFile, segment: bytes) -> bool:
    """Whether the initrd has these two parts already."""
    state = directory.stat(INITRD)
    if state is None or not stat.S_ISREG(state.st_mode) or state.st_size != base.size + len(segment):
        return False
    with directory.open(INITRD) as file:
        pieces = ((offset, min(PIECE, base.size - offset)) for offset in range(0, base.size, PIECE))
        return file.read_at(base.size, len(segment)) == segment and all(
            file.read_at(*piece) == base.read_at(*piece) for piece in pieces
        )


def checked_epoch(epoch: int) -> int:
    """A time in seconds since 1970 that an archive can hold; anything else is an InputError."""
    if not 0 <= epoch <= MAX_FIELD:
        raise InputError(
            "the time does not fit into an initrd", where="SOURCE_DATE_EPOCH", expected=f"0 to {MAX_FIELD}", found=epoch
        )
    return epoch


def guest_segment(config: GuestConfig, guest: Artifacts, epoch: int) -> bytes:
    """The guest part of an initrd, compressed; ``epoch`` is the time of its files, seconds since 1970."""
    return initrd.segment(initrd.guest_entries(guest, config.environment), config.compression, config.level, epoch)
