"""From a dev layout into a store, under hash names (seed 000, "Installed layout").

An asset that is there with the right bytes is left alone; else it is copied, what landed is proved, and it is renamed.
The manifest is written last, byte for byte as it was, so a reader sees the old release or the new one.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.compat import check_collisions
from bitproof.assets.landing import digest_while_syncing, is_there
from bitproof.assets.pins import current_pins
from bitproof.assets.store import find_dev, find_place, load_manifest, load_manifest_if_any
from bitproof.errors import IntegrityError
from bitproof.model.asset_manifest import AssetManifest, PinnedFile
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST, hash_name
from bitproof.system.content import copy_bytes, reserve
from bitproof.system.files import Directory
from bitproof.system.hashing import unmapped_digest
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import Progress, ignore, open_file, read_file

Switch = Callable[[Directory, bytes], AbstractContextManager[None]]
"""What goes on around the moment when these bytes become the store's manifest, under its lock; raising refuses."""

MODE = 0o444


@dataclass(frozen=True, slots=True)
class Copy:
    """One file to bring into the store."""

    source: Path
    name: str
    pin: PinnedFile


@dataclass(frozen=True, slots=True)
class Installed:
    """What an install did: the hash names it copied, and those that were there already."""

    version: str
    base: Path
    copied: tuple[str, ...]
    present: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {"asset_version": self.version, "base": str(self.base), "copied": self.copied, "present": self.present}


def plan_install(assets: Path, manifest: AssetManifest, arches: Sequence[str]) -> tuple[Copy, ...]:
    """What has to be in the store for these arches of the current release.

    Raises:
        InputError: the current release lacks an arch.
        UnavailableError: a file of the dev layout is missing.
    """
    copies: dict[str, Copy] = {}
    for arch in arches:
        pins = current_pins(manifest, arch, str(assets / MANIFEST))
        paths = find_dev(find_place(assets, arch))
        for source, pin in zip(paths, (pins.kernel, pins.initrd, pins.rootfs), strict=True):
            name = hash_name(pin.name, pin.digest)
            copies[name] = Copy(source, name, pin)
    return tuple(copies.values())


def planned_size(assets: Path, arches: Sequence[str]) -> int:
    """How many bytes an install has to go through. Raises as `install`."""
    copies = plan_install(assets, load_manifest(assets / MANIFEST), arches)
    return sum(copy.pin.size or 0 for copy in copies)


def install(
    assets: Path,
    base: Path,
    arches: Sequence[str],
    *,
    progress: Progress = ignore,
    wait: bool = True,
    waiting: Waiting = silent,
    switch: Switch = lambda _store, _manifest: nullcontext(),
) -> Installed:
    """Install the current release of a dev layout into a store.

    Args:
        assets: the dev layout.
        base: the store; made when it is not there.
        arches: which arches' files are brought in.
        progress: told the bytes that are done.
        wait: wait for another writer of the store; else fail at once.
        waiting: told the lock's path before waiting.
        switch: what has to happen around the manifest's writing, and may refuse it.

    Raises:
        IntegrityError: a file is not what the manifest says; nothing is left of it and the old manifest stands.
        InputError: a bad manifest, a missing arch, two digests with one hash name.
        UnavailableError: a missing file, a full disk, a permission.
    """
    data = read_file(assets / MANIFEST, MAX_JSON, "the manifest")
    manifest = AssetManifest.parse(data, str(assets / MANIFEST))
    copies = plan_install(assets, manifest, arches)
    check_collisions(manifest, load_manifest_if_any(base / MANIFEST))
    with Directory(base, create=True, what="the store") as store, locked(store, wait=wait, waiting=waiting):
        copied = [copy.name for copy in copies if _bring(store, copy, progress)]
        with switch(store, data):
            store.write_changed(MANIFEST, data)
        present = tuple(copy.name for copy in copies if copy.name not in copied)
        return Installed(str(manifest.current), store.path, tuple(copied), present)


def _bring(store: Directory, copy: Copy, progress: Progress) -> bool:
    """Put one file into the store unless its bytes are there already; returns whether it was copied."""
    if is_there(store, copy.name, copy.pin):
        progress(copy.pin.size or 0)
        return False
    with open_file(copy.source, "the asset") as source, store.staged(copy.name, MODE) as target:
        size = copy.pin.size if copy.pin.size is not None else source.size
        reserve(target.fd, min(size, source.size))
        done = copy_bytes(source, target.fd, size, progress)
        if done != size:
            found = f"{unmapped_digest(source)}, {os.fstat(source.fd).st_size} bytes"
            raise _differs(copy, expected=f"{copy.pin.digest}, {size} bytes", found=found)
        digest = digest_while_syncing(target)
        if digest != copy.pin.digest:
            raise _differs(copy, found=str(digest), expected=str(copy.pin.digest))
    return True


def _differs(copy: Copy, *, expected: str, found: str) -> IntegrityError:
    fix = "changed since it was recorded: bitproof assets manifest; else build it again: bitproof assets build"
    return IntegrityError(
        "the asset is not what the manifest says", where=copy.source, expected=expected, found=found, fix=fix
    )
