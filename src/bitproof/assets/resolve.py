"""From a manifest to the three paths of a boot set (seed 000, "Boot-Time Resolution"; FORMATS section 3).

In a dev layout the paths are the logical names and the pins are the current release's of the manifest beside them. In
a store `compat` chooses the release, and paths and pins come from that same release. Nothing is read but the manifest,
and what holds the machine or a VM at a release, when something does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bitproof.assets.compat import choose
from bitproof.assets.store import Mode, Place, find_dev, find_installed, find_place, load_manifest, load_manifest_if_any
from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BootPins
from bitproof.model.names import SELECTION
from bitproof.model.version import Version
from bitproof.system.opened import exists

if TYPE_CHECKING:
    from bitproof.model.selection import Held

DEV_VERSION = "dev"

Load = Callable[[Path], AssetManifest]
"""How a manifest is read, when it has to be proved first."""


class BootSet(NamedTuple):
    """Kernel, initrd and rootfs of one arch, and how they were found.

    ``pins`` is None only in a dev layout whose manifest is missing or does not know the arch: such a set does not boot
    verified. ``rejected`` are the releases that were not chosen, each with its reason. ``held`` is the pin or the
    rollback that chose, None when nothing holds the machine or the VM at a release.
    """

    kernel: Path
    initrd: Path
    rootfs: Path
    asset_version: str
    binary_version: Version
    arch: str
    mode: Mode
    manifest: Path
    pins: BootPins | None
    reason: str
    rejected: tuple[Problem, ...] = ()
    held: "Held | None" = None

    def document(self) -> dict[str, object]:
        """As JSON, with absolute paths (FORMATS section 7); ``held`` only when something is."""
        versions = {"asset_version": self.asset_version, "binary_version": str(self.binary_version), "arch": self.arch}
        paths = {"manifest": self.manifest, "kernel": self.kernel, "initrd": self.initrd, "rootfs": self.rootfs}
        held = {"held": self.held.document()} if self.held else {}
        return {**versions, "mode": str(self.mode), **{name: str(path) for name, path in paths.items()}, **held}


def resolve(
    base: Path,
    binary_version: Version | None,
    arch: str,
    *,
    dev: bool = False,
    load: Load | None = None,
    vm: str = "",
) -> BootSet:
    """Find the boot set for a binary in a dev layout or a store.

    Args:
        base: the dev layout's or the store's directory.
        binary_version: None is the manifest's ``binaries.current``.
        arch: the manifest's key.
        dev: it is a dev layout, whether the arch is there or not; else that is for its files to show.
        load: reads the manifest, which then has to be there in a dev layout too.
        vm: a VM that may have a pin of its own; empty: the machine's, if there is one.

    Raises:
        UnavailableError: no manifest in a store, or files that are missing, all named at once.
        InputError: a bad manifest or selection, no release that fits, or a held one that does not.
    """
    place = find_place(base, arch, dev=dev)
    if place.mode is Mode.DEV:
        if vm:
            fix = "leave --vm out, or name a store with --base"
            raise InputError("no VM is pinned in a dev layout: what lies there boots", where=place.base, fix=fix)
        manifest = load(place.manifest) if load else load_manifest_if_any(place.manifest)
        return _resolve_dev(manifest, binary_version, place)
    return _resolve_installed((load or load_manifest)(place.manifest), binary_version, place, vm)


def resolve_in(manifest: AssetManifest, base: Path, binary_version: Version, arch: str) -> BootSet:
    """As `resolve`, with a manifest that is at hand."""
    place = find_place(base, arch)
    by_mode = _resolve_dev if place.mode is Mode.DEV else _resolve_installed
    return by_mode(manifest, binary_version, place)


def held_at(base: Path, vm: str = "") -> "Held | None":
    """What holds a store's machine, or one of its VMs, at a release.

    Raises:
        InputError: the selection is there and bad.
        UnavailableError: it cannot be read.
    """
    path = base / SELECTION
    if not exists(path) and not path.is_symlink():
        return None
    from bitproof.assets.selection import read_selection

    return read_selection(base).held(vm)


def _resolve_dev(manifest: AssetManifest | None, binary_version: Version | None, place: Place) -> BootSet:
    kernel, initrd, rootfs = find_dev(place)
    release = manifest.releases.get(manifest.current) if manifest else None
    if release and release.revoked:
        raise _revoked(release, place)
    return BootSet(
        kernel=kernel,
        initrd=initrd,
        rootfs=rootfs,
        asset_version=DEV_VERSION,
        binary_version=_binary(manifest, binary_version, place),
        arch=place.arch,
        mode=place.mode,
        manifest=place.manifest,
        pins=release.pins(place.arch, str(place.manifest)) if release else None,
        reason=f"{place.dev_directory} has the logical names of a dev layout",
    )


def _revoked(release: AssetRelease, place: Place) -> InputError:
    return InputError(
        f"assets.current {release.version} is revoked",
        where=place.manifest,
        found=release.revoked,
        fix="build and record what is to take its place: bitproof assets build",
    )


def _resolve_installed(manifest: AssetManifest, binary_version: Version | None, place: Place, vm: str = "") -> BootSet:
    binary = _binary(manifest, binary_version, place)
    held = held_at(place.base, vm)
    choice = choose(manifest, binary, place.arch, held)
    kernel, initrd, rootfs = find_installed(place.base, place.arch, choice.assets)
    return BootSet(
        kernel=kernel,
        initrd=initrd,
        rootfs=rootfs,
        asset_version=str(choice.release.version),
        binary_version=binary,
        arch=place.arch,
        mode=place.mode,
        manifest=place.manifest,
        pins=choice.release.pins(place.arch, str(place.manifest)),
        reason=choice.reason,
        rejected=choice.rejected,
        held=held,
    )


def _binary(manifest: AssetManifest | None, given: Version | None, place: Place) -> Version:
    if given is not None:
        return given
    if manifest is None:
        raise InputError("no binary version is known", where=place.manifest, fix="name one with --binary-version")
    return manifest.current_binary
