"""Remove what no release in force needs (seed 000, "Cleanup"; FORMATS section 5). Planning is apart from removing.

Only hash names go, in the base directory and its arch directories, and legacy ``v*/`` directories and temporaries of
dead writers. What a running VM, the store's keep list, its selection or a pin holds stays. A manifest, a keep list or
a selection that cannot be read removes nothing.
"""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.compat import referenced
from bitproof.assets.keep import pinned_names
from bitproof.assets.selection import listed_selection
from bitproof.assets.store import load_keep_list, load_manifest
from bitproof.errors import UnavailableError
from bitproof.model.asset_manifest import AssetManifest, BootPins
from bitproof.model.names import CHANNEL_STATE, HISTORY_LOCK, KNOWN_ARCHES, MANIFEST, is_hash_name, is_signature
from bitproof.model.selection import held_names
from bitproof.system.files import Directory, is_temporary
from bitproof.system.lock import LOCK_NAME, Waiting, claim, locked, silent
from bitproof.system.opened import OpenFile, open_file

LEGACY_PREFIX = "v"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing to remove: its path below the store, its bytes, and why."""

    path: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleanup removed, or would remove; what it kept for a running VM; and what for a pin or a rollback."""

    base: Path
    removed: tuple[Removal, ...]
    held: tuple[str, ...]
    selected: tuple[Removal, ...] = ()

    @property
    def size(self) -> int:
        """Bytes removed."""
        return sum(removal.size for removal in self.removed)

    def document(self) -> dict[str, object]:
        """As JSON."""
        removed = [{"path": one.path, "size": one.size, "reason": one.reason} for one in self.removed]
        selected = [{"path": one.path, "size": one.size, "reason": one.reason} for one in self.selected]
        found = {"base": str(self.base), "removed": removed, "size": self.size, "held": self.held}
        return found | {"selected": selected}


def plan_cleanup(store: Directory, manifest: AssetManifest, keep: Collection[str] = ()) -> tuple[Removal, ...]:
    """What can go, sorted by path.

    Args:
        store: the open store.
        manifest: what is in force.
        keep: hash names or asset versions that stay although no release in force needs them.

    Raises:
        InputError: a word of ``keep`` is neither, so that what it was to keep would go.
    """
    needed = referenced(manifest, keep)
    removals = list(_files(store, "", needed))
    arches = {*KNOWN_ARCHES, *(arch for release in manifest.releases.values() for arch in release.arches)}
    for name, state in store.names():
        if not stat.S_ISDIR(state.st_mode):
            continue
        if name in arches:
            with store.child(name) as directory:
                removals += _files(directory, f"{name}/", needed)
        elif name == CHANNEL_STATE:
            with store.child(name) as directory:
                removals += _temporaries(directory, f"{name}/")
        elif name.startswith(LEGACY_PREFIX):
            removals.append(Removal(name, _tree_size(store.path / name), "legacy directory"))
    return tuple(sorted(removals, key=lambda removal: removal.path))


def _temporaries(directory: Directory, prefix: str) -> Iterator[Removal]:
    for name, state in directory.names():
        if is_temporary(name) and stat.S_ISREG(state.st_mode):
            yield Removal(prefix + name, state.st_size, "temporary file of a dead writer")


def _files(directory: Directory, prefix: str, needed: Collection[str]) -> Iterator[Removal]:
    yield from _temporaries(directory, prefix)
    for name, state in directory.names():
        if not stat.S_ISREG(state.st_mode):
            continue
        if is_hash_name(name) and not is_signature(name) and name not in needed:
            yield Removal(prefix + name, state.st_size, "no release in force needs it")


def _tree_size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def cleanup(
    base: Path,
    *,
    manifest: AssetManifest | None = None,
    keep: Collection[str] = (),
    pins: Collection[BootPins] = (),
    dry_run: bool = False,
    wait: bool = True,
    waiting: Waiting = silent,
) -> Cleaned:
    """Remove from a store what no release in force needs.

    Args:
        base: the store.
        manifest: None reads the store's own.
        keep: hash names or asset versions to keep, beside those of the store's keep list.
        pins: boot sets to keep.
        dry_run: only say what would go.
        wait: wait for another writer of the store; else fail at once.
        waiting: told the lock's path before waiting.

    Raises:
        UnavailableError: no store or no manifest, locked, a removal is refused, or it cannot be told whether a file is
            in use.
        InputError: a bad manifest, keep list, selection or word of ``keep``. Nothing is removed then.
    """
    with ExitStack() as stack:
        store = stack.enter_context(Directory(base, what="the store"))
        if not dry_run:  # a dry run writes nothing, not even a lock
            stack.enter_context(locked(store, wait=wait, waiting=waiting))
        manifest = manifest or load_manifest(store.path / MANIFEST)
        kept = (*keep, *load_keep_list(store.path, manifest), *pinned_names(pins))
        plan, selected = _selected(plan_cleanup(store, manifest, kept), store, manifest)
        if not dry_run:
            plan = stack.enter_context(_unwritten(store, plan))
        removed, held = [], []
        for removal in plan:
            with _claimed(store.path / removal.path) as free:
                if not free:
                    held.append(removal.path)
                    continue
                removed.append(removal)
                if not dry_run:
                    _remove(store, removal.path)
        if not dry_run:
            store.sync()
        return Cleaned(store.path, tuple(removed), tuple(held), selected)


@contextmanager
def _unwritten(store: Directory, plan: tuple[Removal, ...]) -> Iterator[tuple[Removal, ...]]:
    """The plan without what a running update, or the end of a boot, may be writing; for the block nobody does.

    They do not hold the store's lock, so theirs are asked for; never waited for, as an update waits for the store's.
    """
    state = [one for one in plan if one.path.startswith(f"{CHANNEL_STATE}/")]
    with ExitStack() as stack:
        if state:
            try:
                directory = stack.enter_context(store.child(CHANNEL_STATE))
                for name in (LOCK_NAME, HISTORY_LOCK):
                    stack.enter_context(locked(directory, name=name, wait=False))
            except UnavailableError:
                plan = tuple(one for one in plan if one not in state)
        yield plan


def _selected(
    plan: tuple[Removal, ...], store: Directory, manifest: AssetManifest
) -> tuple[tuple[Removal, ...], tuple[Removal, ...]]:
    """What of a plan can go, and what the store's selection keeps, with the sentence why."""
    names = held_names(listed_selection(store.path, manifest), manifest)
    selected = [
        Removal(one.path, one.size, reason) for one in plan if (reason := names.get(one.path.rpartition("/")[2]))
    ]
    kept = {one.path for one in selected}
    return tuple(one for one in plan if one.path not in kept), tuple(selected)


@contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Whether no running VM holds the file, or any file of the directory.

    A file stays claimed for the block: a VM that is about to hold it waits, and then sees that it is gone. A legacy
    directory does not, since nobody boots from it any more.
    """
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
        yield all(_is_free(file) for file in files)
        return
    file = _open_if_there(path)
    if file is None:
        yield True
        return
    with file:
        yield claim(file)


def _is_free(path: Path) -> bool:
    with _claimed(path) as free:
        return free


def _open_if_there(path: Path) -> OpenFile | None:
    """Open a file that may be gone meanwhile; one that cannot be opened could be held, so that is an error."""
    try:
        return open_file(path)
    except UnavailableError:
        if os.path.lexists(path):
            raise
        return None


def _remove(store: Directory, path: str) -> None:
    parent, _, name = path.rpartition("/")
    if parent:
        with store.child(parent) as directory:
            directory.remove(name)
            directory.sync()
        return
    state = store.stat(name)
    if state is None or not stat.S_ISDIR(state.st_mode):
        store.remove(name)
        return
    store.remove_tree(name)
