"""What must hold of the files after a power cut.

Of every file: it is as the last acknowledged command left it, or as the next one would have; never anything else, and
no other file is there. A manifest that is the next command's is written last: with it, everything is the next one's.
Then resolve and verify are right, one cleanup leaves nothing over, and the next install succeeds.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.cleanup import cleanup
from bitproof.assets.compat import referenced
from bitproof.assets.install import install
from bitproof.assets.resolve import resolve
from bitproof.assets.store import load_manifest
from bitproof.assets.verify import verify
from bitproof.errors import BitproofError
from bitproof.model.names import MANIFEST, is_hash_name
from bitproof.system.files import is_temporary
from tests.evidence import names_in

ARCH = "x86_64"
ABSENT = "no file"
LAYOUT, STORE = "assets", "store"
"""Where the dev layout and the store are on the simulated disk."""

World = Mapping[str, str]
"""Every file of the disk that has a meaning, by its path: its mode and its digest. Dot files have none."""


def look(root: Path) -> World:
    """The files of a mounted disk."""
    found = {}
    for directory in (LAYOUT, STORE):
        for parent, directories, names in os.walk(root / directory):
            directories.sort()
            for path in (Path(parent, name) for name in names if not name.startswith(".")):
                data = path.read_bytes()
                mode = stat.S_IMODE(path.stat().st_mode)
                found[str(path.relative_to(root))] = f"{mode:o} {hashlib.sha256(data).hexdigest()}, {len(data)} bytes"
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """A command that has returned, and the files it left."""

    command: str
    world: World


def judge(root: Path, steps: Sequence[Step], acknowledged: int) -> Iterator[str]:
    """The faults of a mounted disk after a power cut; none when all is as it must be. Changes the disk.

    Args:
        root: where it is mounted.
        steps: the start, then every command of the workload.
        acknowledged: how many commands had returned.
    """
    before = steps[acknowledged]
    after = steps[min(acknowledged + 1, len(steps) - 1)]
    faults = list(_of_files(look(root), before.world, after.world))
    yield from faults
    if not faults:  # else what comes now would only say it again, and less clearly
        yield from _of_commands(root)


def _of_files(found: World, before: World, after: World) -> Iterator[str]:
    for path in sorted({*found, *before, *after}):
        here, old, new = found.get(path), before.get(path), after.get(path)
        if here not in {old, new}:
            expected = " or ".join(dict.fromkeys(state or ABSENT for state in (old, new)))
            yield f"{path}: expected {expected}, found {here or ABSENT}"
    for directory in (LAYOUT, STORE):
        manifest = f"{directory}/{MANIFEST}"
        if found.get(manifest) == after.get(manifest) != before.get(manifest):
            early = [
                path for path in sorted(after) if path.startswith(f"{directory}/") and found.get(path) != after[path]
            ]
            yield from (f"{path}: expected {after[path]}, as its manifest is there already" for path in early)


def _of_commands(root: Path) -> Iterator[str]:
    layout, store = root / LAYOUT, root / STORE
    try:
        if (store / MANIFEST).exists():
            yield from _of_store(store)
        if (layout / MANIFEST).exists() and verify(layout, [ARCH]).ok:
            install(layout, store, [ARCH])
            if (store / MANIFEST).read_bytes() != (layout / MANIFEST).read_bytes():
                yield "the next install left another manifest"
            yield from _of_store(store)
    except BitproofError as error:
        yield str(error)


def _of_store(store: Path) -> Iterator[str]:
    manifest = load_manifest(store / MANIFEST)
    chosen = resolve(store, None, ARCH).asset_version
    if chosen != str(manifest.current):
        yield f"resolve chose {chosen}, and the current release is {manifest.current}"
    yield from (f"verify: {one}" for one in verify(store, [ARCH]).findings if one.verdict != "ok")
    cleanup(store)
    needed = referenced(manifest, ())
    over = [name for name in names_in(store) if is_temporary(name) or (is_hash_name(name) and name not in needed)]
    yield from (f"{STORE}/{name}: left over by cleanup" for name in over)
    resolve(store, None, ARCH)
