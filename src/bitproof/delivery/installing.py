"""Bring what a store lacks of an offer, and make the offer the store's: files, then the manifest, then the history."""

import os
from collections.abc import Mapping, Sequence

from bitproof.assets.history import append, read_history
from bitproof.assets.landing import is_there
from bitproof.assets.selection import read_selection, write_selection
from bitproof.channel.ports import Reader
from bitproof.delivery.choosing import held_after, lacking, pins_of, selection_after
from bitproof.delivery.fetching import Fetched, Wanted, fetch, land
from bitproof.delivery.offers import Offered, distrusted
from bitproof.delivery.outlet import Bytes
from bitproof.delivery.requests import Request
from bitproof.errors import IntegrityError
from bitproof.model.asset_manifest import PinnedFile
from bitproof.model.history import Entry, Event
from bitproof.model.names import MANIFEST, is_hash_name
from bitproof.model.version import Version
from bitproof.signed.install import switched
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.opened import Progress


def to_fetch(request: Request, offered: Offered, store: Directory) -> list[Wanted]:
    """What the store lacks; a file of the right name and size is proved under the store's lock."""
    there = dict(store.names())
    pins = lacking(offered.manifest, request, store, held_after(store, offered.manifest, request))
    return [_missing(pin, offered, store, there) for pin in pins]


def _missing(pin: PinnedFile, offered: Offered, store: Directory, there: Mapping[str, os.stat_result]) -> Wanted:
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


def fetch_all(wanted: Sequence[Wanted], request: Request, downloads: Directory, tell: Bytes) -> list[Fetched]:
    """Fetch and prove. Raises as `fetching.fetch`."""
    if not wanted:
        return []
    with tell("fetching", sum(one.entry.blob.size for one in wanted)) as progress:
        return [_fetch_one(one, request.followed.reader, downloads, progress) for one in wanted]


def _fetch_one(wanted: Wanted, reader: Reader, downloads: Directory, progress: Progress) -> Fetched:
    """Fetch one asset; of mirrors, from the next one when what came does not verify."""
    while True:
        try:
            return fetch(wanted, reader, downloads, progress)
        except IntegrityError as error:
            if not distrusted(reader, f"{error.what} for {wanted.pin.name}"):
                raise


def install(
    request: Request,
    offered: Offered,
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
    switch(request, offered, store)
    is_noted = read_selection(store.path).machine is not None or read_history(store.path).at == Version(version)
    if wanted or before != version or not is_noted:  # an update that was killed since the manifest has not noted it
        when = int(request.followed.now.timestamp())
        append(store, Entry(Version(version), when, Event.INSTALLED, bytes_digest(offered.data)))


def switch(request: Request, offered: Offered, store: Directory) -> None:
    """Make the offered manifest the store's, under its lock, and end a rollback that it overtakes."""
    with switched(lambda _data: offered.offer, request.keys, store, offered.data):
        store.write_changed(MANIFEST, offered.data)
    selection = read_selection(store.path)
    after = selection_after(selection, offered.manifest, request)
    if after != selection:
        write_selection(store, after)
