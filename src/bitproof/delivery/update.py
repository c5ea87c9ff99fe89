"""Update a store from a channel: all or nothing.

1. believe (`following`): one request when nothing is new
2. choose, by the rule by which the store will resolve
3. fetch what the store lacks, beside it; another update waits, the store itself is free
4. under the store's lock: names for the files, the manifest last, history, how far it has come

Killed before the manifest: the old release. Killed after it: the new one, and the next update finds nothing to do.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.compat import check_collisions, choose
from bitproof.assets.landing import is_there
from bitproof.assets.store import load_manifest_if_any
from bitproof.channel.catalog import Catalog, parse_catalog
from bitproof.channel.layout import MANIFEST_SIGNATURE
from bitproof.channel.state import DOWNLOADS, STATE_DIRECTORY, Kept, load_kept
from bitproof.channel.trusted import Believed, read_target
from bitproof.delivery.fetching import Fetched, Wanted, fetch, land
from bitproof.delivery.following import Followed, follow, is_current
from bitproof.delivery.outlet import Bytes
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest, PinnedFile
from bitproof.model.client_state import ClientState
from bitproof.model.names import MANIFEST, hash_name
from bitproof.model.version import Version
from bitproof.signed.install import Offer, accepted, switched
from bitproof.signed.manifests import remembered
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent
from bitproof.trust.minisign import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to update, and to what.

    Attributes:
        base: the store; made when it is not there.
        followed: the channel.
        binary_version: chooses the release; None is the manifest's current binary.
        arches: whose files are brought in.
        keys: who may have signed the manifest, besides the channel's own signatures.
        dry_run: only say what would be done.
    """

    base: Path
    followed: Followed
    binary_version: Version | None
    arches: tuple[str, ...]
    keys: tuple[PublicKey, ...] = ()
    dry_run: bool = False


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
        directory = stack.enter_context(store.child(STATE_DIRECTORY, create=True))
        stack.enter_context(locked(directory, waiting=waiting))
        kept = load_kept(directory)
        installed = load_manifest_if_any(store.path / MANIFEST)
        if installed is not None and is_current(request.followed, kept):
            version = _release(installed, request)
            return Updated(version=version, before=version)
        offered = _offered(request, kept)
        check_collisions(offered.manifest, installed)
        accepted(_offer(offered), request.keys, store.path, remembered(store.path))  # before anything is fetched
        wanted = _wanted(request, offered, store)
        before = "" if installed is None else _release(installed, request)
        version = _release(offered.manifest, request)
        if request.dry_run:
            return _done(version, before, wanted, ())
        downloads = stack.enter_context(directory.child(DOWNLOADS, create=True))
        costs = _fetch(wanted, request, downloads, tell)
        with locked(store, waiting=waiting):
            _install(request, offered, wanted, store, downloads)
            kept.write(offered.state)
        return _done(version, before, wanted, costs)


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


def _release(manifest: AssetManifest, request: Request) -> str:
    """The release that a store with this manifest resolves to."""
    binary = request.binary_version or manifest.current_binary
    return str(choose(manifest, binary, request.arches[0]).release.version)


def _pins(manifest: AssetManifest, request: Request) -> dict[str, PinnedFile]:
    """The files of the release that fits, of every arch, by their names in the store."""
    binary = request.binary_version or manifest.current_binary
    pins = {}
    for arch in request.arches:
        for asset in choose(manifest, binary, arch).assets:
            pins[hash_name(asset.name, asset.digest)] = PinnedFile(asset.name, asset.digest, asset.size, asset.verity)
    return pins


def _wanted(request: Request, offered: _Offered, store: Directory) -> list[Wanted]:
    """What the store lacks; a file of the right name and size is proved under the store's lock."""
    there = {name: state.st_size for name, state in store.names()}
    wanted = []
    for name, pin in _pins(offered.manifest, request).items():
        if there.get(name) == pin.size:
            continue
        wanted.append(_missing(pin, offered, store, there))
    return wanted


def _missing(pin: PinnedFile, offered: _Offered, store: Directory, there: Mapping[str, int]) -> Wanted:
    entry = offered.catalog.get(pin.digest)
    if entry is None or entry.blob.size != pin.size:
        raise IntegrityError(
            "the channel lists a release and not its files",
            where=offered.where,
            expected=f"{pin.name}, {pin.digest}, {pin.size} bytes",
            fix="ask the publisher: bitproof channel check",
        )
    stem, _, rest = pin.name.partition(".")
    similar = [store.path / name for name in there if name.startswith(f"{stem}-") and name.endswith(rest)]
    return Wanted(pin, entry, tuple(similar))


def _fetch(wanted: Sequence[Wanted], request: Request, downloads: Directory, tell: Bytes) -> list[Fetched]:
    if not wanted:
        return []
    with tell("fetching", sum(one.entry.blob.size for one in wanted)) as progress:
        return [fetch(one, request.followed.reader, downloads, progress) for one in wanted]


def _install(
    request: Request, offered: _Offered, wanted: Sequence[Wanted], store: Directory, downloads: Directory
) -> None:
    """What goes on under the store's lock."""
    land(wanted, downloads, store)
    new = {one.name for one in wanted}
    for name, pin in _pins(offered.manifest, request).items():
        if name not in new and not is_there(store, name, pin):  # damaged, or removed meanwhile
            again = _missing(pin, offered, store, {})
            fetch(again, request.followed.reader, downloads, lambda _: None)
            land((again,), downloads, store)
    with switched(lambda _data: _offer(offered), request.keys, store, offered.data):
        store.write_changed(MANIFEST, offered.data)


def _done(version: str, before: str, wanted: Sequence[Wanted], costs: Sequence[Fetched]) -> Updated:
    return Updated(
        version=version,
        before=before,
        names=tuple(one.name for one in wanted),
        size=sum(one.entry.blob.size for one in wanted),
        fetched=sum(cost.fetched for cost in costs),
        reused=sum(cost.reused for cost in costs),
    )
