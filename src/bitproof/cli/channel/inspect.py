"""``bitproof channel status | check | manifest``: what a channel offers, for how long, and if it is right."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.channel.options import channel_of, place_of, place_option, signing_now, telling
from bitproof.cli.project import PATH, waiting_note
from bitproof.cli.render import print_report, table
from bitproof.cli.session import Session, pass_session
from bitproof.system.files import Directory

if TYPE_CHECKING:
    from bitproof.channel.repository import Repository
    from bitproof.channel.status import RoleStatus

DAY, HOUR = 86_400, 3_600
SHORT_KEY = 16


def _repository(session: Session, place: str | None, channel: str | None) -> "Repository":
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.inspect import look_at

    return look_at(open_backend(place_of(place), waiting_note(session)), channel_of(channel))


@click.command()
@place_option
@pass_session
def status(session: Session, place: str | None, channel: str | None) -> int:
    """Say what a channel offers, who signs it, and how long each signature still holds.

    Exit 1 when something has expired: clients refuse the channel then.
    """
    from bitproof.channel.status import ending, roles_status
    from bitproof.delivery.inspect import offered
    from bitproof.errors import UnavailableError

    repository, now = _repository(session, place, channel), signing_now()
    roles = roles_status(repository.edition, now)
    try:
        version = str(offered(repository)[1].current)
    except UnavailableError:
        version = ""
    expired = any(role.expired for role in roles)
    if session.json:
        told = {"channel": repository.channel, "place": repository.backend.where, "asset_version": version}
        session.print_json({"ok": not expired, **told, "roles": [role.document() for role in roles]})
        return 1 if expired else 0
    rows = [_row(role) for role in roles]
    title = f"{repository.where}: {f'assets {version}' if version else 'no release yet'}"
    table(session, title, ("role", "version", "expires", "left", "signed by"), rows)
    for role in ending(repository.edition, now):
        session.note(role.warning)
    return 1 if expired else 0


def _row(role: "RoleStatus") -> tuple[str, ...]:
    keys = ", ".join(f"{key[:SHORT_KEY]}…" for key in role.keys)
    wanted = f"{role.threshold} of {len(role.keys)}: {keys}"
    return role.role, str(role.version), f"{role.expires:%Y-%m-%d %H:%M} UTC", _left(role), wanted


def _left(role: "RoleStatus") -> str:
    seconds = int(role.left.total_seconds())
    if seconds <= 0:
        return "expired"
    return f"{seconds // DAY} days" if seconds >= 2 * DAY else f"{seconds // HOUR} hours"


@click.command()
@place_option
@pass_session
def check(session: Session, place: str | None, channel: str | None) -> int:
    """Read all that a channel offers, and compare every byte with what was signed."""
    from bitproof.delivery.inspect import check as check_channel

    repository = _repository(session, place, channel)
    return print_report(session, check_channel(repository, signing_now(), telling(session)), named=True)


@click.command()
@place_option
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Where to; default: standard output.")
@pass_session
def manifest(session: Session, place: str | None, channel: str | None, output: Path | None) -> None:
    """Print the channel's manifest, byte for byte; or write it, to build the next release after it."""
    from bitproof.delivery.inspect import offered

    data, read, _ = offered(_repository(session, place, channel))
    if output is None:
        click.echo(data, nl=False)
        return
    with Directory(output.parent, create=True, what="the manifest's directory") as directory:
        directory.write_changed(output.name, data)
    session.result(
        f"{output}: assets {read.current}", {"ok": True, "manifest": str(output), "asset_version": str(read.current)}
    )
