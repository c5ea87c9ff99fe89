"""Install a signed manifest, and never an unsigned one in its place.

The order, under the store's lock: the signature under its bound name; the list of signers, the old ones and the new;
``manifest.json``; ``manifest.json.minisig``; the new signers alone; older bound signatures go. Whenever it stops, the
store's manifest has its signature, and somebody in the list made it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.install import Installed
from bitproof.assets.install import install as copy_release
from bitproof.errors import IntegrityError
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST, SIGNERS
from bitproof.signed.manifests import SIGNATURE, admit, bound_name, is_bound, remembered, unsigned
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, silent
from bitproof.system.opened import Progress, exists, ignore, read_file
from bitproof.trust.comment import is_developers
from bitproof.trust.minisign import MAX_FILE, PublicKey, Signature
from bitproof.trust.signers import Signers


class Offer(NamedTuple):
    """A manifest that wants to become a store's, its signature if there is one, and where both are from."""

    data: bytes
    where: str
    signature: bytes | None
    place: str


def install(
    assets: Path,
    base: Path,
    arches: Sequence[str],
    keys: tuple[PublicKey, ...] = (),
    *,
    progress: Progress = ignore,
    wait: bool = True,
    waiting: Waiting = silent,
) -> Installed:
    """Install the current release of a dev layout into a store, if who may has signed its manifest.

    A store that has had no signed manifest takes an unsigned one; with the first signed one that changes.

    Args:
        assets: the dev layout.
        base: the store; made when it is not there.
        arches: which arches' files are brought in.
        keys: who may sign; none are the store's own signers.
        progress: told the bytes that are done.
        wait: wait for another writer of the store; else fail at once.
        waiting: told the lock's path before waiting.

    Raises:
        IntegrityError: the manifest is not signed, or by nobody who may; a file is not what the manifest says, then
            nothing is left of it. In any case the old manifest stands.
        InputError: a bad manifest, a malformed signature, a missing arch, two digests with one hash name.
        UnavailableError: a missing file, a full disk, a permission.
    """
    switch = partial(switched, partial(_offered, assets), keys)
    return copy_release(assets, base, arches, progress=progress, wait=wait, waiting=waiting, switch=switch)


def check_layout(assets: Path, base: Path, keys: tuple[PublicKey, ...]) -> None:
    """Refuse early what `install` would refuse after the copying. Raises as that."""
    data = read_file(assets / MANIFEST, MAX_JSON, "the manifest")
    accepted(_offered(assets, data), keys, base, remembered(base))


def _offered(assets: Path, data: bytes) -> Offer:
    """A dev layout's manifest, with the signature beside it."""
    place = assets / SIGNATURE
    there = exists(place) or place.is_symlink()
    signature = read_file(place, MAX_FILE, "the signature") if there else None
    return Offer(data, str(assets / MANIFEST), signature, str(place))


@contextmanager
def switched(
    offered: Callable[[bytes], Offer], keys: tuple[PublicKey, ...], store: Directory, data: bytes
) -> Iterator[None]:
    """What goes on around the moment when ``data`` becomes the store's manifest.

    Args:
        offered: the manifest with its signature.
        keys: who may sign; none are the store's own signers.
        store: whose manifest it becomes, locked.
        data: the manifest.

    Raises:
        IntegrityError: the manifest is not signed, or by nobody who may.
        InputError: a malformed signature.
    """
    before = remembered(store.path)
    signature = accepted(offered(data), keys, store.path, before)
    if signature is None:
        yield
        return
    after = Signers(keys) if keys or before is None else before
    bound = bound_name(data)
    store.write_changed(bound, signature)
    if before is not None:
        store.write_changed(SIGNERS, before.widened(after).to_bytes())
    yield
    store.write_changed(SIGNATURE, signature)
    store.write_changed(SIGNERS, after.to_bytes())
    _forget(store, bound)


def _forget(store: Directory, bound: str) -> None:
    """Remove the bound signatures of manifests that are gone."""
    old = [name for name, _ in store.names() if is_bound(name) and name != bound]
    for name in old:
        store.remove(name)
    if old:
        store.sync()


def accepted(offer: Offer, keys: tuple[PublicKey, ...], base: Path, before: Signers | None) -> bytes | None:
    """The signature to install with a manifest; None when there is none, and none is needed. Raises as `switched`."""
    signers = Signers(keys) if keys else before
    if offer.signature is not None:
        admit(offer.data, Path(offer.where), offer.signature, Path(offer.place), signers or Signers())
        made = Signature.parse(offer.signature, offer.place)
        return None if signers is None and is_developers(made.trusted_comment) else offer.signature
    if signers is None:
        return None
    if keys:
        raise unsigned(Path(offer.where), signers)
    raise IntegrityError(
        "an unsigned manifest would take the place of a signed one",
        where=offer.where,
        expected=str(signers),
        found=f"no {SIGNATURE} beside it",
        fix=f"the owner of the key signs it: bitproof trust sign; to give signatures up, remove {base / SIGNERS}",
    )
