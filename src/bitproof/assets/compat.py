"""Which asset release fits a binary, and which files a store still needs: FORMATS sections 3 and 5, pure.

A release is a candidate when it is not deprecated, has all three assets of the arch, and both directions of
compatibility hold. ``assets.current`` wins when it is a candidate, else the newest candidate; else nothing fits, and
every release says why. There is no fallback.
"""

from collections.abc import Collection
from dataclasses import dataclass

from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BootAssets
from bitproof.model.names import hash_name, is_hash_name
from bitproof.model.version import Version


@dataclass(frozen=True, slots=True)
class Choice:
    """The release that was chosen, in one sentence why, and every release that was not, with its reason."""

    release: AssetRelease
    assets: BootAssets
    reason: str
    rejected: tuple[Problem, ...]


def choose(manifest: AssetManifest, binary_version: Version, arch: str) -> Choice:
    """Choose the asset release for a binary.

    Args:
        manifest: the releases of both tracks.
        binary_version: need not be listed; then it has no ``min_assets``.
        arch: the manifest's key.

    Raises:
        InputError: no release fits; lists each with the reason it was rejected.
    """
    candidates, rejected = _sorted_out(manifest, binary_version, arch)
    if not candidates:
        raise InputError(
            "no asset release fits this binary",
            expected=f"a release for binary {binary_version} on {arch}",
            found=f"{len(rejected)} releases, none of which fits" if rejected else "a manifest without releases",
            problems=rejected,
            fix="install assets that fit, or run a binary that fits the assets",
        )
    for release, assets in candidates:
        if release.version == manifest.current:
            return Choice(release, assets, "it is assets.current, and fits", rejected)
    reasons = {problem.where: problem.what for problem in rejected}
    why = reasons.get(str(manifest.current), "names no release")
    return Choice(*candidates[0], f"it is the newest that fits; assets.current {manifest.current}: {why}", rejected)


def _sorted_out(
    manifest: AssetManifest, binary_version: Version, arch: str
) -> tuple[list[tuple[AssetRelease, BootAssets]], tuple[Problem, ...]]:
    """The releases that fit, with their boot assets, and those that do not, with the first reason; newest first."""
    binary = manifest.binaries.get(binary_version)
    candidates, rejected = [], []
    for version, release in reversed(list(manifest.releases.items())):
        assets = release.boot_assets(arch)
        reason = _reason(release, binary_version, binary.min_assets if binary else None, arch)
        if assets is None or reason:
            rejected.append(Problem(str(version), reason))
        else:
            candidates.append((release, assets))
    return candidates, tuple(rejected)


def _reason(release: AssetRelease, binary: Version, min_assets: Version | None, arch: str) -> str:
    """Why a release does not fit; empty when it does."""
    if release.deprecated:
        return "deprecated"
    if arch not in release.arches:
        return f"has no {arch}"
    if release.boot_assets(arch) is None:
        return f"has no complete boot set for {arch}"
    if min_assets is not None and release.version < min_assets:
        return f"older than the binary's min_assets {min_assets}"
    if release.min_binary is not None and binary < release.min_binary:
        return f"needs a binary from {release.min_binary} on"
    return ""


def referenced(manifest: AssetManifest, kept: Collection[str] = ()) -> frozenset[str]:
    """The hash names a store must keep: those of every release in force, of any arch, and those that are ``kept``.

    Args:
        manifest: the store's manifest.
        kept: hash names, or asset versions, whose files stay although they are deprecated.
    """
    names = {name for name in kept if is_hash_name(name)}
    for version, release in manifest.releases.items():
        if not release.deprecated or str(version) in kept:
            names.update(
                hash_name(asset.name, asset.digest) for assets in release.arches.values() for asset in assets.values()
            )
    return frozenset(names)


def newest_in_force(manifest: AssetManifest, arch: str) -> AssetRelease | None:
    """The release that `choose` would give a binary without constraints; None when no release has the arch."""
    fitting = [
        release for release in manifest.releases.values() if not release.deprecated and release.boot_assets(arch)
    ]
    current = [release for release in fitting if release.version == manifest.current]
    return [*fitting, *current][-1] if fitting else None
