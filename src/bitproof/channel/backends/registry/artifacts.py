"""What an artifact looks like in a registry: descriptors, image manifests, indices. Pure; the same bytes every time.

Source: the OCI image specification 1.1, "Content Descriptors", "Image Manifest", "Guidelines for Artifact Usage".
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bitproof.errors import InputError, IntegrityError, Problem
from bitproof.model.decode import Table, parse_json
from bitproof.model.digest import Digest

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
RELEASE_TYPE = "application/vnd.bitproof.release.v1"
FILE_TYPE = "application/vnd.bitproof.file.v1"
BUNDLE_TYPE = "application/vnd.bitproof.bundle.v1+tar"
TITLE = "org.opencontainers.image.title"
MAX_MANIFEST = 4 << 20
"""Bytes of a manifest; registries take no larger ones."""
MAX_INLINE = 64 << 10
"""Bytes of a file that its own descriptor carries, so that reading it is one request."""
MAX_BLOB = 1 << 50
_MEDIA_TYPES = {".json": "application/json", ".wasm": "application/wasm"}


class Descriptor(NamedTuple):
    """Bytes by type, SHA-256 and size; ``data`` are the bytes themselves, when it carries them."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = {}
    data: bytes | None = None
    artifact_type: str = ""

    def document(self) -> dict[str, object]:
        """As JSON."""
        document: dict[str, object] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.data is not None:
            document["data"] = base64.b64encode(self.data).decode()
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        return document


def described(data: bytes, media_type: str, title: str = "", *, inline: bool = False) -> Descriptor:
    """The descriptor of bytes in memory."""
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    annotations = {TITLE: title} if title else {}
    return Descriptor(media_type, digest, len(data), annotations, data if inline else None)


NOTHING = described(EMPTY, EMPTY_TYPE, inline=True)
"""The config of an artifact that needs none."""


def media_type(name: str) -> str:
    """The type of a file by its name.

    >>> media_type("manifest.json"), media_type("x86_64/vmlinuz")
    ('application/json', 'application/octet-stream')
    """
    return next((kind for suffix, kind in _MEDIA_TYPES.items() if name.endswith(suffix)), "application/octet-stream")


def image_manifest(
    layers: Sequence[Descriptor],
    artifact_type: str = "",
    *,
    config: Descriptor = NOTHING,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of an image manifest.

    Args:
        layers: what it holds, in this order.
        artifact_type: what it is; empty when the config's type says it.
        config: its config.
        subject: the manifest that this one is about.
        annotations: of the manifest itself.
    """
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.document(),
        "layers": [layer.document() for layer in layers],
    }
    if artifact_type:
        document["artifactType"] = artifact_type
    if subject is not None:
        document["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).document()
    if annotations:
        document["annotations"] = dict(annotations)
    return encoded(document)


def image_index(manifests: Sequence[Descriptor]) -> bytes:
    """The bytes of an index."""
    entries = [manifest.document() for manifest in manifests]
    return encoded({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def encoded(document: Mapping[str, object]) -> bytes:
    """JSON with one way to write it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_descriptors(data: bytes, key: str, where: str) -> tuple[Descriptor, ...]:
    """The ``layers`` of a manifest, or the ``manifests`` of an index.

    Raises:
        IntegrityError: the bytes are none such.
    """
    problems: list[Problem] = []
    try:
        root = Table(parse_json(data, where), "", problems)
    except InputError as error:
        raise no_manifest(where, error.what) from None
    found = tuple(_descriptor(row) for row in root.rows(key))
    if problems:
        raise no_manifest(where, str(problems[0]))
    return found


def no_manifest(where: str, found: str) -> IntegrityError:
    """What a registry serves as a manifest is none."""
    return IntegrityError("the registry serves no manifest of this kind", where=where, found=found)


def _descriptor(table: Table) -> Descriptor:
    data = table.text("data", "")
    annotations = table.table("annotations", required=False)
    return Descriptor(
        table.text("mediaType"),
        table.parsed("digest", lambda text: Digest.parse(text, "sha256"), NOTHING.digest),
        table.integer("size", 0, MAX_BLOB),
        {name: annotations.text(name) for name in annotations.values},
        _inline(data) if data else None,
        table.text("artifactType", ""),
    )


def _inline(text: str) -> bytes | None:
    """Carried bytes; None when they are not base64: then the blob is read."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
