"""Dev layouts that are signed, and stores they were installed into."""

import json
from pathlib import Path

from bitproof.assets.install import Installed
from bitproof.assets.resolve import BootSet
from bitproof.signed.files import sign_file
from bitproof.signed.install import install as install_release
from bitproof.signed.manifests import SIGNATURE
from bitproof.signed.resolve import resolve_signed
from bitproof.trust.secret_key import SecretKey
from tests.assets.layouts import recorded
from tests.trust.keys import publics

TIME = 1776211200
ARCH = "x86_64"


def sign(directory: Path, key: SecretKey) -> None:
    """Sign the manifest of a directory."""
    sign_file(directory / "manifest.json", directory / SIGNATURE, key, TIME)


def released(assets: Path, key: SecretKey | None, tag: str = "a") -> None:
    """A dev layout, recorded anew, and signed unless there is no key."""
    recorded(assets, tag)
    (assets / SIGNATURE).unlink(missing_ok=True)
    if key:
        sign(assets, key)


def install(assets: Path, base: Path, *keys: SecretKey) -> Installed:
    return install_release(assets, base, [ARCH], publics(*keys))


def resolve(base: Path, *keys: SecretKey) -> BootSet:
    return resolve_signed(base, None, ARCH, publics(*keys))


def current(base: Path) -> str:
    document = json.loads((base / "manifest.json").read_bytes())
    version: str = document["assets"]["current"]
    return version
