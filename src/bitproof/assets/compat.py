"""Which asset release fits a binary, and which files a store still needs: FORMATS sections 3 and 5, pure.

A release is a candidate when it is neither revoked nor deprecated, has all three assets of the arch, and both
directions of compatibility hold. ``assets.current`` wins when it is a candidate, else the newest candidate; else
nothing fits, and every release says why. A release that the machine is held at is taken, deprecated or not, or nothing
is. There is no fallback.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bitproof.errors import InputError, Problem, shown
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BootAssets
from bitproof.model.digest import Digest
from bitproof.model.names import hash_name, is_hash_name
from bitproof.model.version import Version

if TYPE_CHECKING:
    from bitproof.model.selection import Held


class Choice(NamedTuple):
    """The release that was chosen, in one sentence why, and every release that was not, with its reason."""

    release: AssetRelease
    assets: BootAssets
    reason: str
    rejected: tuple[Problem, ...]


class Standing(StrEnum):
    """Where a release stands for one binary."""

    TAKEN = "taken"
    FITS = "fits"
    REJECTED = "rejected"


class Answer(NamedTuple):
    """Where one release stands, and in one sentence why."""

    release: AssetRelease
    standing: Standing
    reason: str


def choose(manifest: AssetManifest, binary_version: Version, arch: str, held: "Held | None" = None) -> Choice:
    """Choose the asset release for a binary.

    Args:
        manifest: the releases of both tracks.
        binary_version: need not be listed; then it has no ``min_assets``.
        arch: the manifest's key.
        held: the release that a pin or a rollback wants, and no other one.

    Raises:
        InputError: no release fits; lists each with the reason it was rejected. Or the one that is wanted does not.
    """
    candidates, rejected = _sorted_out(manifest, binary_version, arch)
    if held is not None:
        return _held(manifest, binary_version, arch, held, rejected)
    if not candidates:
        raise InputError(
            "no asset release fits this binary",
            expected=f"a release for binary {binary_version} on {arch}",
            found=f"none that fits, of {len(rejected)}" if rejected else "a manifest without releases",
            problems=rejected,
            fix="install a release that fits, or run a binary that fits what is installed",
        )
    for release, assets in candidates:
        if release.version == manifest.current:
            return Choice(release, assets, "it is assets.current, and fits", rejected)
    reasons = {Version(problem.where): problem.what for problem in rejected}
    why = reasons.get(manifest.current, "names no release")
    return Choice(*candidates[0], f"it is the newest that fits; assets.current {manifest.current}: {why}", rejected)


def _held(
    manifest: AssetManifest, binary_version: Version, arch: str, held: "Held", rejected: tuple[Problem, ...]
) -> Choice:
    """The release that is wanted; deprecated or not, as whoever holds it is not new."""
    release = manifest.releases.get(held.version)
    assets = release.boot_assets(arch) if release else None
    reason = held_rejection(manifest, binary_version, arch, held)
    if release is None or assets is None or reason:
        raise InputError(
            f"{held}, which cannot be used",
            expected=f"a release for binary {binary_version} on {arch}",
            found=f"{held.version}: {reason}",
            fix=held.remedy,
        )
    others = tuple(problem for problem in rejected if problem.where != str(release.version))
    return Choice(release, assets, str(held), others)


def held_rejection(manifest: AssetManifest, binary_version: Version, arch: str, held: "Held") -> str:
    """Why the release that is wanted cannot be used; empty when it can."""
    release, binary = manifest.releases.get(held.version), manifest.binaries.get(binary_version)
    if release is None:
        return "the manifest has no such release"
    return rejection(release._replace(deprecated=False), binary_version, binary.min_assets if binary else None, arch)


def explain(
    manifest: AssetManifest, binary_version: Version, arch: str, held: "Held | None" = None
) -> tuple[Answer, ...]:
    """What `choose` makes of every release, newest first; where it would refuse, no release is taken."""
    candidates, rejected = _sorted_out(manifest, binary_version, arch)
    answers = {problem.where: (Standing.REJECTED, problem.what) for problem in rejected}
    if held is not None:
        answers |= {str(release.version): (Standing.FITS, f"{held}; it fits too") for release, _ in candidates}
        reason = held_rejection(manifest, binary_version, arch, held)
        if release := manifest.releases.get(held.version):
            standing = Standing.REJECTED if reason else Standing.TAKEN
            answers[str(release.version)] = (standing, f"{reason}; {held}" if reason else str(held))
    elif candidates:
        taken = choose(manifest, binary_version, arch)
        version = taken.release.version
        why_not = f"{version} {'is assets.current' if version == manifest.current else 'is newer'}, and fits too"
        answers |= {str(release.version): (Standing.FITS, why_not) for release, _ in candidates}
        answers[str(version)] = (Standing.TAKEN, taken.reason)
    releases = reversed(list(manifest.releases.values()))
    return tuple(Answer(release, *answers[str(release.version)]) for release in releases)


def is_served(manifest: AssetManifest, binary_version: Version, arch: str) -> bool:
    """Whether any release fits a binary."""
    return bool(_sorted_out(manifest, binary_version, arch)[0])


def _sorted_out(
    manifest: AssetManifest, binary_version: Version, arch: str
) -> tuple[list[tuple[AssetRelease, BootAssets]], tuple[Problem, ...]]:
    """The releases that fit, with their boot assets, and those that do not, with the first reason; newest first."""
    binary = manifest.binaries.get(binary_version)
    candidates, rejected = [], []
    for version, release in reversed(list(manifest.releases.items())):
        assets = release.boot_assets(arch)
        reason = rejection(release, binary_version, binary.min_assets if binary else None, arch)
        if assets is None or reason:
            rejected.append(Problem(str(version), reason))
        else:
            candidates.append((release, assets))
    return candidates, tuple(rejected)


def rejection(release: AssetRelease, binary: Version, min_assets: Version | None, arch: str) -> str:
    """Why a release does not fit a binary; empty when it does."""
    if release.revoked or release.deprecated:
        return f"revoked: {release.revoked}" if release.revoked else "deprecated"
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
        kept: hash names, or asset versions, whose files stay although they are deprecated or revoked.

    Raises:
        InputError: what is ``kept`` is neither a hash name nor a release of the manifest.
    """
    names = {name for name in kept if is_hash_name(name)}
    versions = {_release_to_keep(manifest, text) for text in kept if text not in names}
    for version, release in manifest.releases.items():
        if release.in_force or version in versions:
            names.update(
                hash_name(asset.name, asset.digest) for assets in release.arches.values() for asset in assets.values()
            )
    return frozenset(names)


def can_be_kept(manifest: AssetManifest, word: str) -> bool:
    """Whether a word names something that `referenced` can keep."""
    return is_hash_name(word) or _release(manifest, word) is not None


def _release(manifest: AssetManifest, text: str) -> AssetRelease | None:
    try:
        return manifest.releases.get(Version(text))
    except ValueError:
        return None


def _release_to_keep(manifest: AssetManifest, text: str) -> Version:
    release = _release(manifest, text)
    if release is None:
        known = ", ".join(str(known) for known in manifest.releases) or "none here"
        raise InputError(
            "nothing of this name can be kept", expected=f"a hash name, or an asset version: {known}", found=shown(text)
        )
    return release.version


def check_collisions(*manifests: AssetManifest | None) -> None:
    """Refuse two different digests with the same 16 digits and name (FORMATS section 2).

    Raises:
        InputError: with the hash name and both digests.
    """
    known: dict[str, Digest] = {}
    for manifest in manifests:
        for release in manifest.releases.values() if manifest else ():
            for asset in (asset for assets in release.arches.values() for asset in assets.values()):
                name = hash_name(asset.name, asset.digest)
                other = known.setdefault(name, asset.digest)
                if other != asset.digest:
                    raise InputError("two digests share one hash name", where=name, expected=other, found=asset.digest)


def contradictions(manifest: AssetManifest) -> tuple[Problem, ...]:
    """What can be read and cannot be right: a ``current`` that names no release, half a boot set."""
    problems = []
    for track, current, releases in (
        ("assets", manifest.current, manifest.releases),
        ("binaries", manifest.current_binary, manifest.binaries),
    ):
        if current not in releases:
            known = ", ".join(str(version) for version in releases) or "at least one release"
            problems.append(Problem(f"{track}.current", f"{current} names no release", expected=known))
    for version, release in manifest.releases.items():
        problems += [
            Problem(f"{version} {arch}", "no complete boot set", expected="vmlinuz, initrd.img and a rootfs")
            for arch in release.arches
            if release.boot_assets(arch) is None
        ]
    return tuple(problems)


def newest_in_force(manifest: AssetManifest, arch: str) -> AssetRelease | None:
    """The release that `choose` would give a binary without constraints; None when no release has the arch."""
    fitting = [release for release in manifest.releases.values() if release.in_force and release.boot_assets(arch)]
    current = [release for release in fitting if release.version == manifest.current]
    return [*fitting, *current][-1] if fitting else None
