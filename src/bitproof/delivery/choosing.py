"""Which release an update brings: the one to which the store will resolve, pins and rollbacks heeded."""

from bitproof.assets.compat import Choice, choose
from bitproof.assets.selection import read_selection
from bitproof.delivery.requests import Request
from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest, PinnedFile
from bitproof.model.names import hash_name
from bitproof.model.selection import Held, Selection
from bitproof.system.files import Directory


def held_after(store: Directory, offered: AssetManifest | None = None, request: Request | None = None) -> Held | None:
    """What a pin or a rollback holds the store at; with an offer, what will once it is installed."""
    selection = read_selection(store.path)
    if offered is not None and request is not None:
        selection = selection_after(selection, offered, request)
    held = selection.held()
    return None if held and offered and _is_revoked(offered, held) else held


def selection_after(selection: Selection, offered: AssetManifest, request: Request) -> Selection:
    """Without a rollback that has been overtaken, or whose release is revoked; a pin is for its owner to lift."""
    held = selection.held()
    if held is None or held.turned_from is None:
        return selection
    if _is_revoked(offered, held):
        return selection.without()
    try:
        newest = choice(offered, request, request.arches[0], None).release.version
    except InputError:  # nothing is offered any more that could overtake it
        return selection
    return selection.after_update(newest)


def newly_revoked(before: AssetManifest, after: AssetManifest) -> bool:
    """Whether a release is revoked now that was not."""
    return any(
        _is_revoked(after, Held(version)) and not release.revoked for version, release in before.releases.items()
    )


def _is_revoked(manifest: AssetManifest, held: Held) -> bool:
    release = manifest.releases.get(held.version)
    return release is not None and bool(release.revoked)


def choice(manifest: AssetManifest, request: Request, arch: str, held: Held | None) -> Choice:
    """The release for one arch. Raises as `choose`."""
    return choose(manifest, request.binary_version or manifest.current_binary, arch, held)


def release_of(manifest: AssetManifest, request: Request, held: Held | None) -> str:
    """The release that a store with this manifest resolves to."""
    return str(choice(manifest, request, request.arches[0], held).release.version)


def pins_of(manifest: AssetManifest, request: Request, held: Held | None) -> dict[str, PinnedFile]:
    """The files of the release that fits, of every arch, by their names in the store."""
    pins = {}
    for arch in request.arches:
        for asset in choice(manifest, request, arch, held).assets:
            pins[hash_name(asset.name, asset.digest)] = PinnedFile(asset.name, asset.digest, asset.size, asset.verity)
    return pins


def lacking(manifest: AssetManifest, request: Request, store: Directory, held: Held | None) -> tuple[PinnedFile, ...]:
    """The files of the release that fits, which are not in the store by name and size. Raises as `pins_of`."""
    there = dict(store.names())
    pins = pins_of(manifest, request, held)
    return tuple(pin for name, pin in pins.items() if name not in there or there[name].st_size != pin.size)
