"""What lies in a dev layout or a store and does not belong there, told by its name: bytes are the matter of `verify`.

A file that no command makes or reads has drifted from the layout. One that `cleanup` would remove is only worth a
word: a store works as well with it. A directory that is neither layout nor store, where a manifest lies among other
things, has no strays.
"""

import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from bitproof.assets.cleanup import plan_cleanup
from bitproof.assets.selection import listed_selection
from bitproof.assets.store import LOGICAL, load_keep_list, relative_path
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import (
    CHECKSUMS,
    FLAT_ARCH,
    KEEP_LIST,
    KNOWN_ARCHES,
    MANIFEST,
    SIDE_FILES,
    is_hash_name,
    is_signature,
)
from bitproof.model.report import Finding, Verdict
from bitproof.system.files import Directory

Tree = Mapping[str, Collection[str]]
"""The names in each arch directory, and under `FLAT_ARCH` those in the base but for the arch directories."""


def stray_findings(base: Path, manifest: AssetManifest) -> tuple[Finding, ...]:
    """Every stray by its path; one that says so when there is none; nothing where there is no layout and no store.

    Raises:
        UnavailableError: a directory or the keep list cannot be read.
        InputError: a bad keep list or selection.
    """
    with Directory(base, what="the assets directory") as directory:
        tree = _tree(directory, manifest)
        if _is_dev(tree):
            findings = list(_in_layout(base, tree, manifest))
        elif _is_store(tree):
            findings = list(_in_store(directory, base, tree, manifest))
        else:
            return ()
    none = Finding(name="files", verdict=Verdict.OK, path=str(base), found="nothing that does not belong here")
    return tuple(sorted(findings, key=lambda finding: finding.path)) or (none,)


def _tree(directory: Directory, manifest: AssetManifest) -> Tree:
    arches = {*KNOWN_ARCHES, *(arch for release in manifest.releases.values() for arch in release.arches)}
    entries = directory.names()
    below = {name for name, state in entries if name in arches and stat.S_ISDIR(state.st_mode)}
    tree = {FLAT_ARCH: [name for name, _ in entries if name not in below]}
    for arch in sorted(below):
        with directory.child(arch) as child:
            tree[arch] = [name for name, _ in child.names()]
    return tree


def _is_dev(tree: Tree) -> bool:
    """Logical names under an arch; or flat, unless hash names make it a store with such a stray in it."""
    under_arches = (name for arch, names in tree.items() if arch != FLAT_ARCH for name in names)
    return any(name in LOGICAL for name in under_arches) or (
        any(name in LOGICAL for name in tree[FLAT_ARCH]) and not _is_store(tree)
    )


def _is_store(tree: Tree) -> bool:
    return any(is_hash_name(name) for names in tree.values() for name in names)


def _in_layout(base: Path, tree: Tree, manifest: AssetManifest) -> Iterator[Finding]:
    release = manifest.releases.get(manifest.current)
    for arch, names in tree.items():
        listed = release.arches.get(arch, {}) if release else LOGICAL  # without a release nothing is known of images
        known = {*listed, *SIDE_FILES} | ({MANIFEST, CHECKSUMS} if arch == FLAT_ARCH else set())
        for name in names:
            if name in known or _is_anywhere(name):
                continue
            if name in LOGICAL:
                reason = f"an image that assets.current {manifest.current} does not list"
                yield _stray(base, relative_path(arch, name), reason, "record it: bitproof assets manifest")
            else:
                yield _stray(base, relative_path(arch, name), "does not belong in a dev layout")


def _in_store(store: Directory, base: Path, tree: Tree, manifest: AssetManifest) -> Iterator[Finding]:
    held = [str(one.version) for one in listed_selection(base, manifest).every()]
    kept = (*load_keep_list(base, manifest), *held)
    removable = {one.path: one for one in plan_cleanup(store, manifest, kept)}
    for path, removal in removable.items():
        yield Finding(
            name=path,
            verdict=Verdict.OK,
            path=str(base / path),
            found=removal.reason,
            detail="bitproof assets cleanup removes it",
        )
    for arch, names in tree.items():
        for name in names:
            path = relative_path(arch, name)
            known = arch == FLAT_ARCH and name in {MANIFEST, KEEP_LIST}
            if not (known or is_hash_name(name) or _is_anywhere(name) or path in removable):
                yield _stray(base, path, "does not belong in a store")


def _is_anywhere(name: str) -> bool:
    """Dot files, and signatures of whatever lies beside them."""
    return name.startswith(".") or is_signature(name)


def _stray(base: Path, path: str, reason: str, fix: str = "remove it, or keep it elsewhere") -> Finding:
    return Finding(name=path, verdict=Verdict.DRIFTED, path=str(base / path), detail=reason, fix=fix)
