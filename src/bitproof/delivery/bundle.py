"""One file for a release: what a place has is believed as a client believes it, and exported.

`bringing` brings such a file into another place, `decide` decides on it by itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from bitproof.channel.backends.archive import Member, archive_bytes, write_archive
from bitproof.channel.catalog import Catalog, Entry, parse_catalog
from bitproof.channel.layout import blob_path, metadata_path, named_target_path
from bitproof.channel.opening import first_root
from bitproof.channel.ports import Backend, Blob, Range, Reader
from bitproof.channel.targets import Target, read_target
from bitproof.channel.trusted import ALL_ROTATIONS, ALWAYS, ROOT, TIMESTAMP, Believed, Trust
from bitproof.delivery.outlet import Bytes
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import MANIFEST
from bitproof.system.downloads import scratch
from bitproof.system.files import Directory
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile, Progress


@dataclass(frozen=True, slots=True)
class Proved:
    """What a reader was believed to have: its metadata by path, its targets, its manifest and blobs."""

    believed: Believed
    metadata: Mapping[str, bytes]
    targets: Mapping[str, tuple[Target, bytes]]
    manifest: AssetManifest
    catalog: Catalog

    @property
    def version(self) -> str:
        """The release."""
        return str(self.manifest.current)

    @property
    def blobs(self) -> dict[str, Blob]:
        """The current release's files and their chunk indices, by what they are."""
        release = self.manifest.releases.get(self.manifest.current)
        found = {}
        for arch, assets in release.arches.items() if release else ():
            for asset in assets.values():
                entry: Entry | None = self.catalog.get(asset.digest)
                if entry is None:
                    raise IntegrityError("the channel lists a release and not its files", where=f"{arch}/{asset.name}")
                found[f"{arch}/{asset.name}"] = entry.blob
                if entry.chunks is not None:
                    found[f"{arch}/{asset.name}.chunks"] = entry.chunks
        return found


def prove(reader: Reader, channel: str, local: Mapping[str, bytes], now: datetime) -> Proved:
    """Believe what a place has, or say why not.

    Args:
        reader: the place.
        channel: its name there.
        local: metadata that is believed already, by role; the root has to be there.
        now: at which nothing may have expired; UTC.

    Raises:
        IntegrityError: it is not to be believed.
        UnavailableError: a part is missing.
    """
    kept: dict[str, bytes] = {}

    def keep(role: str, data: bytes) -> None:
        version = None if role == TIMESTAMP else _version(trust, role)
        kept[metadata_path(channel, role, version)] = data

    trust = Trust(reader, channel, local, now, keep)
    trust.update(ALL_ROTATIONS)
    now_believed = trust.believed()
    targets = {name: (target, read_target(reader, channel, target)) for name, target in now_believed.targets.items()}
    if MANIFEST not in targets:
        where = f"{reader.where} channel {channel}"
        raise UnavailableError("the channel has no release yet", where=where, fix="bitproof channel publish")
    target, data = targets[MANIFEST]
    where = f"{reader.where}: {MANIFEST}"
    return Proved(now_believed, kept, targets, AssetManifest.parse(data, where), parse_catalog(target.custom, where))


def _version(trust: Trust, role: str) -> int:
    return int(trust.set[role].version)


def export(backend: Backend, channel: str, target: Path, now: datetime, tell: Bytes, *, files: bool = True) -> Proved:
    """Write a channel's present release into one file.

    Args:
        backend: the place.
        channel: its name.
        target: the file; an older one is replaced.
        now: UTC.
        tell: makes a progress.
        files: with the release's files; else a bundle, which proves them.

    Raises:
        IntegrityError: what the channel has does not hold.
        InputError: there is something else than a file under this name.
        UnavailableError: the place does not serve; the system refused.
    """
    root = first_root(backend, channel)
    proved = prove(backend, channel, {ROOT: root}, now)
    blobs = proved.blobs if files else {}
    size = sum(blob.size for blob in blobs.values())
    with Directory(target.parent, what="the archive's directory") as directory:
        directory.check_replaceable(target.name, "the archive")
        with tell("exporting", size) as progress, directory.staged(target.name, 0o644) as file:
            proof = (Member(path, data) for path, data in _proof(channel, root, proved).items())
            write_archive(file, chain(proof, _fetched(blobs, backend, progress)))
            file.sync()
    return proved


def lay(backend: Backend, channel: str, version: str) -> None:
    """Lay the bundle of a channel's present release beside it, where there is none yet.

    It proves what was published, by the signatures of that day: once they have expired, `export` makes a fresh one.

    Args:
        backend: the place.
        channel: its name.
        version: the release that was just published.

    Raises:
        UnavailableError: the place refused; the release is published all the same.
    """
    backend.attach(channel, version, lambda: _bundled(backend, channel, version))


def _bundled(backend: Backend, channel: str, version: str) -> bytes | None:
    """A bundle; None when somebody has published another release meanwhile."""
    root = first_root(backend, channel)
    proved = prove(backend, channel, {ROOT: root}, ALWAYS)
    if proved.version != version:
        return None
    return archive_bytes(_proof(channel, root, proved))


def _proof(channel: str, root: bytes, proved: Proved) -> dict[str, bytes]:
    """All but the blobs, by path; ``root`` is the first one."""
    targets = {
        named_target_path(channel, target.name, target.digest.value): data for target, data in proved.targets.values()
    }
    return {metadata_path(channel, ROOT, 1): root, **proved.metadata, **targets}


def _fetched(blobs: Mapping[str, Blob], reader: Reader, progress: Progress) -> Iterator[Member]:
    """Every blob, proved, one at a time."""
    for name, blob in {blob_path(blob): (name, blob) for name, blob in blobs.items()}.values():
        with ExitStack() as stack:
            file = stack.enter_context(scratch())
            yield Member(blob_path(blob), proved_blob(name, blob, reader, file, progress))


def proved_blob(name: str, blob: Blob, reader: Reader, target: OpenFile, progress: Progress) -> OpenFile:
    """Fetch a blob into an empty file, and prove it.

    Raises:
        IntegrityError: other bytes.
        UnavailableError: the place lacks it.
    """
    reader.fetch(blob, target, [Range(0, blob.size)] if blob.size else [], progress)
    file = OpenFile(target.fd, target.path)
    found = blake3_digest(file)
    if found != blob.blake3:
        raise IntegrityError(
            "the file is not what was signed",
            where=f"{reader.where}: {name}",
            expected=str(blob.blake3),
            found=str(found),
        )
    return file
