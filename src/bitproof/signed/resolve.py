"""Resolve by a manifest that has to be signed; where none has to, nothing of `trust` is imported."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bitproof.assets.resolve import BootSet, Load, resolve
from bitproof.model.names import SIGNERS
from bitproof.model.version import Version
from bitproof.system.opened import exists

if TYPE_CHECKING:
    from bitproof.trust.minisign import PublicKey


def has_signers(base: Path) -> bool:
    """Whether a store has a list of signers, whatever is in it.

    Raises:
        UnavailableError: that cannot be told.
    """
    path = base / SIGNERS
    return exists(path) or path.is_symlink()


def resolve_signed(
    base: Path,
    binary_version: Version | None,
    arch: str,
    keys: "tuple[PublicKey, ...]",
    *,
    dev: bool = False,
    vm: str = "",
) -> BootSet:
    """As `resolve`, by a manifest that one of the keys signed; without keys, by one that the store's signers signed.

    Raises:
        IntegrityError: the manifest is not signed, or by nobody who may.
        InputError, UnavailableError: as `resolve`; a malformed signature.
    """
    return resolve(base, binary_version, arch, dev=dev, load=signed_load(base, keys), vm=vm)


def signed_load(base: Path, keys: "tuple[PublicKey, ...]") -> Load | None:
    """How a manifest is read that one of the keys signed, or the store's signers; None when nobody has to have signed.

    Raises:
        InputError: the store's list of signers is there and bad.
        UnavailableError: it cannot be read.
    """
    if not keys and not has_signers(base):
        return None
    from bitproof.signed.manifests import load_signed, remembered
    from bitproof.trust.signers import Signers

    signers = Signers(keys) if keys else remembered(base)
    return None if signers is None else partial(load_signed, signers=signers)
