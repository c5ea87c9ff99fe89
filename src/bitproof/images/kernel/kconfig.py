"""What a kernel is configured to be: the defconfig that asks, and the .config that Kconfig made of it. Pure.

Kconfig drops silently what it does not know and what depends on something that is off. Here that is a problem: a line
that hardens the kernel must not get lost with an update of its source.

Source: the kernel's Documentation/kbuild/kconfig.rst.
"""

import re
from collections.abc import Iterable, Iterator

from bitproof.errors import InputError, Problem
from bitproof.model.guest_config import ArchConfig

NO = "n"

_ON = re.compile(r"(CONFIG_[A-Za-z0-9_]+)=(.+)", re.ASCII)
_OFF = re.compile(r"# (CONFIG_[A-Za-z0-9_]+) is not set", re.ASCII)
_MODULES = "m"

_GUEST = (
    *("BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT", "PRINTK", "TTY", "UNIX98_PTYS", "UNIX", "MULTIUSER", "FUTEX"),
    *("PROC_FS", "SYSFS", "DEVTMPFS", "TMPFS", "SHMEM", "OVERLAY_FS"),
    *("PCI", "VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_CONSOLE"),
)
"""What init, agent and doctor need of any kernel, without ``CONFIG_``."""
_ARCH = {
    "x86_64": ("SERIAL_8250_CONSOLE", "ACPI"),
    "arm64": ("SERIAL_AMBA_PL011_CONSOLE", "PCI_HOST_GENERIC", "ARM_PSCI_FW"),
}
"""The console, and what finds the hardware and turns the VM off."""
_INITRD = {"zstd": ("RD_ZSTD",), "xz": ("RD_XZ",), "gzip": ("RD_GZIP",)}
_ROOTFS = {
    ("squashfs", "zstd"): ("SQUASHFS", "SQUASHFS_ZSTD"),
    ("squashfs", "xz"): ("SQUASHFS", "SQUASHFS_XZ"),
    ("squashfs", "gzip"): ("SQUASHFS", "SQUASHFS_ZLIB"),
    ("erofs", "lz4hc"): ("EROFS_FS", "EROFS_FS_ZIP"),
    ("erofs", "lz4"): ("EROFS_FS", "EROFS_FS_ZIP"),
    ("erofs", "zstd"): ("EROFS_FS", "EROFS_FS_ZIP_ZSTD"),
}
_VERITY = ("BLK_DEV_DM", "DM_VERITY", "CRYPTO_SHA256")
"""What maps the rootfs through dm-verity."""


def decoded(defconfig: bytes, where: object) -> str:
    """The text of a defconfig.

    Raises:
        InputError: it is not ASCII, or asks for nothing.
    """
    try:
        text = defconfig.decode("ascii")
    except UnicodeDecodeError as error:
        found = f"byte 0x{defconfig[error.start]:02x} at {error.start}"
        raise InputError("the defconfig is not text", where=where, expected="ASCII", found=found) from None
    if not options(text):
        what = "the defconfig asks for nothing"
        raise InputError(what, where=where, expected="lines such as CONFIG_VIRTIO_BLK=y", found="none")
    return text


def options(text: str) -> dict[str, str]:
    """The options of a defconfig or .config in their order; what is not set is ``n``."""
    read = {}
    for line in text.splitlines():
        on, off = _ON.fullmatch(line.strip()), _OFF.fullmatch(line.strip())
        if on:
            read[on[1]] = on[2]
        elif off:
            read[off[1]] = NO
    return read


def unmet(asked: dict[str, str], made: dict[str, str]) -> Iterator[Problem]:
    """Every option that is not as the defconfig asks, and every one that asks for a module."""
    for option, value in asked.items():
        if value == _MODULES:
            yield Problem(option, "asks for a module, and a kernel from source has none", expected="y or n", found="m")
        elif made.get(option, NO) != value:
            yield Problem(option, "Kconfig did not take it", expected=value, found=made.get(option, NO))


def needed(arch: ArchConfig, compression: str) -> tuple[str, ...]:
    """The options that an image needs to boot: ``compression`` is the initrd's codec."""
    rootfs = _ROOTFS[arch.rootfs_format, arch.rootfs_compression] + (_VERITY if arch.verity else ())
    return tuple(f"CONFIG_{name}" for name in (*_GUEST, *_ARCH[arch.arch], *_INITRD[compression], *rootfs))


def lacking(made: dict[str, str], options_needed: Iterable[str]) -> Iterator[Problem]:
    """Every option that is needed and off."""
    for option in options_needed:
        if made.get(option, NO) != "y":
            yield Problem(option, "the image needs it", expected="y", found=made.get(option, NO))
