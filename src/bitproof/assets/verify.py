"""Read every byte of what a dev layout or a store should hold, and say of each file whether it is as pinned.

In a dev layout: the three files of the arch against the current release. In a store: the current release's files, which
must be there, and every file of another release in force that is there. Nothing is cached; the same file is read once.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bitproof.assets.compat import newest_in_force
from bitproof.assets.store import Mode, Place, find_place, installed_path, load_manifest
from bitproof.errors import BitproofError, InputError
from bitproof.model.asset_manifest import Asset, AssetManifest
from bitproof.model.names import MANIFEST
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.files import Progress, ignore, open_file
from bitproof.system.hashing import blake3_digest

FIXES = {
    Mode.DEV: "repacked since it was recorded: bitproof assets manifest; else bitproof assets build",
    Mode.INSTALLED: "bitproof assets install",
}


def planned(base: Path, arches: Sequence[str]) -> dict[Path, tuple[Asset, Mode]]:
    """The files to read, each with what it should be.

    Raises:
        UnavailableError: no manifest, no directory.
        InputError: a bad manifest, or one without a release for an arch.
    """
    with_manifest = load_manifest(base / MANIFEST)
    files: dict[Path, tuple[Asset, Mode]] = {}
    for arch in arches:
        place = find_place(base, arch)
        files |= {path: (asset, place.mode) for path, asset in _files(with_manifest, place)}
    return files


def _files(manifest: AssetManifest, place: Place) -> Iterable[tuple[Path, Asset]]:
    first = manifest.releases.get(manifest.current) if place.mode is Mode.DEV else newest_in_force(manifest, place.arch)
    if first is None or first.boot_assets(place.arch) is None:
        fix = f"build and record it: bitproof assets build --arch {place.arch}"
        raise InputError(f"no release in force has a boot set for {place.arch}", where=place.manifest, fix=fix)
    if place.mode is Mode.DEV:
        return [(place.dev_directory / asset.name, asset) for asset in first.arches[place.arch].values()]
    must = [(installed_path(place.base, place.arch, asset), asset) for asset in first.arches[place.arch].values()]
    releases = [release for release in manifest.releases.values() if not release.deprecated and release is not first]
    others = [asset for release in releases for asset in release.arches.get(place.arch, {}).values()]
    may = [(installed_path(place.base, place.arch, asset), asset) for asset in others]
    return must + [(path, asset) for path, asset in may if path.exists()]


def verify(base: Path, arches: Sequence[str], progress: Progress = ignore) -> Report:
    """Check the files of these arches.

    Raises:
        UnavailableError, InputError: see `planned`.
    """
    files = planned(base, arches)
    return Report(tuple(_finding(path, asset, mode, progress) for path, (asset, mode) in files.items()))


def _finding(path: Path, asset: Asset, mode: Mode, progress: Progress) -> Finding:
    expected = str(asset.digest)
    fix = FIXES[mode]
    if not path.exists():
        progress(asset.size)
        return Finding(name=asset.name, verdict=Verdict.MISSING, path=str(path), expected=expected, fix=fix)
    try:
        with open_file(path, "the asset") as file:
            found, size = blake3_digest(file, progress), file.size
    except BitproofError as error:
        return Finding(
            name=asset.name,
            verdict=Verdict.FAILED,
            path=str(path),
            expected=expected,
            found=error.found,
            detail=error.what,
        )
    if found == asset.digest:
        return Finding(name=asset.name, verdict=Verdict.OK, path=str(path), expected=expected, found=str(found))
    detail = "same size: changed or rotten" if size == asset.size else f"{size} bytes, the manifest says {asset.size}"
    return Finding(
        name=asset.name,
        verdict=Verdict.DRIFTED,
        path=str(path),
        expected=expected,
        found=str(found),
        detail=detail,
        fix=fix,
    )
