"""The one producer of ``manifest.json`` and ``B3SUMS`` (seed 000, "Two producers").

A full build and an initrd repack both end here: the dev layout is scanned, files whose bytes may have changed are
hashed, `asset_edits.recorded` decides on versions, and ``B3SUMS`` and then the manifest are written. A rootfs that ends
in a hash tree gets its root hash recorded, and the tree is checked against the data before.
"""

import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bitproof.assets.pins import Checksum, print_checksums
from bitproof.assets.store import LOGICAL, load_manifest_if_any, relative_path
from bitproof.errors import InputError, IntegrityError, Problem
from bitproof.model.asset_edits import Occasion, recorded
from bitproof.model.asset_manifest import Asset, AssetManifest
from bitproof.model.digest import Digest
from bitproof.model.names import CHECKSUMS, FLAT_ARCH, INITRD, KERNEL, KNOWN_ARCHES, MANIFEST, ROOTFS, arch_key
from bitproof.model.verity import Verity, data_blocks_of
from bitproof.system.digest_cache import DigestCache, check_unchanged
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, Progress, ignore

BootNames = tuple[str, str, str]
"""The logical names of kernel, initrd and rootfs."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was written: the manifest, and whether its bytes changed."""

    manifest: AssetManifest
    changed: bool


def scan(assets: Directory) -> dict[str, BootNames]:
    """The arches of a dev layout, each with the names of its kernel, initrd and rootfs.

    An arch directory is one that has a logical name in it, or is named after an arch bitproof knows. Symlinks are not
    followed. Without any, flat files are the arch ``unknown``.

    Raises:
        InputError: there are no assets, or an arch lacks one of the three, has two rootfs, or is not an arch key.
    """
    problems: list[Problem] = []
    names = {arch: files for arch, files in _arch_files(assets).items() if arch in KNOWN_ARCHES or files}
    if not names and (flat := _logical(assets)):
        names = {FLAT_ARCH: flat}
    found = {arch: _boot_names(arch, files, problems) for arch, files in names.items()}
    if not found:
        problems.append(
            Problem("", "no arch directory and no assets", expected="{arch}/vmlinuz, initrd.img and a rootfs")
        )
    if problems:
        raise InputError(
            "the assets cannot be recorded", where=assets.path, problems=problems, fix="bitproof assets build"
        )
    return found


def _arch_files(assets: Directory) -> dict[str, frozenset[str]]:
    found = {}
    for name, state in assets.names():
        if not name.startswith(".") and stat.S_ISDIR(state.st_mode):
            with assets.child(name) as directory:
                found[name] = _logical(directory)
    return found


def _logical(directory: Directory) -> frozenset[str]:
    return frozenset(name for name, _ in directory.names() if name in LOGICAL)


def _boot_names(arch: str, files: frozenset[str], problems: list[Problem]) -> BootNames:
    rootfs = [name for name in ROOTFS if name in files]
    if arch_key(arch) != arch:
        problems.append(Problem(arch, "not an arch key", expected=arch_key(arch)))
    problems += [Problem(f"{arch}/{name}", "missing") for name in (KERNEL, INITRD) if name not in files]
    if len(rootfs) != 1:
        found = " and ".join(rootfs) or "none"
        problems.append(Problem(f"{arch}/rootfs", "not just one rootfs", expected=" or ".join(ROOTFS), found=found))
    return KERNEL, INITRD, [*rootfs, ROOTFS[0]][0]


def layout_size(assets: Directory) -> int:
    """How many bytes a recording has to go through."""
    files = ((arch, name) for arch, names in scan(assets).items() for name in names)
    return sum((assets.path / relative_path(arch, name)).stat().st_size for arch, name in files)


def record(
    assets: Directory, occasion: Occasion, progress: Progress = ignore, *, carried: Collection[str] = ()
) -> Recording:
    """Record a dev layout. The caller holds its lock.

    Args:
        assets: the open directory that has the arch directories in it.
        occasion: the day, and the binary it was built with.
        progress: told the bytes that are done.
        carried: asset names whose pins are carried over from the current release, unread. A daily repack carries the
            kernel and the rootfs, so that boot refuses them if they are no longer what was built.

    Raises:
        InputError: see `scan`; a manifest that is there and bad, or becomes too large. Nothing is written then.
        IntegrityError: a rootfs ends in a hash tree that is not that of its data. Nothing is written then.
        UnavailableError: a file cannot be read or written.
    """
    layout = scan(assets)
    path = assets.path / MANIFEST
    before = load_manifest_if_any(path)
    current = before.releases.get(before.current) if before else None
    arches = current.arches if current else {}
    known = {arch: _only(entry, {*carried}.intersection(layout.get(arch, ()))) for arch, entry in arches.items()}
    trees = _trees(before) if before else {}
    built = _hashed(assets, layout, known, trees, progress)
    manifest = recorded(before, built, occasion)
    data = manifest.to_bytes()
    sums = (
        Checksum(relative_path(arch, name), built[arch][name].digest)
        for arch, names in layout.items()
        for name in names
    )
    assets.write_changed(CHECKSUMS, print_checksums(sums))
    return Recording(manifest, changed=assets.write_changed(MANIFEST, data))


def _only(assets: Mapping[str, Asset], names: Collection[str]) -> dict[str, Asset]:
    return {name: asset for name, asset in assets.items() if name in names}


def _trees(manifest: AssetManifest) -> dict[Digest, Verity]:
    """The hash trees on record: the same bytes have the same tree, which need not be checked again."""
    entries = (entry for release in manifest.releases.values() for entry in release.arches.values())
    return {asset.digest: asset.verity for entry in entries for asset in entry.values() if asset.verity}


def _hashed(
    assets: Directory,
    layout: Mapping[str, BootNames],
    known: Mapping[str, Mapping[str, Asset]],
    trees: Mapping[Digest, Verity],
    progress: Progress,
) -> dict[str, dict[str, Asset]]:
    cache = DigestCache.load(assets)

    def hashed(arch: str, name: str) -> Asset:
        with _opened(assets, arch, name) as file:
            found = cache.digests(relative_path(arch, name), file, progress)
            verity = trees.get(found.blake3) or (_proven_tree(file) if name in ROOTFS else None)
        return Asset(name, found.blake3, found.size, found.sha256, verity)

    built = {
        arch: {name: known.get(arch, {}).get(name) or hashed(arch, name) for name in names}
        for arch, names in layout.items()
    }
    cache.save(assets)
    return built


def _proven_tree(file: OpenFile) -> Verity | None:
    """The hash tree of a rootfs, checked; None when it ends in none."""
    if data_blocks_of(file.size) is None:
        return None
    # Imported for a rootfs that may have a tree: when nothing changed, nothing is hashed.
    from bitproof.model.hash_tree import false_block, find_verity
    from bitproof.system.hashing import mapped

    with mapped(file) as image:
        verity = find_verity(image)
        place = false_block(image, verity) if verity else None
    check_unchanged(file)
    if verity and place is not None:
        raise IntegrityError(
            "the rootfs ends in a hash tree that is not that of its data",
            where=file.path,
            expected=f"the tree of its first {verity.hash_offset} bytes",
            found=f"another block at byte {place}",
            fix="bitproof assets build",
        )
    return verity


def _opened(assets: Directory, arch: str, name: str) -> OpenFile:
    if arch == FLAT_ARCH:
        return assets.open(name)
    with assets.child(arch) as directory:
        return directory.open(name)
