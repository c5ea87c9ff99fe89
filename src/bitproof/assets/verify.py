"""Read every byte of what a dev layout or a store should hold, and say of each file whether it is as pinned.

In a dev layout: the three files of the arch against the current release. In a store: the files of the release that the
machine is held at, else of the current one, which must be there; and every file of another release that is in force or
held, where it is there. Nothing is cached; the same file is read once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bitproof.assets.compat import check_collisions, contradictions, newest_in_force
from bitproof.assets.matrix import Tracks, arches_to_serve
from bitproof.assets.pins import MAX_CHECKSUMS, parse_checksums
from bitproof.assets.selection import listed_selection
from bitproof.assets.store import (
    UPDATE,
    Mode,
    Place,
    bring_back,
    find_place,
    installed_path,
    load_manifest,
    relative_path,
)
from bitproof.assets.strays import stray_findings
from bitproof.errors import BitproofError, InputError
from bitproof.model.asset_manifest import Asset, AssetManifest
from bitproof.model.names import CHECKSUMS, MANIFEST
from bitproof.model.report import Finding, Report, Verdict
from bitproof.model.selection import Selection
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import Progress, exists, ignore, open_file, read_file

MEND_LAYOUT = "repacked since it was recorded: bitproof assets manifest; else bitproof assets build"


def planned(base: Path, arches: Sequence[str]) -> dict[Path, tuple[Asset, Mode]]:
    """The files to read, each with what it should be.

    Raises:
        UnavailableError: no manifest, no directory.
        InputError: a bad manifest, one without a release for an arch, or two digests with one hash name.
    """
    manifest = load_manifest(base / MANIFEST)
    check_collisions(manifest)
    files: dict[Path, tuple[Asset, Mode]] = {}
    for arch in arches:
        place = find_place(base, arch)
        files |= {path: (asset, place.mode) for path, asset in _files(manifest, place)}
    return files


def _files(manifest: AssetManifest, place: Place) -> Iterable[tuple[Path, Asset]]:
    held = Selection() if place.mode is Mode.DEV else listed_selection(place.base, manifest)
    first = manifest.releases.get(manifest.current) if place.mode is Mode.DEV else newest_in_force(manifest, place.arch)
    first = manifest.releases[held.machine.version] if held.machine else first
    if first is None or first.boot_assets(place.arch) is None:
        fix = f"build and record it: bitproof assets build --arch {place.arch}"
        raise InputError(f"no release in force has a boot set for {place.arch}", where=place.manifest, fix=fix)
    if place.mode is Mode.DEV:
        return [(place.dev_directory / asset.name, asset) for asset in first.arches[place.arch].values()]
    must = [(installed_path(place.base, place.arch, asset), asset) for asset in first.arches[place.arch].values()]
    wanted = {one.version for one in held.every()}
    releases = [release for version, release in manifest.releases.items() if release.in_force or version in wanted]
    others = [asset for one in releases if one is not first for asset in one.arches.get(place.arch, {}).values()]
    may = [(installed_path(place.base, place.arch, asset), asset) for asset in others]
    return must + [(path, asset) for path, asset in may if exists(path)]


def verify(base: Path, arches: Sequence[str], progress: Progress = ignore) -> Report:
    """Check the files of these arches.

    Raises:
        UnavailableError, InputError: see `planned`.
    """
    return check_files(planned(base, arches), progress)


def check_files(files: Mapping[Path, tuple[Asset, Mode]], progress: Progress = ignore) -> Report:
    """As `verify`, for files that are `planned`."""
    return Report(tuple(_finding(path, asset, mode, progress) for path, (asset, mode) in files.items()))


def _finding(path: Path, asset: Asset, mode: Mode, progress: Progress) -> Finding:
    expected = str(asset.digest)
    fix = MEND_LAYOUT if mode is Mode.DEV else bring_back(path.parent)
    if not exists(path):
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
            fix=error.fix or fix,
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
        fix=f"remove it, then: {fix}" if fix == UPDATE else fix,
    )


def check(path: Path) -> Report:
    """What can be told of a manifest without reading an asset: that it can be right, and agrees with what is beside it.

    Raises:
        InputError: the manifest, ``B3SUMS`` or the keep list beside it is not usable at all; every problem.
        UnavailableError: the manifest or its directory cannot be opened.
    """
    manifest = load_manifest(path)
    where = str(path)
    findings = [Finding(name="format", verdict=Verdict.OK, path=where, found="format 2, every field as it should be")]
    findings += [
        Finding(name=problem.where, verdict=Verdict.FAILED, path=where, expected=problem.expected, detail=problem.what)
        for problem in contradictions(manifest)
    ]
    findings += _compatibility_findings(manifest, path)
    findings += _checksum_findings(manifest, path.with_name(CHECKSUMS))
    findings += _size_findings(manifest, path.parent)
    if path.name == MANIFEST:  # of another name it is a copy, and the files beside it are not its own
        findings += stray_findings(path.parent, manifest)
    return Report(tuple(findings))


def _compatibility_findings(manifest: AssetManifest, path: Path) -> Iterator[Finding]:
    """Releases in force that no binary can reach; binaries in force that no release of an arch serves."""
    where = str(path)
    base = f" --base {path.parent}" if path.name == MANIFEST else ""
    tracks = Tracks.of(manifest)
    alone = tracks.unreachable()
    for release in alone:
        fix = f"bitproof assets deprecate {release.version}; or list a binary that can use it"
        name = f"release {release.version}"
        detail = f"no listed binary can reach it: {release.reason}"
        yield Finding(name=name, verdict=Verdict.FAILED, path=where, detail=detail, fix=fix)
    arches = arches_to_serve(manifest)
    if manifest.binaries and arches and not alone:
        yield Finding(name="releases", verdict=Verdict.OK, path=where, found="each one in force fits a binary")
    for arch in arches:
        left = tracks.unserved(arch)
        for binary in left:
            name = f"binary {binary.version} {arch}"
            why = f"bitproof assets why {binary.version} --arch {arch}{base}"
            fix = f"record a release that fits, or deprecate the binary; see {why}"
            yield Finding(name=name, verdict=Verdict.FAILED, path=where, detail="no release serves it", fix=fix)
        if manifest.binaries and not left:
            found = f"each one in force gets a release for {arch}"
            yield Finding(name="binaries", verdict=Verdict.OK, path=where, found=found)


def _checksum_findings(manifest: AssetManifest, path: Path) -> Iterator[Finding]:
    """``B3SUMS`` against the current release, both ways; an arch that was built elsewhere need not be listed."""
    if not exists(path):
        return
    sums = {entry.path: str(entry.digest) for entry in parse_checksums(read_file(path, MAX_CHECKSUMS), str(path))}
    expected = {relative_path(arch, asset.name): str(asset.digest) for arch, asset in _current_assets(manifest)}
    arches = {name.rpartition("/")[0] for name in sums}
    for name in sorted(sums.keys() | expected.keys()):
        ours, theirs = expected.get(name, ""), sums.get(name, "")
        if not theirs and name.rpartition("/")[0] not in arches and not exists(path.parent / name):
            continue
        verdict = Verdict.OK if theirs == ours else Verdict.DRIFTED if theirs else Verdict.MISSING
        fix = "" if theirs == ours else "bitproof assets manifest"
        yield Finding(name=f"{CHECKSUMS} {name}", verdict=verdict, path=str(path), expected=ours, found=theirs, fix=fix)


def _size_findings(manifest: AssetManifest, base: Path) -> Iterator[Finding]:
    """The sizes of a dev layout's files against the current release."""
    for arch, asset in _current_assets(manifest):
        path = base / relative_path(arch, asset.name)
        if path.is_file():
            size = path.stat().st_size
            same = size == asset.size
            yield Finding(
                name=relative_path(arch, asset.name),
                verdict=Verdict.OK if same else Verdict.DRIFTED,
                path=str(path),
                expected=f"{asset.size} bytes",
                found=f"{size} bytes",
                fix="" if same else MEND_LAYOUT,
            )


def _current_assets(manifest: AssetManifest) -> Iterator[tuple[str, Asset]]:
    release = manifest.releases.get(manifest.current)
    for arch, assets in release.arches.items() if release else ():
        for asset in assets.values():
            yield arch, asset
