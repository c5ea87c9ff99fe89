"""Wasm in a registry as ``wkg`` and wasm runtimes pull it.

Source: the CNCF's "Wasm OCI Artifact layout": one layer ``application/wasm`` and a config
``application/vnd.wasm.config.v0+json`` that names the layer's digest and, of a component, its exports and imports.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from bitproof.channel.backends.registry.artifacts import (
    MANIFEST_TYPE,
    TITLE,
    Descriptor,
    described,
    encoded,
    image_manifest,
)
from bitproof.channel.backends.registry.blobs import Source, of_bytes, upload
from bitproof.channel.backends.registry.connection import Registry
from bitproof.channel.backends.registry.manifests import read_back, write_manifest
from bitproof.errors import InputError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.proof.interface import interface
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import parse
from bitproof.system.hashing import mapped
from bitproof.system.opened import OpenFile, Progress, ignore

WASM_TYPE = "application/wasm"
CONFIG_TYPE = "application/vnd.wasm.config.v0+json"
ARCHITECTURE = "wasm"
COMPONENT_OS, MODULE_OS = "wasip2", "wasip1"


class Wasm(NamedTuple):
    """What a wasm file says of itself: names of exports and imports, in the file's order."""

    component: bool
    exports: tuple[str, ...]
    imports: tuple[str, ...]


def examine(file: OpenFile) -> Wasm:
    """Read what a wasm file exports and imports.

    Raises:
        InputError: it is no wasm file, or one that cannot be read.
        UnavailableError: the system refused.
    """
    if not file.size:
        raise InputError("the artifact is not wasm", where=file.path, found="an empty file")
    with mapped(file) as view:
        found = _examined(view)
    if isinstance(found, str):
        raise InputError("the artifact is not wasm", where=file.path, found=found)
    return found


def _examined(view: memoryview) -> Wasm | str:
    """What the bytes say, or why they say nothing; holds nothing of them afterwards."""
    try:
        binary = parse(view)
        found = interface(binary, signatures=False)
    except WasmError as error:
        return str(error)
    return Wasm(binary.component, tuple(found.exports), tuple(found.imports))


def wasm_config(wasm: Wasm, layer: Digest, created: int) -> bytes:
    """The config of an artifact; the same bytes every time.

    Args:
        wasm: what the file says of itself.
        layer: its digest.
        created: seconds since 1970 of what it was built from, so no time of a build.
    """
    document: dict[str, object] = {
        "created": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "architecture": ARCHITECTURE,
        "os": COMPONENT_OS if wasm.component else MODULE_OS,
        "layerDigests": [str(layer)],
    }
    if wasm.component:
        document["component"] = {"exports": list(wasm.exports), "imports": list(wasm.imports)}
    return encoded(document)


def push_component(
    registry: Registry,
    tag: str,
    file: OpenFile,
    digest: Digest,
    created: int,
    annotations: Mapping[str, str],
    progress: Progress = ignore,
) -> Descriptor:
    """Push a wasm file that was verified, and point a tag to it.

    Args:
        registry: where to.
        tag: its name there.
        file: the open file; the registry compares what arrives with ``digest`` once more.
        digest: its SHA-256.
        created: as `wasm_config`'s.
        annotations: of the manifest; the title becomes the layer's too.
        progress: told the bytes that are done.

    Returns:
        The descriptor of the manifest, by which it is pulled whatever the tag says.

    Raises:
        InputError: it is no wasm.
        IntegrityError: the file changed while it was pushed.
        UnavailableError: the registry refused, or cannot be reached.
    """
    title = {TITLE: annotations[TITLE]} if TITLE in annotations else {}
    layer = Descriptor(WASM_TYPE, digest, file.size, title)
    data = wasm_config(examine(file), digest, created)
    upload(registry, Source(digest, file.size, file.read_at), progress)
    upload(registry, of_bytes(data), ignore)
    manifest = image_manifest([layer], config=described(data, CONFIG_TYPE), annotations=annotations)
    write_manifest(registry, tag, manifest)
    if not read_back(registry, tag, manifest):
        where = f"{registry.where}:{tag}"
        raise UnavailableError("somebody else moved the tag meanwhile", where=where, fix="run the same command again")
    return described(manifest, MANIFEST_TYPE)
