"""What a store's machine and VMs are held at, on the disk: read by resolve and cleanup, written under the store's lock.

A pin needs a release that the store's manifest lists, that is not revoked, and whose files are there; whether their
bytes are right is for `verify` and for the boot, and for `rollback` before it turns to them.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.store import UPDATE, find_installed, load_manifest
from bitproof.errors import InputError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BootAssets
from bitproof.model.names import MANIFEST, SELECTION
from bitproof.model.selection import MAX_SELECTION, Selection, check_listed
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import exists, read_file

Load = Callable[[Path], AssetManifest]


class Wanted(NamedTuple):
    """Where something is to be held, and at what.

    Attributes:
        base: the store.
        version: None ends what is held.
        arch: whose files have to be there.
        vm: a VM's name; empty is the machine.
    """

    base: Path
    version: Version | None
    arch: str
    vm: str = ""


def read_selection(base: Path) -> Selection:
    """What is held in a store; nothing when there is no such file.

    Raises:
        InputError: it is there and bad.
        UnavailableError: it cannot be read.
    """
    path = base / SELECTION
    if not exists(path) and not path.is_symlink():
        return Selection()
    return Selection.parse(read_file(path, MAX_SELECTION, "the selection"), str(path))


def listed_selection(base: Path, manifest: AssetManifest) -> Selection:
    """What is held in a store, all of it listed by the manifest: what it keeps is known.

    Raises:
        InputError: a bad selection, or one that names a release which the manifest does not list.
        UnavailableError: it cannot be read.
    """
    selection = read_selection(base)
    check_listed(selection, manifest, str(base / SELECTION))
    return selection


def write_selection(store: Directory, selection: Selection) -> bool:
    """Make a selection the store's, under whose lock this is called; returns whether the file changed.

    Raises:
        UnavailableError: it cannot be written.
    """
    if selection.every():
        return store.write_changed(SELECTION, selection.to_bytes())
    there = store.stat(SELECTION) is not None
    store.remove(SELECTION)
    store.sync()
    return there


def pin(
    wanted: Wanted,
    *,
    load: Load = load_manifest,
    dry_run: bool = False,
    wait: bool = True,
    waiting: Waiting = silent,
) -> bool:
    """Hold the machine or a VM at a release, or let it go; returns whether that changes anything.

    Args:
        wanted: where, and at what.
        load: reads the manifest, when it has to be proved first.
        dry_run: only say whether it would.
        wait: wait for another writer of the store; else fail at once.
        waiting: told the lock's path before waiting.

    Raises:
        InputError: a bad manifest or selection; the manifest does not list the release, or it is revoked.
        UnavailableError: files of it are missing, all named; the store cannot be read or written.
    """
    with ExitStack() as stack:
        store = stack.enter_context(Directory(wanted.base, what="the store"))
        after = _after(wanted, store, load)  # again below: a refusal leaves no lock behind
        if dry_run:
            return after != read_selection(store.path)
        stack.enter_context(locked(store, wait=wait, waiting=waiting))
        return write_selection(store, _after(wanted, store, load))


def _after(wanted: Wanted, store: Directory, load: Load) -> Selection:
    before = read_selection(store.path)
    if wanted.version is None:
        return before.without(wanted.vm)
    release, assets = release_to_hold(load(store.path / MANIFEST), wanted.version, wanted.arch)
    find_to_hold(store.path, wanted.arch, assets)
    return before.with_pin(release.version, wanted.vm)


def find_to_hold(base: Path, arch: str, assets: BootAssets) -> tuple[Path, Path, Path]:
    """The files of a release that may be another than the present one, which is what an update would bring.

    Raises:
        UnavailableError: names all that are missing.
    """
    try:
        return find_installed(base, arch, assets)
    except UnavailableError as error:
        if error.fix == UPDATE:
            error.fix = (
                "choose a release that is still here: bitproof history; "
                "an update brings the newest one, when nothing holds the machine"
            )
        raise


def release_to_hold(manifest: AssetManifest, version: Version, arch: str) -> tuple[AssetRelease, BootAssets]:
    """A release that may be held, and its boot set of an arch.

    Raises:
        InputError: the manifest does not list it, it is revoked, or it has no boot set for the arch.
    """
    release = manifest.releases.get(version)
    if release is None:
        known = ", ".join(str(known) for known in manifest.releases) or "none at all"
        raise InputError(
            "the store's manifest has no such asset release", expected=f"one of {known}", found=str(version)
        )
    if release.revoked:
        fix = "choose another release: bitproof assets list"
        raise InputError(f"assets {release.version} is revoked", found=release.revoked, fix=fix)
    assets = release.boot_assets(arch)
    if assets is None:
        raise InputError(f"assets {release.version} has no complete boot set for {arch}", fix="choose another release")
    return release, assets
