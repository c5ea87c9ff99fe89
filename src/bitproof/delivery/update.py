"""Update a store from a channel: all or nothing.

1. believe (`following`): one request when nothing is new
2. choose, by the rule by which the store will resolve
3. fetch what the store lacks, beside it; another update waits, the store itself is free
4. under the store's lock: names for the files, the manifest last, history, how far it has come

Killed before the manifest: the old release. Killed after it: the new one, and the next update finds nothing to do.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from bitproof.assets.compat import check_collisions
from bitproof.assets.store import load_manifest_if_any
from bitproof.channel.health import printed
from bitproof.channel.mirrors import Mirrors
from bitproof.channel.ports import Reader
from bitproof.channel.state import DOWNLOADS, Kept, load_kept
from bitproof.delivery.choosing import Request, held_after, newly_revoked, release_of
from bitproof.delivery.fetching import Fetched, Wanted, drop_others
from bitproof.delivery.following import is_current
from bitproof.delivery.installing import fetch_all, install, lacking, switch, to_fetch
from bitproof.delivery.offers import Offered, offered
from bitproof.delivery.outlet import Bytes
from bitproof.errors import InputError, IntegrityError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.client_state import ClientState
from bitproof.model.names import CHANNEL_STATE, MANIFEST
from bitproof.signed.install import accepted
from bitproof.signed.manifests import remembered
from bitproof.signed.resolve import signed_load
from bitproof.system.downloads import scratch_directory
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import exists


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update did.

    Attributes:
        version: the release that is installed now, or would be.
        before: the one that was installed before; empty when none was.
        names: the files that were brought in.
        size: bytes of these files.
        fetched: bytes that came from the place for them.
        reused: bytes of them that were at hand.
    """

    version: str
    before: str
    names: tuple[str, ...] = ()
    size: int = 0
    fetched: int = 0
    reused: int = 0

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "asset_version": self.version,
            "before": self.before,
            "changed": self.version != self.before or bool(self.names),
            "files": self.names,
            "size": self.size,
            "fetched": self.fetched,
            "reused": self.reused,
        }


def update(request: Request, tell: Bytes, waiting: Waiting = silent) -> Updated:
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
        found = offered(request, kept)
        check_collisions(found.manifest, installed)
        accepted(found.offer, request.keys, store.path, remembered(store.path))  # before anything is fetched
        version, wanted = _planned(request, found, installed, store, kept, waiting)
        before = _release_before(request, installed, store)
        if request.dry_run:
            return _done(version, before, wanted, ())
        downloads = stack.enter_context(directory.child(DOWNLOADS, create=True))
        drop_others(wanted, downloads)
        costs = fetch_all(wanted, request, downloads, tell)
        with locked(store, waiting=waiting):
            install(request, found, wanted, store, downloads, before=before, version=version)
            kept.write(_with_health(found.state, request.followed.reader))
        return _done(version, before, wanted, costs)


def _opened(request: Request, stack: ExitStack) -> tuple[Directory, Directory]:
    """The store, and what it keeps of its channel; a dry run makes neither, and uses scratch directories instead."""
    if not request.dry_run or exists(request.base / CHANNEL_STATE):
        store = stack.enter_context(Directory(request.base, create=True, what="the store"))
        return store, stack.enter_context(store.child(CHANNEL_STATE, create=True))
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
    load = signed_load(store.path, request.keys) if request.keys else None
    with suppress(IntegrityError):  # whose words are about the channel's manifest, when that is not signed either
        return load is None or bool(load(store.path / MANIFEST))
    return False


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
