"""Where the parts of a channel lie in its place. Pure.

The names of metadata and of the manifest are those of TUF's consistent snapshots (specification, section 6.2), so that
any TUF client finds them.
"""

import hashlib

from bitproof.channel.ports import Blob
from bitproof.errors import InputError
from bitproof.model.names import MANIFEST, check_name

MANIFEST_SIGNATURE = f"{MANIFEST}.minisig"
TARGETS = (MANIFEST, MANIFEST_SIGNATURE)
"""The files that a channel's targets role lists."""
BUNDLE_SUFFIX = ".bitproof"
"""What the name of a release in one file ends with."""
BLOBS = "blobs"
"""The directory of the blobs of all channels, where places have directories."""


def check_channel(name: str) -> str:
    """Return ``name`` when a channel may have it.

    Raises:
        InputError: it is not a name, so that it could lead elsewhere.
    """
    try:
        return check_name(name)
    except ValueError as error:
        raise InputError(f"not a channel: {error}") from None


def directories(channel: str) -> tuple[str, ...]:
    """The directories that only a channel's own files are in, where places have directories.

    >>> directories("stable")
    ('stable', 'stable/bundles', 'stable/metadata', 'stable/targets')
    """
    return channel, f"{channel}/bundles", f"{channel}/metadata", f"{channel}/targets"


def metadata_path(channel: str, role: str, version: int | None = None) -> str:
    """Where a role's metadata is; the timestamp's has no version.

    >>> metadata_path("stable", "root", 2), metadata_path("stable", "timestamp")
    ('stable/metadata/2.root.json', 'stable/metadata/timestamp.json')
    """
    prefix = "" if version is None else f"{version}."
    return f"{channel}/metadata/{prefix}{role}.json"


def target_path(channel: str, name: str, data: bytes) -> str:
    """Where a target with these bytes is."""
    return named_target_path(channel, name, hashlib.sha256(data).hexdigest())


def named_target_path(channel: str, name: str, sha256: str) -> str:
    """As `target_path`, by its digest in hex."""
    return f"{channel}/targets/{sha256}.{name}"


def bundle_path(channel: str, version: str) -> str:
    """Where a release's bundle is, in places that have paths.

    >>> bundle_path("stable", "2026.0415.1")
    'stable/bundles/2026.0415.1.bitproof'
    """
    return f"{channel}/bundles/{version}{BUNDLE_SUFFIX}"


def blob_path(blob: Blob) -> str:
    """Where a blob is, in places that have paths."""
    return f"{BLOBS}/{blob.blake3.value}"
