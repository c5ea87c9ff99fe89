"""Manifests of a registry: read, compared with their digest, and written."""

import hashlib
from typing import NamedTuple

from bitproof.channel.backends.registry.artifacts import (
    MANIFEST_TYPE,
    MAX_MANIFEST,
    described,
)
from bitproof.channel.backends.registry.connection import Registry
from bitproof.errors import IntegrityError
from bitproof.model.digest import Digest

_OK, _CREATED, _ABSENT = 200, 201, 404
_DIGEST = "Docker-Content-Digest"
_SUBJECT = "OCI-Subject"


class Manifest(NamedTuple):
    """The bytes of a manifest, and their digest."""

    data: bytes
    digest: Digest


def read_manifest(registry: Registry, reference: str, media_type: str = MANIFEST_TYPE) -> Manifest | None:
    """A manifest by its tag or ``sha256:…``; None when there is none, or no such repository.

    Raises:
        IntegrityError: it is too large, of another type, or not what its digest says.
        UnavailableError: the registry does not serve it.
    """
    where = f"{registry.where}/manifests/{reference}"
    headers = {"Accept": media_type}
    answer = registry.call("GET", f"manifests/{reference}", (_OK, _ABSENT), headers=headers, limit=MAX_MANIFEST)
    if answer.status == _ABSENT:
        return None
    if len(answer.body) > MAX_MANIFEST:
        expected = f"at most {MAX_MANIFEST} bytes"
        raise IntegrityError("the manifest is larger than it may be", where=where, expected=expected)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind != media_type:
        raise IntegrityError("the manifest is of another type", where=where, expected=media_type, found=kind[:200])
    digest = Digest("sha256", hashlib.sha256(answer.body).hexdigest())
    promised = reference if ":" in reference else answer.headers.get(_DIGEST, str(digest))
    if promised != str(digest):
        what = "the manifest is not what its digest says"
        raise IntegrityError(what, where=where, expected=promised[:200], found=digest)
    return Manifest(answer.body, digest)


def write_manifest(registry: Registry, reference: str, data: bytes, media_type: str = MANIFEST_TYPE) -> bool:
    """Write a manifest under a tag or its digest; whether the registry minds its subject by itself.

    Raises:
        UnavailableError: the registry refused.
    """
    answer = registry.call(
        "PUT", f"manifests/{reference}", (_CREATED,), headers={"Content-Type": media_type}, body=data
    )
    written = described(data, media_type)
    told = answer.headers.get(_DIGEST, str(written.digest))
    if told != str(written.digest):
        what, where = "the registry stored another manifest", f"{registry.where}/manifests/{reference}"
        raise IntegrityError(what, where=where, expected=written.digest, found=told[:200])
    return bool(answer.headers.get(_SUBJECT))


def read_back(registry: Registry, reference: str, data: bytes, media_type: str = MANIFEST_TYPE) -> bool:
    """Whether a tag still has just these bytes."""
    found = read_manifest(registry, reference, media_type)
    return found is not None and found.data == data
