"""The last step of ``assets build``, run by `zygote`: ``publish.py ASSETS ARCH NEW`` puts new files in place."""

import sys
from pathlib import Path

from bitproof.images.build import publish
from bitproof.system.files import Directory
from bitproof.system.lock import locked
from bitproof.system.opened import open_file


def main(assets: str, arch: str, new: str) -> None:
    """Put kernel, initrd and rootfs in place as a build does, under the lock of the dev layout."""
    with (
        Directory(Path(assets), create=True) as directory,
        locked(directory),
        directory.child(arch, create=True) as place,
        open_file(Path(new, "rootfs.squashfs")) as rootfs,
        open_file(Path(new, "vmlinuz")) as kernel,
    ):
        image = Path(new, "initrd.img").read_bytes()
        publish(place, {"rootfs.squashfs": rootfs, "vmlinuz": kernel, ".initrd-base-new": image, "initrd.img": image})
    sys.stdout.write("published\n")
