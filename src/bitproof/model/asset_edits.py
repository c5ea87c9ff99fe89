"""Changes to a release manifest. Each takes a manifest and returns a new one; the old one is left as it is.

Every earlier release, every other arch and every unknown field is kept (seed 000, "Two producers"; FORMATS section 1).
"""

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any

from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import FORMAT, Asset, AssetManifest, AssetRelease, BinaryRelease
from bitproof.model.digest import Digest
from bitproof.model.names import check_reason
from bitproof.model.version import Version, mint


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a recording needs to know beside the files: the day (UTC) and the binary it was built with."""

    day: date
    binary_version: Version
    min_binary: Version | None = None


WITHDRAWN = {"deprecated": "deprecated_date", "revoked": "revoked_date"}
"""The fields of a release by which it is withdrawn, and since when."""


def recorded(
    manifest: AssetManifest | None, built: Mapping[str, Mapping[str, Asset]], occasion: Occasion
) -> AssetManifest:
    """The manifest with what was built: the one rule behind both producers.

    Assets that some release in force has already keep its version; others get a new one, which carries over the arches
    that were not built. The binary is listed once, with the assets it was built with; each track moves alone.

    Args:
        manifest: the one before; None for the first.
        built: arch to asset name to asset; at least one arch.
        occasion: see `Occasion`. ``min_binary`` None is the base of the binary's release line.
    """
    binary = occasion.binary_version
    document = deepcopy(manifest.document) if manifest else _new_document(binary)
    known = manifest.releases if manifest else {}
    before = known.get(manifest.current, [None, *known.values()][-1]) if manifest else None
    arches = {**(before.arches if before else {}), **built}
    version = _version_of(known, arches, before)
    if version is None:
        version = mint(occasion.day, known)
        release = AssetRelease(
            version=version,
            arches=dict(sorted(arches.items())),
            min_binary=occasion.min_binary or min(binary, binary.release_line),
            date=occasion.day.isoformat(),
        )
        _add(document["assets"], version, _release_entry(release))
    document["assets"]["current"] = str(version)
    if manifest is None or binary not in manifest.binaries:
        _add_binary(document["binaries"], BinaryRelease(binary, min_assets=version, date=occasion.day.isoformat()))
    return AssetManifest.read(document)


def _version_of(
    releases: Mapping[Version, AssetRelease], arches: Mapping[str, Mapping[str, Asset]], before: AssetRelease | None
) -> Version | None:
    """The release in force that has just these bytes: the current one, else the newest."""
    in_order = [*([before] if before else []), *reversed(list(releases.values()))]
    same = (release.version for release in in_order if release.in_force and _bytes(release.arches) == _bytes(arches))
    return next(same, None)


def _bytes(arches: Mapping[str, Mapping[str, Asset]]) -> dict[str, dict[str, Digest]]:
    return {arch: {name: asset.digest for name, asset in assets.items()} for arch, assets in arches.items()}


def _new_document(binary: Version) -> dict[str, Any]:
    tracks = {"assets": {"current": "", "releases": {}}, "binaries": {"current": str(binary), "releases": {}}}
    return {"format": FORMAT, **tracks}


def _release_entry(release: AssetRelease) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "date": release.date,
        "deprecated": release.deprecated,
        "min_binary": str(release.min_binary),
    }
    arches = {
        arch: {name: _asset_entry(asset) for name, asset in assets.items()} for arch, assets in release.arches.items()
    }
    return entry | {"arches": arches}


def _asset_entry(asset: Asset) -> dict[str, Any]:
    entry: dict[str, Any] = {"hash": asset.digest.value, "size": asset.size}
    entry |= {"sha256": asset.sha256.value} if asset.sha256 else {}
    return entry | ({"verity": asset.verity.document()} if asset.verity else {})


def _add_binary(track: dict[str, Any], release: BinaryRelease) -> None:
    """List a new binary; ``current`` only moves forward."""
    entry = {"date": release.date, "deprecated": release.deprecated, "min_assets": str(release.min_assets)}
    _add(track, release.version, entry)
    if Version(track["current"]) < release.version:
        track["current"] = str(release.version)


def _add(track: dict[str, Any], version: Version, entry: dict[str, Any]) -> None:
    before = track["releases"]
    track["releases"] = _woven({**before, str(version): entry}, before)


def _woven(releases: dict[str, Any], before: Collection[str]) -> dict[str, Any]:
    """The releases with each new one before the first that is newer; those of ``before`` keep their order."""
    new = sorted((text for text in releases if text not in before), key=Version, reverse=True)
    order: list[str] = []
    for text in before:
        while new and Version(new[-1]) < Version(text):
            order.append(new.pop())
        order.append(text)
    return {text: releases[text] for text in [*order, *reversed(new)]}


def deprecated(manifest: AssetManifest, version: Version, day: date) -> AssetManifest:
    """The manifest with one asset release deprecated since ``day``; unchanged when it is already.

    Raises:
        InputError: the manifest has no such release.
    """
    if _release(manifest, version).deprecated:
        return manifest
    return _marked(manifest, version, {"deprecated": True, "deprecated_date": day.isoformat()})


def revoked(manifest: AssetManifest, version: Version, reason: str, day: date) -> AssetManifest:
    """The manifest with one asset release revoked since ``day``; unchanged when it is already, whatever the reason.

    Raises:
        InputError: the manifest has no such release, or the reason is not one printable line.
    """
    try:
        check_reason(reason)
    except ValueError as error:
        raise InputError(str(error)) from None
    if _release(manifest, version).revoked:
        return manifest
    return _marked(manifest, version, {"revoked": reason, "revoked_date": day.isoformat()})


def _release(manifest: AssetManifest, version: Version) -> AssetRelease:
    release = manifest.releases.get(version)
    if release is None:
        known = ", ".join(str(known) for known in manifest.releases)
        raise InputError("the manifest has no such asset release", expected=f"one of {known}", found=str(version))
    return release


def _marked(manifest: AssetManifest, version: Version, marks: Mapping[str, object]) -> AssetManifest:
    document = deepcopy(manifest.document)
    releases = document["assets"]["releases"]
    releases[next(text for text in releases if Version(text) == version)] |= marks
    return AssetManifest.read(document)


def carried_withdrawals(before: AssetManifest, after: AssetManifest) -> AssetManifest:
    """``after``, with every release withdrawn that is withdrawn in ``before``; itself when that changes nothing."""
    old = {Version(text): entry for text, entry in before.document["assets"]["releases"].items()}
    document = deepcopy(after.document)
    changed = False
    for text, entry in document["assets"]["releases"].items():
        for flag, day in WITHDRAWN.items():
            marked = old.get(Version(text), {})
            if marked.get(flag) and not entry.get(flag):
                entry |= {key: marked[key] for key in (flag, day) if key in marked}
                changed = True
    return AssetManifest.read(document) if changed else after


def merge(first: AssetManifest, second: AssetManifest) -> AssetManifest:
    """Every release, arch and binary of both, such as two machines built for one arch each.

    Fields of ``first`` win where both have them; the higher ``current`` of each track wins; a release that either
    deprecates is deprecated.

    Raises:
        InputError: one version has different bytes for the same arch.
    """
    conflicts = sorted(_conflicts(first, second), key=str)
    if conflicts:
        fix = "one version must name the same bytes everywhere: build one of the two again under a new version"
        raise InputError("the manifests cannot be merged", problems=conflicts, fix=fix)
    document = _united(first.document, second.document)
    for track in ("assets", "binaries"):
        document[track]["releases"] = _woven(document[track]["releases"], first.document[track]["releases"])
    document["assets"]["current"] = str(max(first.current, second.current))
    document["binaries"]["current"] = str(max(first.current_binary, second.current_binary))
    return AssetManifest.read(document)


def _conflicts(first: AssetManifest, second: AssetManifest) -> Iterator[Problem]:
    for version in first.releases.keys() & second.releases.keys():
        ours, theirs = _bytes(first.releases[version].arches), _bytes(second.releases[version].arches)
        for arch in sorted(ours.keys() & theirs.keys()):
            if ours[arch] != theirs[arch]:
                yield Problem(f"{version} {arch}", "the two manifests name different bytes")


def _united(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two JSON objects as one: tables are united, ``deprecated`` is true when either says so, else ``first`` wins."""
    united = dict(deepcopy(dict(first)))
    for key, value in second.items():
        if key not in united:
            united[key] = deepcopy(value)
        elif isinstance(value, dict) and isinstance(united[key], dict):
            united[key] = _united(united[key], value)
        elif key == "deprecated" and value is True:
            united[key] = True
    return united
