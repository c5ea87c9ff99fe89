"""The blobs of a release: proved before they are brought, each with an index of its chunks."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.store import relative_path
from bitproof.channel.catalog import Catalog, Entry
from bitproof.channel.chunks.cut import make_index
from bitproof.channel.ports import Backend, Blob, NamedBlob
from bitproof.delivery.outlet import Bytes
from bitproof.errors import IntegrityError, Problem, UnavailableError
from bitproof.model.asset_manifest import Asset, AssetManifest
from bitproof.system.hashing import both_digests, bytes_digest, bytes_sha256
from bitproof.system.opened import OpenFile, in_memory, open_file


class Proved(NamedTuple):
    """A file that is what the manifest says: its blob, and the bytes of its chunk index when that is new."""

    entry: Entry
    chunks: bytes | None


def prove(files: Mapping[Path, Asset], catalog: Catalog, tell: Bytes) -> dict[Path, Proved]:
    """Read every file, and index those that the channel has no index of.

    Raises:
        IntegrityError: a file is not what the manifest says.
        UnavailableError: it cannot be read.
    """
    proved = {}
    with tell("proving", sum(asset.size for asset in files.values())) as progress:
        for path, asset in files.items():
            with open_file(path, "the asset") as file:
                proved[path] = _proved(file, asset, catalog)
            progress(asset.size)
    return proved


def _proved(file: OpenFile, asset: Asset, catalog: Catalog) -> Proved:
    found = both_digests(file)
    if (found.blake3, found.size) != (asset.digest, asset.size):
        raise IntegrityError(
            "the asset is not what the manifest says",
            where=file.path,
            expected=f"{asset.digest}, {asset.size} bytes",
            found=f"{found.blake3}, {found.size} bytes",
            fix="changed since it was recorded: bitproof assets manifest; else build it again: bitproof assets build",
        )
    known = catalog.get(asset.digest)
    if known is not None and known.chunks is not None:
        return Proved(known, None)
    blob = Blob(found.blake3, found.sha256, asset.size)
    if not asset.size:
        return Proved(Entry(blob), None)
    index = make_index(file, asset.digest)
    return Proved(Entry(blob, Blob(bytes_digest(index), bytes_sha256(index), len(index))), index)


def complete_catalog(
    manifest: AssetManifest, proved: Mapping[Path, Proved], before: Catalog, where: str
) -> dict[str, Entry]:
    """Every blob that the channel will have, by the asset's digest in hex.

    Raises:
        UnavailableError: a release in force has files that are neither at hand nor published.
    """
    known = dict(before) | {one.entry.blob.blake3: one.entry for one in proved.values()}
    wanted: dict[str, Entry] = {}
    missing = []
    for version, release in manifest.releases.items():
        for arch, assets in release.arches.items():
            for asset in assets.values():
                if asset.digest in known:
                    wanted[asset.digest.value] = known[asset.digest]
                elif release.in_force:
                    missing.append(Problem(f"{version} {arch}/{asset.name}", "neither in the dev layout nor published"))
    if missing:
        raise UnavailableError(
            "the channel would list files that it does not have",
            where=where,
            problems=missing,
            fix="build them; or deprecate the releases that nobody can have any more: bitproof assets deprecate",
        )
    return wanted


def bring(proved: Mapping[Path, Proved], backend: Backend, tell: Bytes) -> int:
    """Bring the blobs that the place does not have; returns their bytes.

    Raises:
        IntegrityError: a file changed meanwhile.
        UnavailableError: the place refused.
    """
    missing = {path: one for path, one in proved.items() if not backend.has(one.entry.blob)}
    size = sum(one.entry.blob.size for one in missing.values())
    with tell("publishing", size) as progress:
        for path, one in missing.items():
            with open_file(path, "the asset") as file:
                backend.put(one.entry.blob, file, progress)
    for one in proved.values():
        if one.chunks is not None and one.entry.chunks is not None:
            with in_memory(one.chunks, "chunk index") as file:
                backend.put(one.entry.chunks, file, lambda _: None)
    return size


def announced(manifest: AssetManifest, wanted: Mapping[str, Entry]) -> list[NamedBlob]:
    """The current release's blobs and their chunk indices, as people know them."""
    release = manifest.releases[manifest.current]
    named = []
    for arch, assets in release.arches.items():
        for name, asset in assets.items():
            entry = wanted[asset.digest.value]
            named.append(NamedBlob(relative_path(arch, name), entry.blob))
            if entry.chunks is not None:
                named.append(NamedBlob(f"{relative_path(arch, name)}.chunks", entry.chunks))
    return named
