"""``bitproof update``: bring a store to a channel's release."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.project import (
    arches_option,
    arches_or_host,
    base_option,
    binary_version,
    binary_version_option,
    human_size,
    settings,
    waiting_note,
)
from bitproof.cli.session import Session, pass_session
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.model.version import Version

if TYPE_CHECKING:
    from bitproof.delivery.requests import Updated


@click.command()
@click.option(
    "--from",
    "places",
    multiple=True,
    metavar="PLACE",
    help="Where to read: https://…, a directory, s3://…, oci://…; repeatable for mirrors; default: those of last time.",
)
@click.option("--channel", metavar="NAME", help="The channel's name; default: that of last time.")
@click.option(
    "--root",
    metavar="FILE|sha256:DIGEST",
    help="The root to trust, given once by a way that you trust; then it is kept.",
)
@base_option
@binary_version_option
@arches_option
@signature_option
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@pass_session
def update(
    session: Session,
    places: tuple[str, ...],
    channel: str | None,
    root: str | None,
    base: Path | None,
    arches: tuple[str, ...],
    signers: tuple[str, ...],
    dry_run: bool,
    **versions: Version | None,
) -> None:
    """Bring the store to the channel's release, all or nothing.

    Accepted is only what the channel's keys signed, what is not older than what this store has seen, and what is, bit
    for bit, as signed. Only bytes that the store lacks are fetched. The previous release stays until `assets cleanup`.
    """
    from functools import partial

    from bitproof.cli.delivery.sources import followed
    from bitproof.cli.progress import byte_progress
    from bitproof.delivery.requests import Request
    from bitproof.delivery.update import update as update_store

    found = settings()
    store = base or found.store(os.environ).value
    request = Request(
        base=store,
        followed=followed(store, places, channel, root, datetime.now(UTC), session.note),
        binary_version=binary_version(versions["binary_version"], found),
        arches=arches_or_host(arches),
        keys=keys_wanted(signers, found),
        dry_run=dry_run,
    )
    done = update_store(request, partial(byte_progress, session), waiting_note(session))
    lines = [f"{store}: assets {done.version}, {_change(done)}"]
    lines += [f"  {'would fetch' if dry_run else 'fetched'} {name}" for name in done.names]
    if done.names and not dry_run:
        lines.append(f"  {human_size(done.fetched)} fetched for {human_size(done.size)}")
    session.result("\n".join(lines), {"ok": True, "dry_run": dry_run, "base": str(store), **done.document()})


def _change(done: "Updated") -> str:
    if done.before == done.version:
        return "of which files were missing" if done.names else "nothing new"
    return f"before {done.before}" if done.before else "the first"
