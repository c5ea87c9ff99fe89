"""Whether one manifest may take the place of another one that others rely on. Pure.

A version means the same bytes for ever; what was withdrawn stays withdrawn; nobody who still is supported is stranded.
"""

from collections.abc import Iterator

from bitproof.assets.compat import is_served
from bitproof.errors import Problem
from bitproof.model.asset_manifest import AssetManifest, AssetRelease

PLACEHOLDER = "0" * 64


def succession_problems(before: AssetManifest | None, after: AssetManifest) -> tuple[Problem, ...]:
    """Why ``after`` may not be published after ``before``; empty when it may.

    Args:
        before: what is published; None when nothing is.
        after: what shall be.
    """
    problems = list(_placeholders(after))
    if after.current not in after.releases:
        problems.append(Problem("assets.current", f"{after.current} names no release"))
    if before is not None:
        problems += _changed(before, after)
        problems += _stranded(before, after)
    return tuple(problems)


def _placeholders(manifest: AssetManifest) -> Iterator[Problem]:
    for version, release in manifest.releases.items():
        for arch, assets in release.arches.items():
            for asset in assets.values():
                if asset.digest.value == PLACEHOLDER:
                    yield Problem(f"{version} {arch} {asset.name}", "a placeholder, not yet a digest")


def _changed(before: AssetManifest, after: AssetManifest) -> Iterator[Problem]:
    """Releases that are published, and gone or other than they were."""
    for version, old in before.releases.items():
        new = after.releases.get(version)
        if new is None:
            yield Problem(f"assets {version}", "published, and missing here")
        else:
            yield from _other_bytes(old, new)
            if old.deprecated and not new.deprecated:
                yield Problem(f"assets {version}", "deprecated where it is published, and not here")
            if old.revoked and not new.revoked:
                yield Problem(f"assets {version}", "revoked where it is published, and not here")
    for version in before.binaries:
        if version not in after.binaries:
            yield Problem(f"binary {version}", "published, and missing here")


def _other_bytes(old: AssetRelease, new: AssetRelease) -> Iterator[Problem]:
    for arch, assets in old.arches.items():
        for name, asset in assets.items():
            there = new.arches.get(arch, {}).get(name)
            where = f"assets {old.version} {arch} {name}"
            if there is None:
                yield Problem(where, "published, and missing here")
            elif there.digest != asset.digest:
                yield Problem(where, "published with other bytes", expected=str(asset.digest), found=str(there.digest))


def _stranded(before: AssetManifest, after: AssetManifest) -> Iterator[Problem]:
    """Binaries in force that had a release, and would have none."""
    withdrawn = [
        release
        for version, release in after.releases.items()
        if _withdrawn(release) and version in before.releases and not _withdrawn(before.releases[version])
    ]
    arches = sorted({arch for release in withdrawn for arch in release.arches})
    for version, binary in before.binaries.items():
        if binary.deprecated or (version in after.binaries and after.binaries[version].deprecated):
            continue
        for arch in arches:
            if is_served(before, version, arch) and not is_served(after, version, arch):
                yield Problem(f"binary {version} on {arch}", "would have no release any more")


def _withdrawn(release: AssetRelease) -> bool:
    return release.deprecated
