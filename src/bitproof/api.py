"""The seed's verbs for Python: what a service that boots VMs calls (seed 000, "Boot-Time Resolution" and "Cleanup")."""

from collections.abc import Collection
from pathlib import Path
from typing import Self

from bitproof.assets.cleanup import Cleaned, cleanup
from bitproof.assets.pins import current_pins
from bitproof.assets.resolve import BootSet, resolve_in
from bitproof.assets.store import load_document
from bitproof.errors import InputError
from bitproof.model import asset_edits, asset_manifest
from bitproof.model.asset_manifest import BootPins
from bitproof.model.names import MANIFEST, arch_key
from bitproof.model.version import Version


class AssetManifest(asset_manifest.AssetManifest):
    """A release manifest, format 2, with the verbs of a service that boots VMs.

    >>> manifest = AssetManifest.load("examples/seed/manifest.json")
    >>> str(manifest.current), str(manifest.current_binary)
    ('2026.0415.1', '1.0.1776269479')
    >>> manifest.expected_hashes("arm64").kernel.name
    'vmlinuz'
    """

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a manifest from a file.

        Raises:
            UnavailableError: it cannot be opened.
            InputError: it is bad; every problem with its JSON path.
        """
        return cls.read(load_document(Path(path)), str(path))

    def resolve(self, binary_version: Version | str, arch: str, base_dir: Path | str) -> BootSet:
        """The boot set of the release that fits a binary, from the files of ``base_dir`` (FORMATS section 3).

        In a store where the machine is pinned or was rolled back, that release's, or none.

        Args:
            binary_version: ``MAJOR.MINOR.{unix seconds}``.
            arch: ``arm64`` or ``aarch64``, ``x86_64`` or ``amd64``, others as they are.
            base_dir: a store, or a dev layout.

        Raises:
            InputError: no release fits, each with its reason, or what is pinned does not; never a fallback.
            UnavailableError: files that are missing, all named at once.
        """
        return resolve_in(self, Path(base_dir), _version(binary_version), arch_key(arch))

    def expected_hashes(self, arch: str, version: Version | str | None = None) -> BootPins:
        """What kernel, initrd and rootfs of a release must be.

        Args:
            arch: as in `resolve`.
            version: an asset version; None is the current one.

        Raises:
            InputError: no such release, or it has no complete boot set for the arch: never an empty answer.
        """
        if version is None:
            return current_pins(self, arch_key(arch), MANIFEST)
        release = self.releases.get(_version(version))
        pins = release.pins(arch_key(arch), MANIFEST) if release else None
        if pins is None:
            raise InputError("the manifest has no such boot set", expected=f"assets {version} for {arch_key(arch)}")
        return pins

    def merge(self, other: asset_manifest.AssetManifest) -> Self:
        """Every release, arch and binary of both, such as of two machines that built for one arch each.

        Raises:
            InputError: one version has different bytes for the same arch.
        """
        return type(self).read(asset_edits.merge(self, other).document)


def cleanup_unused_assets(
    base_dir: Path | str,
    manifest: asset_manifest.AssetManifest | None = None,
    keep: Collection[str] = (),
    pins: Collection[BootPins] = (),
) -> Cleaned:
    """Remove from a store the hash-named files that no release in force needs (FORMATS section 5).

    Args:
        base_dir: the store.
        manifest: what is in force; None reads the store's own.
        keep: hash names or asset versions to keep, beside those of the store's keep list.
        pins: boot sets to keep, such as those that VMs were made with.

    Raises:
        UnavailableError: no store or no manifest, or a removal is refused.
        InputError: a bad manifest or keep list; nothing is removed.
    """
    return cleanup(Path(base_dir), manifest=manifest, keep=keep, pins=pins)


def _version(text: Version | str) -> Version:
    if isinstance(text, Version):
        return text
    try:
        return Version(text)
    except ValueError as error:
        raise InputError(str(error)) from None
