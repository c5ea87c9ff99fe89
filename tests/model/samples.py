"""Manifests to test with: small documents, made anew for each test."""

import json
from pathlib import Path
from typing import Any

from bitproof.model.asset_manifest import AssetManifest
from bitproof.system.hashing import bytes_digest

Document = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
SEED = ROOT / "examples" / "seed" / "manifest.json"
FIRST = "2026.0415.1"
BINARY = "1.0.1776269479"
NAMES = ("vmlinuz", "initrd.img", "rootfs.squashfs")


def hex_of(text: str) -> str:
    """64 hex digits that stand for the bytes of ``text``."""
    return bytes_digest(text.encode()).value


def boot_set(tag: str, *names: str) -> Document:
    """An arch's entries: the bytes of each file are its name and the tag."""
    return {name: {"hash": hex_of(name + tag), "size": len(name + tag)} for name in names or NAMES}


def release(tag: str = "a", arch: str = "x86_64", **fields: object) -> Document:
    return {**fields, "arches": {arch: boot_set(tag)}}


def document(
    releases: Document | None = None, *, current: str = FIRST, binaries: Document | None = None, binary: str = BINARY
) -> Document:
    """A manifest; one release and one binary when nothing else is said."""
    return {
        "format": 2,
        "assets": {"current": current, "releases": {FIRST: release()} if releases is None else releases},
        "binaries": {"current": binary, "releases": {BINARY: {}} if binaries is None else binaries},
    }


def read(found: Document) -> AssetManifest:
    return AssetManifest.parse(json.dumps(found).encode())


def sample(releases: Document | None = None, **fields: Any) -> AssetManifest:  # noqa: ANN401 - as `document`
    return read(document(releases, **fields))
