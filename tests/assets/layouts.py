"""Dev layouts and stores of tiny files: the bytes of each are its name and a tag, as in ``tests.model.samples``."""

import json
from datetime import date
from pathlib import Path

from bitproof.assets.install import Installed, install
from bitproof.assets.record import record
from bitproof.model.asset_edits import Occasion
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.digest import Digest
from bitproof.model.names import hash_name
from bitproof.model.version import Version
from bitproof.system.files import Directory
from tests.model.samples import BINARY, NAMES, Document, hex_of

NOW = Occasion(day=date(2026, 4, 16), binary_version=Version(BINARY))


def build(assets: Path, tag: str = "a", arch: str = "x86_64") -> None:
    """Files with logical names under an arch."""
    directory = assets / arch
    directory.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (directory / name).unlink(missing_ok=True)
        (directory / name).write_bytes((name + tag).encode())


def recorded(assets: Path, tag: str = "a", *arches: str) -> AssetManifest:
    """A dev layout that is built and recorded."""
    for arch in arches or ("x86_64",):
        build(assets, tag, arch)
    with Directory(assets) as directory:
        return record(directory, NOW).manifest


def installed(assets: Path, base: Path, tag: str = "a", *arches: str) -> Installed:
    """A dev layout that is built, recorded and installed."""
    recorded(assets, tag, *arches)
    return install(assets, base, arches or ("x86_64",))


def stored(tag: str) -> list[str]:
    """The hash names of a boot set, sorted."""
    return sorted(hash_name(name, Digest("blake3", hex_of(name + tag))) for name in NAMES)


def fill(base: Path, *tags: str) -> None:
    """Put the hash-named files of boot sets into a store."""
    base.mkdir(parents=True, exist_ok=True)
    for tag in tags:
        for name in NAMES:
            (base / hash_name(name, Digest("blake3", hex_of(name + tag)))).write_bytes((name + tag).encode())


def write_manifest(base: Path, document: Document) -> None:
    base.mkdir(parents=True, exist_ok=True)
    (base / "manifest.json").write_text(json.dumps(document))
