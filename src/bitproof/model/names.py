"""Names: of versions, arches and assets, and the hash names of an installed store (FORMATS sections 1 and 2)."""

import re

from bitproof.errors import shown
from bitproof.model.digest import Digest

MAX_NAME = 128
MAX_REASON = 200
"""Characters of a reason for a revocation."""
NAME_RULE = "1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)
_HASH_NAME = r"(?P<stem>[A-Za-z0-9][A-Za-z0-9_+-]*)-(?P<hash16>[0-9a-f]{16})(?P<rest>(?:\.[A-Za-z0-9._+-]*)?)"

KERNEL = "vmlinuz"
INITRD = "initrd.img"
ROOTFS_FORMATS = ("squashfs", "erofs")
ROOTFS = tuple(f"rootfs.{form}" for form in ROOTFS_FORMATS)
MANIFEST = "manifest.json"
CHECKSUMS = "B3SUMS"
KEEP_LIST = "keep"
"""The store's own list of what cleanup keeps."""
SIGNERS = ".bitproof-signers"
"""The store's own list of who signs its manifests."""
SELECTION = ".bitproof-selection.json"
"""What holds this machine, or a VM, at a release of the store."""
CHANNEL_STATE = ".bitproof-channel"
"""The directory of a store that has what it knows of its channel, and its history."""
FOLLOWED = "state.json"
"""In that directory: which channel, and how far updates have come. A store without it follows none."""
HISTORY_LOCK = ".history.lock"
"""The lock of the history alone, in that directory."""
SIDE_FILES = ("inventory.json", "sbom.cdx.json")
"""What a build writes beside the images of an arch, and no manifest lists."""
INVENTORY, SBOM = SIDE_FILES
LOCK = "packages.lock"
"""The locked packages of all arches, in the config directory; an inventory has the same form."""
FLAT_ARCH = "unknown"
"""The arch of files that lie flat in a dev layout, under no arch directory."""
SIGNATURES = (".asc", ".cert", ".minisig", ".pem", ".pub", ".sig", ".sign", ".sigstore", ".sigstore.json")

KNOWN_ARCHES = ("arm64", "x86_64")
_ARCHES = {"aarch64": "arm64", "arm64": "arm64", "amd64": "x86_64", "x86_64": "x86_64", "x86-64": "x86_64"}


def check_name(text: str) -> str:
    """Return ``text`` when it may name a version, an arch or an asset.

    Raises:
        ValueError: when it is empty, longer than 128 characters or not ``[A-Za-z0-9][A-Za-z0-9._+-]*``.
    """
    if len(text) > MAX_NAME or not NAME.fullmatch(text):
        raise ValueError(f"not a name: expected {NAME_RULE}, found {shown(text)}")
    return text


def check_reason(text: str) -> str:
    """Return ``text`` when it may say why a release is revoked: it is printed to whoever would boot that.

    Raises:
        ValueError: when it is empty, longer than 200 characters, or not one printable line.
    """
    if not text.strip() or len(text) > MAX_REASON or not text.isprintable():
        raise ValueError(
            f"not a reason: expected one printable line of 1 to {MAX_REASON} characters, found {shown(text)}"
        )
    return text


def is_signature(name: str) -> bool:
    """Whether ``name`` is that of a signature or a key, which no cleanup touches though it has a hash name.

    >>> is_signature("vmlinuz-2c0bd752db929642.minisig"), is_signature("initrd-e5e910e9ab38b873.img")
    (True, False)
    """
    return name.endswith(SIGNATURES)


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
    return re.fullmatch(_HASH_NAME, name, re.ASCII) is not None
