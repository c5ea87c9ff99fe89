"""Update a store from a channel: all or nothing.

1. believe (`following`): one request when nothing is new
2. choose, by the rule by which the store will resolve
3. fetch what the store lacks, beside it; another update waits, the store itself is free
4. under the store's lock: names for the files, the manifest last, history, how far it has come

Killed before the manifest: the old release. Killed after it: the new one, and the next update finds nothing to do.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bitproof.assets.compat import check_collisions
from bitproof.assets.history import append, read_history
from bitproof.assets.landing import is_there
from bitproof.assets.selection import read_selection, write_selection
from bitproof.assets.store import load_manifest_if_any
from bitproof.channel.catalog import Catalog, parse_catalog
from bitproof.channel.health import printed
from bitproof.channel.layout import MANIFEST_SIGNATURE
from bitproof.channel.mirrors import Mirrors
from bitproof.channel.ports import Reader
from bitproof.channel.state import DOWNLOADS, Kept, load_kept
from bitproof.channel.targets import read_target
from bitproof.channel.trusted import Believed
from bitproof.delivery.choosing import Request, held_after, pins_of, release_of, selection_after
from bitproof.delivery.fetching import Fetched, Wanted, drop_others, fetch, land
from bitproof.delivery.following import Followed, follow, is_current
from bitproof.delivery.outlet import Bytes
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest, PinnedFile
from bitproof.model.client_state import ClientState
from bitproof.model.history import Entry as HistoryEntry
from bitproof.model.history import Event
from bitproof.model.names import CHANNEL_STATE, MANIFEST, is_hash_name
from bitproof.model.version import Version
from bitproof.signed.install import Offer, accepted, switched
from bitproof.signed.manifests import remembered
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import Progress


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


@dataclass(frozen=True, slots=True)
class _Offered:
    """What the channel has: the manifest, its signature, its blobs, and the state to write when it is installed."""

    data: bytes
    manifest: AssetManifest
    signature: bytes | None
    catalog: Catalog
    state: ClientState
    where: str


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
        store = stack.enter_context(Directory(request.base, create=True, what="the store"))
        directory = stack.enter_context(store.child(CHANNEL_STATE, create=True))
        stack.enter_context(locked(directory, waiting=waiting))
        kept = load_kept(directory)
        installed = load_manifest_if_any(store.path / MANIFEST)
        if installed is not None and is_current(request.followed, kept):
            version = release_of(installed, request, held_after(store))
            return Updated(version=version, before=version)
        offered = _offered(request, kept)
        check_collisions(offered.manifest, installed)
        accepted(_offer(offered), request.keys, store.path, remembered(store.path))  # before anything is fetched
        wanted = _wanted(request, offered, store)
        before = "" if installed is None else release_of(installed, request, held_after(store))
        version = release_of(offered.manifest, request, held_after(store, offered.manifest, request))
        if request.dry_run:
            return _done(version, before, wanted, ())
        downloads = stack.enter_context(directory.child(DOWNLOADS, create=True))
        drop_others(wanted, downloads)
        costs = _fetch(wanted, request, downloads, tell)
        with locked(store, waiting=waiting):
            _install(request, offered, wanted, store, downloads, before=before, version=version)
            kept.write(_with_health(offered.state, request.followed.reader))
        return _done(version, before, wanted, costs)


def _with_health(state: ClientState, reader: Reader) -> ClientState:
    """The state, with what this run has measured of mirrors."""
    return replace(state, health=printed(reader.health)) if isinstance(reader, Mirrors) else state


def _offered(request: Request, kept: Kept) -> _Offered:
    followed = request.followed
    believed, state = follow(followed, kept, dry_run=request.dry_run)
    where = f"{followed.reader.where} channel {followed.channel}"
    data = _read(believed, followed, MANIFEST)
    if data is None:
        raise UnavailableError("the channel has no release yet", where=where, fix="bitproof channel publish")
    catalog = parse_catalog(believed.targets[MANIFEST].custom, where)
    signature = _read(believed, followed, MANIFEST_SIGNATURE)
    return _Offered(data, AssetManifest.parse(data, where), signature, catalog, state, where)


def _read(believed: Believed, followed: Followed, name: str) -> bytes | None:
    target = believed.targets.get(name)
    return None if target is None else read_target(followed.reader, followed.channel, target)


def _offer(offered: _Offered) -> Offer:
    return Offer(
        offered.data, f"{offered.where}: {MANIFEST}", offered.signature, f"{offered.where}: {MANIFEST_SIGNATURE}"
    )


def _wanted(request: Request, offered: _Offered, store: Directory) -> list[Wanted]:
    """What the store lacks; a file of the right name and size is proved under the store's lock."""
    there = dict(store.names())
    wanted = []
    for name, pin in pins_of(offered.manifest, request, held_after(store, offered.manifest, request)).items():
        if name in there and there[name].st_size == pin.size:
            continue
        wanted.append(_missing(pin, offered, store, there))
    return wanted


def _missing(pin: PinnedFile, offered: _Offered, store: Directory, there: Mapping[str, os.stat_result]) -> Wanted:
    entry = offered.catalog.get(pin.digest)
    if entry is None or entry.blob.size != pin.size:
        raise IntegrityError(
            "the channel lists a release and not its files",
            where=offered.where,
            expected=f"{pin.name}, {pin.digest}, {pin.size} bytes",
            fix="ask the publisher: bitproof channel check",
        )
    stem, _, rest = pin.name.partition(".")
    similar = [name for name in there if is_hash_name(name) and name.startswith(f"{stem}-") and name.endswith(rest)]
    newest = sorted(similar, key=lambda name: there[name].st_mtime, reverse=True)
    return Wanted(pin, entry, tuple(store.path / name for name in newest))


def _fetch(wanted: Sequence[Wanted], request: Request, downloads: Directory, tell: Bytes) -> list[Fetched]:
    if not wanted:
        return []
    with tell("fetching", sum(one.entry.blob.size for one in wanted)) as progress:
        return [_fetch_one(one, request.followed.reader, downloads, progress) for one in wanted]


def _fetch_one(wanted: Wanted, reader: Reader, downloads: Directory, progress: Progress) -> Fetched:
    """Fetch one asset; of mirrors, from the next one when what came does not verify."""
    if not isinstance(reader, Mirrors):
        return fetch(wanted, reader, downloads, progress)
    while True:
        try:
            return fetch(wanted, reader, downloads, progress)
        except IntegrityError as error:
            if not reader.last:
                raise
            for place in reader.last:
                reader.distrust(place, f"{error.what} for {wanted.pin.name}")


def _install(
    request: Request,
    offered: _Offered,
    wanted: Sequence[Wanted],
    store: Directory,
    downloads: Directory,
    *,
    before: str,
    version: str,
) -> None:
    """What goes on under the store's lock."""
    land(wanted, downloads, store)
    new = {one.name for one in wanted}
    for name, pin in pins_of(offered.manifest, request, held_after(store, offered.manifest, request)).items():
        if name not in new and not is_there(store, name, pin):  # damaged, or removed meanwhile
            again = _missing(pin, offered, store, {})
            _fetch_one(again, request.followed.reader, downloads, lambda _: None)
            land((again,), downloads, store)
    with switched(lambda _data: _offer(offered), request.keys, store, offered.data):
        store.write_changed(MANIFEST, offered.data)
    selection = read_selection(store.path)
    after = selection_after(selection, offered.manifest, request)
    if after != selection:
        write_selection(store, after)
    is_noted = after.machine is not None or read_history(store.path).at == Version(version)
    if wanted or before != version or not is_noted:  # an update that was killed since the manifest has not noted it
        when = int(request.followed.now.timestamp())
        append(store, HistoryEntry(Version(version), when, Event.INSTALLED, bytes_digest(offered.data)))


def _done(version: str, before: str, wanted: Sequence[Wanted], costs: Sequence[Fetched]) -> Updated:
    return Updated(
        version=version,
        before=before,
        names=tuple(one.name for one in wanted),
        size=sum(one.entry.blob.size for one in wanted),
        fetched=sum(cost.fetched for cost in costs),
        reused=sum(cost.reused for cost in costs),
    )
