"""``bitproof assets list | why``: which releases there are, and which one a binary gets."""

import shutil
from pathlib import Path

import click

from bitproof.assets.compat import Answer, Standing, explain
from bitproof.assets.matrix import matrix
from bitproof.assets.resolve import held_at
from bitproof.assets.store import Mode, Place, find_place, load_manifest
from bitproof.cli.assets.matrix import draw, matrix_document
from bitproof.cli.project import (
    MAKE_LAYOUT,
    MAKE_STORE,
    PATH,
    VERSION,
    arch_option,
    assets_option,
    base_option,
    human_size,
    manifest_path,
    settings,
    store_or_layout,
    when_unusable,
)
from bitproof.cli.render import facts, table
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BinaryRelease
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version

COLORS = {Standing.TAKEN: "green", Standing.REJECTED: "red"}


@click.command("list")
@click.argument("manifest", type=PATH, required=False)
@click.option("--all", "whole", is_flag=True, help="Cut no matrix, however many releases and binaries there are.")
@pass_session
def list_releases(session: Session, manifest: Path | None, whole: bool) -> None:
    """List the releases, newest first, and what each binary gets.

    A matrix of many releases is cut to the width of the terminal, and says so. One of a single binary and a single
    release says no more than the lists, and is not drawn.
    """
    path = manifest_path(manifest)
    with when_unusable(path, MAKE_LAYOUT):
        loaded = load_manifest(path)
    arches = sorted({arch for release in loaded.releases.values() for arch in release.arches})
    matrices = [matrix(loaded, arch) for arch in arches if loaded.binaries]
    if session.json:
        drawn = [matrix_document(one, whole=whole) for one in matrices]
        session.print_json({"ok": True, "manifest": loaded.document, "matrix": drawn})
        return
    table(
        session, f"Assets in {path}", ("version", "date", "state", "arches", "size", "min binary"), _asset_rows(loaded)
    )
    for version, release in reversed(list(loaded.releases.items())):
        if release.revoked:
            session.out(f"{version} is revoked: {release.revoked}")
    table(session, "Binaries", ("version", "date", "state", "min assets"), _binary_rows(loaded))
    draw(session, matrices, loaded.current_binary, None if whole else shutil.get_terminal_size((100, 24)).columns)


def _asset_rows(manifest: AssetManifest) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for version, release in reversed(list(manifest.releases.items())):
        size = sum(asset.size for assets in release.arches.values() for asset in assets.values())
        state = _state(release, current=version == manifest.current)
        minimum = str(release.min_binary or "any")
        rows.append((str(version), release.date, state, ", ".join(release.arches), human_size(size), minimum))
    return rows


def _binary_rows(manifest: AssetManifest) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for version, release in reversed(list(manifest.binaries.items())):
        state = _state(release, current=version == manifest.current_binary)
        rows.append((str(version), release.date, state, str(release.min_assets or "any")))
    return rows


def _state(release: AssetRelease | BinaryRelease, *, current: bool) -> str:
    revoked = isinstance(release, AssetRelease) and bool(release.revoked)
    words = (("current", current), ("deprecated", release.deprecated), ("revoked", revoked))
    return ", ".join(word for word, holds in words if holds)


@click.command()
@click.argument("binary", type=VERSION)
@arch_option
@base_option
@assets_option
@pass_session
def why(session: Session, binary: Version, arch: str | None, base: Path | None, assets: Path | None) -> int:
    """Say of every release why a binary gets it, or does not.

    Only the manifest is read. Exit 1 when the binary gets none: `assets resolve` then refuses it.
    """
    where = store_or_layout(base, assets, settings())
    with when_unusable(where / MANIFEST, MAKE_STORE if assets is None else MAKE_LAYOUT):
        place = find_place(where, arch or host_arch(), dev=assets is not None)
        manifest = load_manifest(place.manifest)
    held = held_at(place.base) if place.mode is Mode.INSTALLED else None
    answers = explain(manifest, binary, place.arch, held)
    served = any(answer.standing is Standing.TAKEN for answer in answers)
    if session.json:
        session.print_json({"ok": served, **_why_document(manifest, binary, place, answers)})
        return 0 if served else 1
    session.out(_asked(manifest, binary, place))
    for answer in answers:
        word = session.styled(f"{answer.standing:<9}", COLORS.get(answer.standing, "yellow"))
        session.out(f"{word} {answer.release.version}: {answer.reason}")
    if not served:
        session.out(facts([("result", f"no release fits, of {len(answers)}")]))
    return 0 if served else 1


def _asked(manifest: AssetManifest, binary: Version, place: Place) -> str:
    """What was asked: where, and for which binary."""
    mode = str(place.mode)
    if place.mode is Mode.DEV:
        mode += f": boots what lies in {place.dev_directory}; installed, this manifest chooses as follows"
    listed = manifest.binaries.get(binary)
    known = "not listed, so without min_assets"
    if listed is not None:
        known = f"min_assets {listed.min_assets or 'any'}{', deprecated' if listed.deprecated else ''}"
    told = {"mode": mode, "manifest": str(place.manifest), "binary": f"{binary} on {place.arch}, {known}"}
    return facts(told.items())


def _why_document(
    manifest: AssetManifest, binary: Version, place: Place, answers: tuple[Answer, ...]
) -> dict[str, object]:
    listed = manifest.binaries.get(binary)
    minimum = str(listed.min_assets) if listed and listed.min_assets else None
    taken = [str(answer.release.version) for answer in answers if answer.standing is Standing.TAKEN]
    return {
        "asset_version": taken[0] if taken else None,
        "binary_version": str(binary),
        "arch": place.arch,
        "mode": str(place.mode),
        "manifest": str(place.manifest),
        "listed": listed is not None,
        "deprecated": listed is not None and listed.deprecated,
        "min_assets": minimum,
        "releases": [
            {"version": str(answer.release.version), "standing": str(answer.standing), "reason": answer.reason}
            for answer in answers
        ],
    }
