"""The rootfs: Debian's tree through a filter, with the guest's overlay, packed as an image."""

from pathlib import Path

from bitproof.images.config import OverlayEntry
from bitproof.images.debian import Job, mmdebstrap
from bitproof.images.rootfs.filter import filter_tree
from bitproof.images.rootfs.pack import pack_rootfs
from bitproof.images.rootfs.verity import append_tree


def make_rootfs(job: Job, packages: tuple[str, ...], overlay: tuple[OverlayEntry, ...]) -> Path:
    """Build the rootfs image in the job's directory and return its path.

    Raises:
        InputError: a package that the suite does not have; an overlay that does not fit.
        UnavailableError: mmdebstrap or the packer failed.
    """
    whole, filtered = job.work / "rootfs.tar", job.work / "filtered.tar"
    job.stage("rootfs packages")
    mmdebstrap(job, "minbase", packages, whole)
    job.stage("rootfs filter")
    filter_tree(whole, filtered, overlay, job.epoch)
    whole.unlink()
    image = pack_rootfs(job, filtered)
    if job.config.verity:
        job.stage("rootfs verity")
        append_tree(image)
    return image
