"""``bitproof assets check | list | hashes``: what a manifest says, and whether it can be right."""

from pathlib import Path

import click

from bitproof.assets.pins import PRINTERS, current_pins, print_pins
from bitproof.assets.store import load_manifest
from bitproof.assets.verify import check as check_manifest
from bitproof.cli.project import MAKE_LAYOUT, PATH, arch_option, assets_option, human_size, settings, when_unusable
from bitproof.cli.render import print_report, table
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import MANIFEST


def _manifest_path(given: Path | None) -> Path:
    return given or settings().directory("assets").value / MANIFEST


@click.command()
@click.argument("manifest", type=PATH, required=False)
@pass_session
def check(session: Session, manifest: Path | None) -> int:
    """Check a manifest, and that what stands beside it agrees.

    A manifest that is not usable at all is refused with every problem (exit 2); one that can be read but cannot be
    right is exit 1. The files' bytes are not read: that is `assets verify`.
    """
    path = _manifest_path(manifest)
    with when_unusable(path, MAKE_LAYOUT):
        report = check_manifest(path)
    return print_report(session, report, named=True)


@click.command("list")
@click.argument("manifest", type=PATH, required=False)
@pass_session
def list_releases(session: Session, manifest: Path | None) -> None:
    """List the releases of a manifest, newest first."""
    path = _manifest_path(manifest)
    with when_unusable(path, MAKE_LAYOUT):
        loaded = load_manifest(path)
    if session.json:
        session.print_json(_document(loaded))
        return
    table(
        session, f"Assets in {path}", ("version", "date", "state", "arches", "size", "min binary"), _asset_rows(loaded)
    )
    table(session, "Binaries", ("version", "date", "state", "min assets"), _binary_rows(loaded))


def _asset_rows(manifest: AssetManifest) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for version, release in reversed(list(manifest.releases.items())):
        size = sum(asset.size for assets in release.arches.values() for asset in assets.values())
        state = _state(deprecated=release.deprecated, current=version == manifest.current)
        minimum = str(release.min_binary or "any")
        rows.append((str(version), release.date, state, ", ".join(release.arches), human_size(size), minimum))
    return rows


def _binary_rows(manifest: AssetManifest) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for version, release in reversed(list(manifest.binaries.items())):
        state = _state(deprecated=release.deprecated, current=version == manifest.current_binary)
        rows.append((str(version), release.date, state, str(release.min_assets or "any")))
    return rows


def _state(*, deprecated: bool, current: bool) -> str:
    return ", ".join(word for word, holds in (("current", current), ("deprecated", deprecated)) if holds)


def _document(manifest: AssetManifest) -> dict[str, object]:
    """The manifest itself, as it is printed: it has a documented schema already."""
    return {"ok": True, "manifest": manifest.document}


@click.command()
@assets_option
@arch_option
@click.option("--format", "form", type=click.Choice(list(PRINTERS)), help="For whom; required but for --json.")
@pass_session
def hashes(session: Session, assets: Path | None, arch: str | None, form: str | None) -> None:
    """Print the current release's digests as compile-time pins.

    There is no empty success: without a usable manifest this fails, and so does the build that calls it.
    """
    if form is None and not session.json:
        raise InputError("no format is named", expected=f"--format {'|'.join(PRINTERS)}")
    path = (assets or settings().directory("assets").value) / MANIFEST
    with when_unusable(path, MAKE_LAYOUT):
        manifest = load_manifest(path)
    arch = arch or host_arch()
    pins = current_pins(manifest, arch, str(path.absolute()))
    text = print_pins(pins, form if form and not session.json else "json", version=str(manifest.current), arch=arch)
    click.echo(text, nl=False)
