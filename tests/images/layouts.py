"""A config, an init and a way to see what changed, for tests of builds and repacks."""

from pathlib import Path

from bitproof.model.guest_config import GuestConfig, read_guest_config

CONFIG = b"""\
compression = "zstd"
level = 1
[arch.x86_64]
suite = "bookworm"
mirror = "file:///nowhere"
kernel.package = "linux-image-cloud-amd64"
rootfs.format = "squashfs"
"""
INIT = b"""\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "$module"; done </etc/bitproof/modules
. /etc/bitproof/environment
for wait in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vda ] && break; $bb sleep 1; done
$bb mount -o ro /dev/vda /newroot && $bb echo "mounted $($bb cat /newroot/etc/hostname) $GREETING" >/dev/console
$bb poweroff -f
"""


def states(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Inode and bytes of every file."""
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in directory.iterdir()}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def config_of(text: bytes = CONFIG) -> GuestConfig:
    return read_guest_config({"build.toml": text})
