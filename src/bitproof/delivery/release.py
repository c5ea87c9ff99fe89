"""What a dev layout would publish: its manifest byte for byte, the signature beside it, and the release's files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.store import find_place
from bitproof.channel.layout import MANIFEST_SIGNATURE
from bitproof.errors import InputError
from bitproof.model.asset_manifest import Asset, AssetManifest, AssetRelease
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST
from bitproof.signed.manifests import admit, unsigned
from bitproof.system.opened import exists, read_file
from bitproof.trust.comment import is_developers
from bitproof.trust.minisign import MAX_FILE, PublicKey, Signature
from bitproof.trust.signers import Signers


@dataclass(frozen=True, slots=True)
class Release:
    """What shall be published: the manifest's bytes, its signature if it has one, and where its new files are."""

    data: bytes
    manifest: AssetManifest
    signature: bytes | None
    files: Mapping[Path, Asset]

    @property
    def targets(self) -> dict[str, bytes]:
        """The channel's files, the manifest first."""
        return {MANIFEST: self.data} | ({} if self.signature is None else {MANIFEST_SIGNATURE: self.signature})


def load_release(assets: Path, keys: tuple[PublicKey, ...]) -> Release:
    """Read what a dev layout would publish.

    Args:
        assets: the dev layout.
        keys: who may have signed its manifest.

    Raises:
        IntegrityError: the signature beside the manifest does not hold.
        InputError: a bad manifest; a signature, and no key to check it by.
        UnavailableError: a file is missing.
    """
    path = assets / MANIFEST
    data = read_file(path, MAX_JSON, "the manifest")
    manifest = AssetManifest.parse(data, str(path))
    signature = _signature(assets, data, keys)
    release = manifest.releases.get(manifest.current)
    return Release(data, manifest, signature, {} if release is None else _files(assets, release))


def _signature(assets: Path, data: bytes, keys: tuple[PublicKey, ...]) -> bytes | None:
    """The signature beside a manifest, when it holds; a developer's is nobody else's matter."""
    place = assets / MANIFEST_SIGNATURE
    if not exists(place):
        if keys:
            raise unsigned(assets / MANIFEST, Signers(keys))
        return None
    signature = read_file(place, MAX_FILE, "the signature")
    made = Signature.parse(signature, str(place))
    if not keys:
        if is_developers(made.trusted_comment):
            return None
        raise InputError(
            "there is no key to check the manifest's signature by",
            where=place,
            fix="name the public key: --require-signature KEY|FILE, or trust.keys in bitproof.toml",
        )
    admit(data, assets / MANIFEST, signature, place, Signers(keys))
    return signature


def _files(assets: Path, release: AssetRelease) -> dict[Path, Asset]:
    """The files of a release that a dev layout has."""
    found: dict[Path, Asset] = {}
    for arch, listed in release.arches.items():
        directory = find_place(assets, arch).dev_directory
        found |= {directory / name: asset for name, asset in listed.items() if exists(directory / name)}
    return found
