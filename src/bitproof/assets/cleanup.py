"""Remove what no release in force needs (seed 000, "Cleanup"; FORMATS section 5). Planning is apart from removing.

Only hash names go, in the base directory and its arch directories, and legacy ``v*/`` directories and temporaries of
dead writers. What a running VM, the store's keep list or a pin holds stays. A manifest or a keep list that cannot be
read removes nothing.
"""

import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.compat import referenced
from bitproof.assets.keep import pinned_names
from bitproof.assets.store import load_keep_list, load_manifest
from bitproof.errors import BitproofError
from bitproof.model.asset_manifest import AssetManifest, BootPins
from bitproof.model.names import KNOWN_ARCHES, MANIFEST, is_hash_name, is_signature
from bitproof.system.files import Directory, is_temporary, open_file
from bitproof.system.lock import Waiting, in_use, locked, silent

LEGACY_PREFIX = "v"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing to remove: its path below the store, its bytes, and why."""

    path: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleanup removed, or would remove; and what it kept because a running VM holds it."""

    base: Path
    removed: tuple[Removal, ...]
    held: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes removed."""
        return sum(removal.size for removal in self.removed)

    def document(self) -> dict[str, object]:
        """As JSON."""
        removed = [{"path": one.path, "size": one.size, "reason": one.reason} for one in self.removed]
        return {"base": str(self.base), "removed": removed, "size": self.size, "held": self.held}


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
        elif name.startswith(LEGACY_PREFIX):
            removals.append(Removal(name, _tree_size(store.path / name), "legacy directory"))
    return tuple(sorted(removals, key=lambda removal: removal.path))


def _files(directory: Directory, prefix: str, needed: Collection[str]) -> Iterator[Removal]:
    for name, state in directory.names():
        if not stat.S_ISREG(state.st_mode):
            continue
        if is_temporary(name):
            yield Removal(prefix + name, state.st_size, "temporary file of a dead writer")
        elif is_hash_name(name) and not is_signature(name) and name not in needed:
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
        UnavailableError: no store or no manifest, locked, or a removal is refused.
        InputError: a bad manifest, keep list or word of ``keep``. Nothing is removed then.
    """
    with ExitStack() as stack:
        store = stack.enter_context(Directory(base, what="the store"))
        if not dry_run:  # a dry run writes nothing, not even a lock
            stack.enter_context(locked(store, wait=wait, waiting=waiting))
        manifest = manifest or load_manifest(store.path / MANIFEST)
        kept = (*keep, *load_keep_list(store.path, manifest), *pinned_names(pins))
        plan = plan_cleanup(store, manifest, kept)
        held = tuple(removal.path for removal in plan if _is_held(store.path / removal.path))
        removals = tuple(removal for removal in plan if removal.path not in held)
        if not dry_run:
            for removal in removals:
                _remove(store, removal.path)
            store.sync()
        return Cleaned(store.path, removals, held)


def _is_held(path: Path) -> bool:
    """Whether a running VM holds the file, or any file of the directory."""
    files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()] if path.is_dir() else [path]
    return any(_file_is_held(file) for file in files)


def _file_is_held(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return in_use(file.fd)
    except BitproofError:
        return False


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
