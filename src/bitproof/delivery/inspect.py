"""Look at a channel as its clients see it: what it offers, and whether every byte of that is right."""

from collections.abc import Iterator
from datetime import datetime

from bitproof.channel.catalog import Catalog, Entry, parse_catalog
from bitproof.channel.layout import blob_path
from bitproof.channel.opening import load
from bitproof.channel.ports import Backend, Blob, Range
from bitproof.channel.repository import Repository
from bitproof.channel.status import roles_status
from bitproof.delivery.outlet import Bytes
from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import MANIFEST
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.downloads import scratch
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile, Progress

BRING = "bring it again from where it was built: bitproof channel publish"
REPLACE = f"remove it from the place, then {BRING}"


def look_at(backend: Backend, channel: str) -> Repository:
    """A channel to read, proved from its first root on. Raises as `load`."""
    return Repository(backend, channel, load(backend, channel))


def offered(repository: Repository) -> tuple[bytes, AssetManifest, Catalog]:
    """A channel's manifest and its blobs.

    Raises:
        UnavailableError: it has no release yet.
        IntegrityError, InputError: what it has is not usable.
    """
    found = repository.read(MANIFEST)
    if found is None:
        raise UnavailableError("the channel has no release yet", where=repository.where, fix="bitproof channel publish")
    data, custom = found
    return data, AssetManifest.parse(data, repository.where), parse_catalog(custom, repository.where)


def check(repository: Repository, now: datetime, tell: Bytes) -> Report:
    """Read all that a channel offers, and say of each part whether it is right.

    Args:
        repository: the channel, whose metadata is proved by now.
        now: UTC; what has expired by then is a finding.
        tell: makes a progress.

    Raises:
        UnavailableError: it has no release yet.
    """
    findings = [
        Finding(
            name=f"{status.role}.json",
            verdict=Verdict.FAILED if status.expired else Verdict.OK,
            detail=f"expired at {status.expires:%Y-%m-%d %H:%M:%S} UTC" if status.expired else "",
            fix=status.remedy if status.expired else "",
        )
        for status in roles_status(repository.edition, now)
    ]
    _, manifest, catalog = offered(repository)
    blobs = dict(_named_blobs(manifest, catalog))
    with tell("checking", sum(blob.size for blob in blobs.values())) as progress:
        findings += [_finding(name, blob, repository.backend, progress) for name, blob in blobs.items()]
    return Report(tuple(findings + list(_unlisted(manifest, catalog))))


def _named_blobs(manifest: AssetManifest, catalog: Catalog) -> Iterator[tuple[str, Blob]]:
    for version, release in manifest.releases.items():
        for arch, assets in release.arches.items():
            for asset in assets.values():
                entry: Entry | None = catalog.get(asset.digest)
                if entry is not None:
                    yield f"{version} {arch}/{asset.name}", entry.blob
                    if entry.chunks is not None:
                        yield f"{version} {arch}/{asset.name}.chunks", entry.chunks


def _unlisted(manifest: AssetManifest, catalog: Catalog) -> Iterator[Finding]:
    for version, release in manifest.releases.items():
        for arch, assets in release.arches.items():
            for asset in assets.values():
                if asset.digest not in catalog and release.in_force:
                    name = f"{version} {arch}/{asset.name}"
                    why = "the channel lists the release and not this file"
                    yield Finding(name=name, verdict=Verdict.MISSING, expected=str(asset.digest), detail=why)


def _finding(name: str, blob: Blob, backend: Backend, progress: Progress) -> Finding:
    """What one blob turns out to be."""
    expected = str(blob.blake3)
    with scratch() as target:
        try:
            backend.fetch(blob, target, [Range(0, blob.size)] if blob.size else [], progress)
        except BitproofError as error:
            gone = isinstance(error, UnavailableError)
            told = f"{error.what}: {error.found}" if error.found else error.what
            size = f", expected {error.expected}" if error.expected else ""
            return Finding(
                name=name,
                verdict=Verdict.MISSING if gone else Verdict.DRIFTED,
                path=error.where,
                expected=expected,
                detail=f"{told}{size}",
                fix=BRING if gone else REPLACE,
            )
        found = blake3_digest(OpenFile(target.fd, target.path))
    if found == blob.blake3:
        return Finding(name=name, verdict=Verdict.OK, expected=expected, found=str(found))
    where = f"{backend.where} {blob_path(blob)}"
    return Finding(name=name, verdict=Verdict.DRIFTED, path=where, expected=expected, found=str(found), fix=REPLACE)
