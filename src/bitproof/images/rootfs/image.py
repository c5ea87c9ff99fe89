"""The rootfs: Debian's tree through a filter, with the guest's overlay, packed as an image."""

from pathlib import Path

from bitproof.images.config import OverlayEntry
from bitproof.images.debian import Job, fetch_tree
from bitproof.images.inventory.packages import TreeFacts, read_facts
from bitproof.images.rootfs.filter import filter_tree
from bitproof.images.rootfs.pack import pack_rootfs
from bitproof.images.rootfs.verity import append_tree


def fetch_rootfs(job: Job, packages: tuple[str, ...]) -> tuple[Path, TreeFacts]:
    """Let the driver make Debian's tree; its tar in the job's directory, and what it says of its packages.

    Raises:
        InputError: a package that the suite does not have.
        UnavailableError: the driver failed.
    """
    job.stage("rootfs packages")
    whole = job.work / "rootfs.tar"
    fetch_tree(job, "minbase", packages, whole)
    return whole, read_facts(whole)


def make_rootfs(job: Job, whole: Path, overlay: tuple[OverlayEntry, ...]) -> Path:
    """Filter the tree and pack it as the image in the job's directory; returns its path. The tree's tar goes.

    Raises:
        InputError: an overlay that does not fit.
        UnavailableError: the packer failed.
    """
    job.stage("rootfs filter")
    filtered = job.work / "filtered.tar"
    filter_tree(whole, filtered, overlay, job.epoch)
    whole.unlink()
    image = pack_rootfs(job, filtered)
    if job.config.verity:
        job.stage("rootfs verity")
        append_tree(image)
    return image
