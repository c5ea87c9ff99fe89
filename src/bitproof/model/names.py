"""Names: of versions, arches and assets, and the hash names of an installed store (FORMATS sections 1 and 2)."""

import re

from bitproof.model.digest import HASH16, Digest

MAX_NAME = 128
NAME_RULE = "1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)
HASH_NAME = re.compile(
    r"(?P<stem>[A-Za-z0-9][A-Za-z0-9_+-]*)-(?P<hash16>[0-9a-f]{16})(?P<rest>(?:\.[A-Za-z0-9._+-]*)?)", re.ASCII
)

KERNEL = "vmlinuz"
INITRD = "initrd.img"
ROOTFS_FORMATS = ("squashfs", "erofs")
ROOTFS = tuple(f"rootfs.{form}" for form in ROOTFS_FORMATS)
MANIFEST = "manifest.json"
CHECKSUMS = "B3SUMS"
FLAT_ARCH = "unknown"
"""The arch of files that lie flat in a dev layout, under no arch directory."""

_ARCHES = {"aarch64": "arm64", "arm64": "arm64", "amd64": "x86_64", "x86_64": "x86_64", "x86-64": "x86_64"}


def check_name(text: str) -> str:
    """Return ``text`` when it may name a version, an arch or an asset.

    Raises:
        ValueError: when it is empty, longer than 128 characters or not ``[A-Za-z0-9][A-Za-z0-9._+-]*``.
    """
    if len(text) > MAX_NAME or not NAME.fullmatch(text):
        raise ValueError(f"not a name: expected {NAME_RULE}, found {shown(text)}")
    return text


def shown(value: object) -> str:
    """A value as an error quotes it: Python's repr, cut after 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - a line of a terminal


def arch_key(machine: str) -> str:
    """The manifest's key for a machine name: ``aarch64`` is ``arm64``, ``amd64`` is ``x86_64``, others stay.

    >>> arch_key("aarch64"), arch_key("amd64"), arch_key("riscv64")
    ('arm64', 'x86_64', 'riscv64')
    """
    return _ARCHES.get(machine.lower(), machine)


def hash_name(name: str, digest: Digest) -> str:
    """The name an asset has in a store: ``{stem}-{hash16}{rest}``, split at the first dot.

    >>> hash_name("rootfs.squashfs", Digest("blake3", "89eb92b83534d9d0" + "0" * 48))
    'rootfs-89eb92b83534d9d0.squashfs'
    """
    stem, dot, rest = name.partition(".")
    return f"{stem}-{digest.hash16}{dot}{rest}"


def is_hash_name(name: str) -> bool:
    """Whether ``name`` is one that `hash_name` makes; nothing else is ever cleaned up.

    >>> is_hash_name("vmlinuz-2c0bd752db929642"), is_hash_name("my-key.pub"), is_hash_name("x-2c0bd752db929642.tar.gz")
    (True, False, True)
    """
    found = HASH_NAME.fullmatch(name)
    return found is not None and len(found["hash16"]) == HASH16
