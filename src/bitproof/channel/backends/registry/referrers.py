"""What is said about an artifact after it was pushed: other artifacts that name it as their subject.

Source: OCI distribution specification 1.1, "Pushing Manifests with Subject", "Listing Referrers" and "Referrers Tag
Schema". A registry that knows subjects says so (``OCI-Subject``) and lists them itself. For one that does not, the
publisher keeps the list, an index under the tag ``sha256-<hex>``; tags have no conditions, so it is looked at again
after it was written.
"""

from bitproof.channel.backends.registry.artifacts import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    MAX_MANIFEST,
    Descriptor,
    described,
    encoded,
    image_index,
    image_manifest,
    no_manifest,
    parse_descriptors,
)
from bitproof.channel.backends.registry.blobs import of_bytes, upload, upload_empty
from bitproof.channel.backends.registry.connection import Registry
from bitproof.channel.backends.registry.manifests import read_back, read_manifest, write_manifest
from bitproof.errors import InputError, UnavailableError
from bitproof.model.decode import parse_json
from bitproof.model.digest import Digest
from bitproof.system.opened import ignore

TRIES = 5
"""How often the list is written anew when somebody else's replaced it."""
_OK, _ABSENT = 200, 404


def attach(registry: Registry, subject: Descriptor, layer: Descriptor, data: bytes, artifact_type: str) -> Descriptor:
    """Push a file that says something about a manifest.

    Args:
        registry: where both are.
        subject: the manifest.
        layer: the file's descriptor; the list has its annotations.
        data: the file.
        artifact_type: what kind of thing it says.

    Returns:
        The descriptor of the artifact that holds the file.

    Raises:
        UnavailableError: the registry refused, or others changed the list all the time.
    """
    upload_empty(registry)
    upload(registry, of_bytes(data), ignore)
    manifest = image_manifest([layer], artifact_type, subject=subject, annotations=layer.annotations)
    written = described(manifest, MANIFEST_TYPE)._replace(artifact_type=artifact_type, annotations=layer.annotations)
    if not write_manifest(registry, str(written.digest), manifest):
        _list(registry, subject.digest, written)
    return written


def find_referrers(registry: Registry, subject: Digest, artifact_type: str = "") -> tuple[Descriptor, ...]:
    """The manifests that name another one as their subject, by the registry's own list or the fallback tag.

    Args:
        registry: where they are.
        subject: the digest of that manifest.
        artifact_type: only those of this type; all when it is empty.

    Raises:
        IntegrityError: what the registry serves is no list.
        UnavailableError: it does not serve.
    """
    headers = {"Accept": INDEX_TYPE}
    answer = registry.call("GET", f"referrers/{subject}", (_OK, _ABSENT), headers=headers, limit=MAX_MANIFEST)
    listed = answer.body if answer.status == _OK else _fallback(registry, subject)
    found = parse_descriptors(listed, "manifests", f"{registry.where}@{subject}")
    return tuple(entry for entry in found if artifact_type in {"", entry.artifact_type})


def referrers_tag(subject: Digest) -> str:
    """The tag under which a registry that does not know subjects has the list."""
    return f"{subject.algorithm}-{subject.value}"


def _fallback(registry: Registry, subject: Digest) -> bytes:
    found = read_manifest(registry, referrers_tag(subject), INDEX_TYPE)
    return image_index(()) if found is None else found.data


def _list(registry: Registry, subject: Digest, entry: Descriptor) -> None:
    """Put an entry into the list under the fallback tag, and keep what is in it."""
    tag = referrers_tag(subject)
    for _ in range(TRIES):
        before = _fallback(registry, subject)
        after = _with(before, entry, f"{registry.where}:{tag}")
        if after == before:
            return
        write_manifest(registry, tag, after, INDEX_TYPE)
        if read_back(registry, tag, after, INDEX_TYPE):
            return
    fix = "others write to it at the same moment: run the same command again"
    raise UnavailableError("the list of what was attached changes all the time", where=registry.where, fix=fix)


def _with(index: bytes, entry: Descriptor, where: str) -> bytes:
    """An index with one entry more; what it does not know of the others stays as it is."""
    try:
        document = parse_json(index, where)
    except InputError as error:
        raise no_manifest(where, error.what) from None
    entries = document.get("manifests")
    if not isinstance(entries, list):
        raise no_manifest(where, "no array manifests")
    if any(isinstance(known, dict) and known.get("digest") == str(entry.digest) for known in entries):
        return index
    return encoded({**document, "manifests": [*entries, entry.document()]})
