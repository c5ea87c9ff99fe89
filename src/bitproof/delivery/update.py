"""Update a store from a channel: all or nothing.

1. believe (`following`): one request when nothing is new
2. choose, by the rule by which the store will resolve
3. fetch what the store lacks, beside it; another update waits, the store itself is free
4. under the store's lock: names for the files, the manifest last, history, how far it has come

Killed before the manifest: the old release. Killed after it: the new one, and the next update finds nothing to do.
"""

from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bitproof.assets.store import load_manifest_if_any
from bitproof.channel.state import Kept, load_kept
from bitproof.delivery.choosing import held_after, lacking, release_of
from bitproof.delivery.following import is_current
from bitproof.delivery.requests import Request, Updated
from bitproof.errors import IntegrityError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import CHANNEL_STATE, MANIFEST
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import exists

if TYPE_CHECKING:
    from bitproof.delivery.outlet import Bytes


def update(request: Request, tell: "Bytes", waiting: Waiting = silent) -> Updated:
    """Bring a store to the channel's release.

    Args:
        request: what, and to what.
        tell: makes a progress.
        waiting: told the lock's path before another update or install is waited for.

    Raises:
        IntegrityError: the channel or its files are not to be believed; the old release stands.
        InputError: no release fits; no root was given; a file of the store is bad.
        UnavailableError: the place does not serve; a full disk; the clock is wrong.
    """
    with ExitStack() as stack:
        store, directory = _opened(request, stack)
        stack.enter_context(locked(directory, waiting=waiting))
        kept = load_kept(directory)
        installed = load_manifest_if_any(store.path / MANIFEST)
        if installed is not None and is_current(request.followed, kept):
            version = release_of(installed, request, held_after(store))
            if _is_whole(installed, request, store):
                _remember_places(request, kept)
                return Updated(version=version, before=version)
        from bitproof.delivery.advance import advance  # not when nothing is new: most of what it needs is imported here

        return advance(request, installed, store, kept, tell, waiting)


def _opened(request: Request, stack: ExitStack) -> tuple[Directory, Directory]:
    """The store, and what it keeps of its channel; a dry run makes neither, and uses scratch directories instead."""
    if not request.dry_run or exists(request.base / CHANNEL_STATE):
        store = stack.enter_context(Directory(request.base, create=True, what="the store"))
        return store, stack.enter_context(store.child(CHANNEL_STATE, create=True))
    from bitproof.system.downloads import scratch_directory

    scratch = stack.enter_context(scratch_directory())
    base = request.base if exists(request.base) else scratch / MANIFEST
    store = stack.enter_context(Directory(base, create=True, what="the store"))
    return store, stack.enter_context(Directory(scratch / CHANNEL_STATE, create=True))


def _remember_places(request: Request, kept: Kept) -> None:
    """Go on from the places that were named now, though nothing was new there."""
    if kept.state is not None and kept.state.places != request.followed.places and not request.dry_run:
        kept.write(replace(kept.state, places=request.followed.places))


def _is_whole(installed: AssetManifest, request: Request, store: Directory) -> bool:
    """Whether the store has what is asked for now: a pin, a binary or an arch may be another than the last time."""
    if lacking(installed, request, store, held_after(store)):
        return False
    if not request.keys:
        return True
    from bitproof.signed.resolve import signed_load

    load = signed_load(store.path, request.keys)
    with suppress(IntegrityError):  # whose words are about the channel's manifest, when that is not signed either
        return load is None or bool(load(store.path / MANIFEST))
    return False
