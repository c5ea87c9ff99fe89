"""Decide offline on one file: is this release what the channel's keys signed, and are these files that release?"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bitproof.assets.store import Mode, find_place, installed_path
from bitproof.channel.backends.archive import ArchivePlace
from bitproof.channel.layout import MANIFEST_SIGNATURE, blob_path, metadata_path
from bitproof.channel.roots import parse_root
from bitproof.channel.state import sha256_hex
from bitproof.channel.trusted import LIMITS, ROOT
from bitproof.delivery.bundle import Proved, prove, proved_blob
from bitproof.delivery.outlet import Bytes
from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.model.asset_manifest import Asset
from bitproof.model.digest import Digest
from bitproof.model.names import MANIFEST
from bitproof.model.report import Finding, Report, Verdict
from bitproof.signed.install import Offer, accepted
from bitproof.system.downloads import scratch
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import Progress, exists, open_file
from bitproof.trust.minisign import PublicKey


def decide(archive: ArchivePlace, root: bytes | Digest, now: datetime, keys: tuple[PublicKey, ...]) -> Proved:
    """Believe what an archive says, from a root on.

    Args:
        archive: a bundle, or a whole release.
        root: the root to trust, or the SHA-256 of the archive's first one.
        now: at which nothing may have expired; UTC.
        keys: who has to have signed the manifest besides.

    Raises:
        IntegrityError: it does not verify.
        InputError: it is no archive of one channel.
        UnavailableError: it lacks a part, so that it cannot be told.
    """
    channel = only_channel(archive)
    proved = prove(archive, channel, {ROOT: root_of(archive, channel, root)}, now)
    _, data = proved.targets[MANIFEST]
    signature = proved.targets.get(MANIFEST_SIGNATURE)
    where = f"{archive.where}: {MANIFEST}"
    offer = Offer(data, where, signature[1] if signature else None, f"{where}.minisig")
    accepted(offer, keys, archive.path, None)
    return proved


def only_channel(archive: ArchivePlace) -> str:
    """The channel of an archive. Raises InputError when there is not just one."""
    channels = archive.channels
    if len(channels) != 1:
        found = ", ".join(channels) or "none"
        raise InputError("not an archive of one channel", where=archive.where, expected="one", found=found)
    return channels[0]


def root_of(archive: ArchivePlace, channel: str, root: bytes | Digest) -> bytes:
    """The root to trust: the given one, of which the archive may have no other, or its first one by its digest.

    Raises:
        IntegrityError: it has another one.
        UnavailableError: it has none.
    """
    version, given = named_root(root)
    path = metadata_path(channel, ROOT, version)
    data = archive.read(path, LIMITS[ROOT])
    if data is None:
        if isinstance(root, bytes):
            return root
        raise UnavailableError("the archive has no root", where=f"{archive.where}: {path}")
    if sha256_hex(data) != given:
        raise IntegrityError(
            "the archive's root is not the given one",
            where=f"{archive.where}: {path}",
            expected=f"sha256:{given}",
            found=f"sha256:{sha256_hex(data)}",
            fix="do not use the archive if the given root is the publisher's",
        )
    return data


def named_root(root: bytes | Digest) -> tuple[int, str]:
    """The version and the SHA-256 in hex of a root that was given: by its bytes, or a first one by its digest."""
    if isinstance(root, Digest):
        return 1, root.value
    return parse_root(root, "the given root").signed.version, sha256_hex(root)


def files_in(archive: ArchivePlace, proved: Proved, tell: Bytes) -> Report:
    """What the files are that an archive has; a bundle has none, and none is missed. Where some are, all have to be."""
    blobs = {name: blob for name, blob in proved.blobs.items() if blob_path(blob) in archive.members}
    missing = {name: blob for name, blob in proved.blobs.items() if blobs and name not in blobs}
    findings = [Finding(name=name, verdict=Verdict.MISSING, expected=str(one.blake3)) for name, one in missing.items()]
    with tell("checking", sum(blob.size for blob in blobs.values())) as progress:
        for name, blob in blobs.items():
            with scratch() as file:
                try:
                    proved_blob(name, blob, archive, file, progress)
                    findings.append(Finding(name=name, verdict=Verdict.OK, found=str(blob.blake3)))
                except IntegrityError as error:
                    drifted = Finding(name=name, verdict=Verdict.DRIFTED, expected=error.expected, found=error.found)
                    findings.append(drifted)
    return Report(tuple(findings))


def files_at(base: Path, arches: tuple[str, ...], proved: Proved, tell: Bytes) -> Report:
    """What the files of a dev layout or a store are, by the release that was proved; its own manifest is not read."""
    release = proved.manifest.releases[proved.manifest.current]
    wanted = {arch: release.arches.get(arch, {}) for arch in arches}
    with tell("checking", sum(asset.size for assets in wanted.values() for asset in assets.values())) as progress:
        return Report(tuple(_findings(base, wanted, progress)))


def _findings(base: Path, wanted: Mapping[str, Mapping[str, Asset]], progress: Progress) -> Iterator[Finding]:
    for arch, assets in wanted.items():
        if not assets:
            yield Finding(name=arch, verdict=Verdict.MISSING, detail="the release has nothing for it")
            continue
        place = find_place(base, arch)
        for asset in assets.values():
            dev = place.mode is Mode.DEV
            path = place.dev_directory / asset.name if dev else installed_path(place.base, arch, asset)
            yield _finding(path, asset, progress)


def _finding(path: Path, asset: Asset, progress: Progress) -> Finding:
    name, where, expected = asset.name, str(path), str(asset.digest)
    if not exists(path):
        return Finding(name=name, path=where, expected=expected, verdict=Verdict.MISSING)
    try:
        with open_file(path, "the asset") as file:
            found = blake3_digest(file, progress)
    except BitproofError as error:
        return Finding(name=name, path=where, expected=expected, verdict=Verdict.FAILED, detail=str(error))
    verdict = Verdict.OK if found == asset.digest else Verdict.DRIFTED
    return Finding(name=name, path=where, expected=expected, verdict=verdict, found=str(found))
