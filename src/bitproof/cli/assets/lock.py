"""``bitproof assets lock``: allow the packages of the built images, and no others, to ``assets build --locked``."""

from pathlib import Path

import click

from bitproof.cli.assets.produce import CONFIG, project
from bitproof.cli.project import PATH, arches_option, arches_or_host, assets_option
from bitproof.cli.session import Session, pass_session
from bitproof.images.inventory.lock import write_lock
from bitproof.model.names import LOCK


@click.command()
@CONFIG
@assets_option
@arches_option
@click.option("--file", type=PATH, metavar="FILE", help="The lock; default: packages.lock of the guest config.")
@pass_session
def lock(
    session: Session, config: Path | None, assets: Path | None, arches: tuple[str, ...], file: Path | None
) -> None:
    """Lock the packages that the built images are made of.

    Commit the lock with the guest config; other arches in it stay as they are.
    """
    what = project(assets, config)
    chosen = arches_or_host(arches)
    path = file or what.config / LOCK
    changed = write_lock(what.assets, chosen, path)
    text = f"{path}: {', '.join(chosen)} {'locked' if changed else 'already locked as built'}"
    session.result(text, {"ok": True, "lock": str(path), "changed": changed, "arches": list(chosen)})
