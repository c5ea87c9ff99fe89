"""Where assets lie: a dev layout with logical names, or a store with hash names (seed 000, "Disk Layouts").

This module opens directories, reads manifests and finds files. It decides nothing: which release is `compat`'s matter.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.keep import MAX_KEEP_LIST, parse_keep_list
from bitproof.errors import InputError, UnavailableError
from bitproof.model.asset_manifest import Asset, AssetManifest, BootAssets
from bitproof.model.decode import MAX_JSON, parse_json
from bitproof.model.names import (
    CHANNEL_STATE,
    FLAT_ARCH,
    FOLLOWED,
    INITRD,
    KEEP_LIST,
    KERNEL,
    MANIFEST,
    ROOTFS,
    check_name,
    hash_name,
)
from bitproof.system.files import Directory
from bitproof.system.opened import exists, read_file

UPDATE = "bitproof update"
LOGICAL = (KERNEL, INITRD, *ROOTFS)


class Mode(StrEnum):
    """How the files of a directory are named."""

    DEV = "dev"
    INSTALLED = "installed"


class Place(NamedTuple):
    """A directory of assets, and how its files are named for one arch."""

    base: Path
    arch: str
    mode: Mode

    @property
    def manifest(self) -> Path:
        """The manifest that goes with it."""
        return self.base / MANIFEST

    @property
    def dev_directory(self) -> Path:
        """Where the logical names are."""
        return self.base if self.arch == FLAT_ARCH else self.base / self.arch


def find_place(base: Path, arch: str, *, dev: bool = False) -> Place:
    """Tell a dev layout from a store: a dev layout has logical names under ``{base}/{arch}``, or the user says ``dev``.

    Raises:
        UnavailableError: ``base`` does not exist or cannot be read.
        InputError: ``arch`` is not a name, so that it could lead out of ``base``.
    """
    try:
        check_name(arch)
    except ValueError as error:
        raise InputError(f"not an arch: {error}") from None
    with Directory(base, what="the assets directory") as directory:
        place = Place(directory.path, arch, Mode.DEV)
    if dev or any(exists(place.dev_directory / name) for name in LOGICAL):
        return place
    return Place(place.base, arch, Mode.INSTALLED)


def load_manifest(path: Path) -> AssetManifest:
    """Read a manifest.

    Raises:
        UnavailableError: it is not there or cannot be opened.
        InputError: it is there and bad.
    """
    return AssetManifest.read(load_document(path), str(path))


def load_document(path: Path) -> dict[str, object]:
    """A manifest's JSON, read strictly. Raises as `load_manifest`."""
    return parse_json(read_file(path, MAX_JSON, "the manifest"), str(path))


def load_manifest_if_any(path: Path) -> AssetManifest | None:
    """As `load_manifest`; None when there is no such file. One that is there and bad is still an error."""
    return load_manifest(path) if exists(path) or path.is_symlink() else None


def load_keep_list(base: Path, manifest: AssetManifest) -> tuple[str, ...]:
    """What a store's keep list names, as `compat.referenced` takes it; nothing when there is no list.

    Raises:
        UnavailableError: it cannot be opened.
        InputError: it is there and bad.
    """
    path = base / KEEP_LIST
    if not exists(path) and not path.is_symlink():
        return ()
    return parse_keep_list(read_file(path, MAX_KEEP_LIST, "the keep list"), str(path), manifest)


def find_dev(place: Place) -> tuple[Path, Path, Path]:
    """Kernel, initrd and rootfs of a dev layout.

    Raises:
        UnavailableError: names all that are missing.
        InputError: there is more than one rootfs.
    """
    directory = place.dev_directory
    rootfs = [directory / name for name in ROOTFS if exists(directory / name)]
    if len(rootfs) > 1:
        raise InputError(
            "more than one rootfs", where=directory, expected="one", found=", ".join(path.name for path in rootfs)
        )
    paths = (directory / KERNEL, directory / INITRD, rootfs[0] if rootfs else directory / ROOTFS[0])
    _all_there(paths, f"bitproof assets build --arch {place.arch}")
    return paths


def find_installed(base: Path, arch: str, assets: BootAssets) -> tuple[Path, Path, Path]:
    """Kernel, initrd and rootfs of a store: flat, else under the arch; flat wins.

    Raises:
        UnavailableError: names all that are missing.
    """
    paths = [installed_path(base, arch, asset) for asset in assets]
    _all_there(paths, bring_back(base))
    return paths[0], paths[1], paths[2]


def bring_back(base: Path) -> str:
    """The command that brings a store's files: an update, where it follows a channel."""
    return UPDATE if exists(base / CHANNEL_STATE / FOLLOWED) else "bitproof assets install"


def installed_path(base: Path, arch: str, asset: Asset) -> Path:
    """Where an asset is in a store, or would be."""
    name = hash_name(asset.name, asset.digest)
    flat, below = base / name, base / arch / name
    return below if not exists(flat) and exists(below) else flat


def _all_there(paths: Sequence[Path], fix: str) -> None:
    missing = [path for path in paths if not exists(path)]
    if missing:
        what = "an asset is missing" if len(missing) == 1 else f"{len(missing)} assets are missing"
        raise UnavailableError(what, where=", ".join(str(path) for path in missing), fix=fix)


def relative_path(arch: str, name: str) -> str:
    """Where an asset is below a dev layout, with forward slashes, as ``B3SUMS`` writes it."""
    return name if arch == FLAT_ARCH else f"{arch}/{name}"
