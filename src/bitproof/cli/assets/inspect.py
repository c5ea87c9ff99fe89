"""``bitproof assets check | hashes``: whether a manifest can be right, and its digests for other programs."""

from pathlib import Path

import click

from bitproof.assets.pins import PRINTERS, current_pins, print_pins
from bitproof.assets.store import load_manifest
from bitproof.assets.verify import check as check_manifest
from bitproof.cli.project import (
    MAKE_LAYOUT,
    PATH,
    arch_option,
    assets_option,
    manifest_path,
    settings,
    when_unusable,
)
from bitproof.cli.render import print_report
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.errors import InputError
from bitproof.model.names import MANIFEST


@click.command()
@click.argument("manifest", type=PATH, required=False)
@pass_session
def check(session: Session, manifest: Path | None) -> int:
    """Check a manifest, and that what stands beside it agrees.

    A manifest that is not usable at all is refused with every problem (exit 2); one that can be read but cannot be
    right is exit 1, and so are releases that nobody can reach, binaries that get none, and files that do not belong.
    The files' bytes are not read: that is `assets verify`.
    """
    path = manifest_path(manifest)
    with when_unusable(path, MAKE_LAYOUT):
        report = check_manifest(path)
    return print_report(session, report, named=True)


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
