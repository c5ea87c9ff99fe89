"""Bring a store from what it has to what its channel offers."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from bitproof.assets.compat import check_collisions
from bitproof.channel.health import printed
from bitproof.channel.mirrors import Mirrors
from bitproof.channel.ports import Reader
from bitproof.channel.state import DOWNLOADS, Kept
from bitproof.delivery.choosing import held_after, newly_revoked, release_of
from bitproof.delivery.fetching import Fetched, Wanted, drop_others
from bitproof.delivery.installing import fetch_all, install, switch, to_fetch
from bitproof.delivery.offers import Offered, offered
from bitproof.delivery.outlet import Bytes
from bitproof.delivery.requests import Request, Updated
from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.client_state import ClientState
from bitproof.signed.install import accepted
from bitproof.signed.manifests import remembered
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked


def advance(
    request: Request, installed: AssetManifest | None, store: Directory, kept: Kept, tell: Bytes, waiting: Waiting
) -> Updated:
    """Choose, fetch, install; the lock of what is kept of the channel is the caller's. Raises as `update.update`."""
    found = offered(request, kept)
    check_collisions(found.manifest, installed)
    accepted(found.offer, request.keys, store.path, remembered(store.path))  # before anything is fetched
    version, wanted = _planned(request, found, installed, store, kept, waiting)
    before = _release_before(request, installed, store)
    if request.dry_run:
        return _done(version, before, wanted, ())
    with kept.directory.child(DOWNLOADS, create=True) as downloads:
        drop_others(wanted, downloads)
        costs = fetch_all(wanted, request, downloads, tell)
        with locked(store, waiting=waiting):
            install(request, found, wanted, store, downloads, before=before, version=version)
            kept.write(_with_health(found.state, request.followed.reader))
    return _done(version, before, wanted, costs)


def _planned(
    request: Request,
    found: Offered,
    installed: AssetManifest | None,
    store: Directory,
    kept: Kept,
    waiting: Waiting,
) -> tuple[str, list[Wanted]]:
    """The release to install, and what the store lacks of it.

    Raises:
        InputError: none fits. What is revoked is forbidden here all the same: the manifest that says so is installed.
    """
    try:
        version = release_of(found.manifest, request, held_after(store, found.manifest, request))
        return version, to_fetch(request, found, store)
    except InputError as error:
        if installed is not None and newly_revoked(installed, found.manifest):
            error.fix = "update again when the channel has another release; what is revoked is not booted here any more"
            if not request.dry_run:
                with locked(store, waiting=waiting):
                    switch(request, found, store)
                    kept.write(_with_health(found.state, request.followed.reader))
        raise


def _release_before(request: Request, installed: AssetManifest | None, store: Directory) -> str:
    """The release that the store resolves to now; empty when there is none."""
    if installed is None:
        return ""
    with suppress(InputError):  # a newer binary that nothing fits any more is a reason to update
        return release_of(installed, request, held_after(store))
    return ""


def _with_health(state: ClientState, reader: Reader) -> ClientState:
    """The state, with what this run has measured of mirrors."""
    return replace(state, health=printed(reader.health)) if isinstance(reader, Mirrors) else state


def _done(version: str, before: str, wanted: Sequence[Wanted], costs: Sequence[Fetched]) -> Updated:
    return Updated(
        version=version,
        before=before,
        names=tuple(one.name for one in wanted),
        size=sum(one.entry.blob.size for one in wanted),
        fetched=sum(cost.fetched for cost in costs),
        reused=sum(cost.reused for cost in costs),
    )
