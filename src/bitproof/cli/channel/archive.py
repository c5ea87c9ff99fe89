"""``bitproof channel export | import``: a release in one file, for machines without a network."""

from pathlib import Path

import click

from bitproof.cli.channel.options import channel_of, place_of, place_option, signing_now, telling
from bitproof.cli.delivery.sources import given_root
from bitproof.cli.project import PATH, human_size, waiting_note
from bitproof.cli.session import Session, pass_session
from bitproof.errors import InputError

FILE = click.argument("file", type=PATH)


@click.command("export")
@FILE
@place_option
@click.option("--proof-only", is_flag=True, help="Without the release's files: a bundle, which proves them.")
@pass_session
def export_release(session: Session, file: Path, place: str | None, channel: str | None, proof_only: bool) -> None:
    """Write the channel's present release into FILE: metadata, manifest, signature, and the release's files.

    `bitproof update --from FILE` updates from it, `channel import` brings it into another place, and `verify-bundle`
    decides on it, each with the same checks as over a network.
    """
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.bundle import export

    backend = open_backend(place_of(place), waiting_note(session))
    proved = export(backend, channel_of(channel), file, signing_now(), telling(session), files=not proof_only)
    size = file.stat().st_size
    text = f"{file}: assets {proved.version}, {human_size(size)}"
    session.result(text, {"ok": True, "file": str(file), "asset_version": proved.version, "size": size})


@click.command("import")
@FILE
@place_option
@click.option(
    "--root", metavar="FILE|sha256:DIGEST", help="The root to trust, needed where the place has no such channel yet."
)
@pass_session
def import_release(session: Session, file: Path, place: str | None, channel: str | None, root: str | None) -> None:
    """Publish the release in FILE in a place, as it was signed elsewhere; no key is needed.

    Refused when it is not signed by the channel's keys, or older than what the place has.
    """
    from bitproof.channel.backends.archive import ArchivePlace
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.bringing import bring_in
    from bitproof.delivery.decide import only_channel

    archive = ArchivePlace(file)
    name = only_channel(archive)
    if channel is not None and channel != name:
        raise InputError("the archive is of another channel", where=file, expected=channel, found=name)
    backend = open_backend(place_of(place), waiting_note(session))
    given = given_root(root) if root else None
    proved = bring_in(archive, backend, name, given, signing_now(), telling(session))
    text = f"{backend.where} channel {name}: assets {proved.version}"
    told = {"asset_version": proved.version, "channel": name, "place": backend.where}
    session.result(text, {"ok": True, **told})
