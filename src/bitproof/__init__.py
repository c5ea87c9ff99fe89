"""bitproof proves that what you build, ship, install and boot is, bit for bit, what you pinned.

The public API, at most 20 names; everything else may change. Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitproof.api import AssetManifest, cleanup_unused_assets
    from bitproof.assets.cleanup import Cleaned
    from bitproof.assets.install import Installed
    from bitproof.assets.resolve import BootSet
    from bitproof.assets.verify import verify
    from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
    from bitproof.model.digest import Digest
    from bitproof.model.report import Finding, Report, Verdict
    from bitproof.model.version import Version
    from bitproof.signed.install import install
    from bitproof.vm.verified import VerifiedBootSet, VmConfig, open_verified

__all__ = [
    "AssetManifest",
    "BitproofError",
    "BootSet",
    "Cleaned",
    "Digest",
    "Finding",
    "InputError",
    "Installed",
    "IntegrityError",
    "Report",
    "UnavailableError",
    "Verdict",
    "VerifiedBootSet",
    "Version",
    "VmConfig",
    "cleanup_unused_assets",
    "install",
    "open_verified",
    "verify",
]

_HOMES = {
    "bitproof.api": ("AssetManifest", "cleanup_unused_assets"),
    "bitproof.assets.cleanup": ("Cleaned",),
    "bitproof.assets.install": ("Installed",),
    "bitproof.assets.resolve": ("BootSet",),
    "bitproof.assets.verify": ("verify",),
    "bitproof.errors": ("BitproofError", "InputError", "IntegrityError", "UnavailableError"),
    "bitproof.model.digest": ("Digest",),
    "bitproof.model.report": ("Finding", "Report", "Verdict"),
    "bitproof.model.version": ("Version",),
    "bitproof.signed.install": ("install",),
    "bitproof.vm.verified": ("VerifiedBootSet", "VmConfig", "open_verified"),
}


def __getattr__(name: str) -> object:
    """Import a public name from where it lives."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
