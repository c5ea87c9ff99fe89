"""``bitproof channel publish | promote | deprecate | revoke``: what clients get, and what they no longer get."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.channel.options import (
    ONLINE,
    Keys,
    key_options,
    manifest_key_option,
    outlet,
    place_option,
    signing_now,
    telling,
)
from bitproof.cli.project import VERSION, assets_option, human_size, settings
from bitproof.cli.session import Session, pass_session
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version

if TYPE_CHECKING:
    from bitproof.delivery.publish import Published
    from bitproof.delivery.withdraw import Edit


@click.command()
@assets_option
@place_option
@key_options(*ONLINE)
@signature_option
@pass_session
def publish(
    session: Session,
    assets: Path | None,
    place: str | None,
    channel: str | None,
    signers: tuple[str, ...],
    **options: object,
) -> None:
    """Publish the current release of the dev layout.

    Every file is proved and brought first, the pointer to them last: a client sees the old release or the new one. What
    the place has already is not brought again.
    """
    from bitproof.delivery.publish import publish as publish_release
    from bitproof.delivery.release import load_release

    found = settings()
    release = load_release(assets or found.directory("assets").value, keys_wanted(signers, found))
    done = publish_release(release, outlet(session, place, channel, Keys.given(options)), telling(session))
    for role in done.ending:
        session.note(role.warning)
    session.result(_told(done), {"ok": True, **done.document()})


def _told(done: "Published") -> str:
    if not done.changed:
        lost = f"; {human_size(done.brought)} that it had lost brought again" if done.brought else ""
        return f"{done.where}: assets {done.version} is there already{lost}"
    return f"{done.where}: assets {done.version}, {human_size(done.brought)} brought"


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--place", metavar="PLACE", help="Where both lie; default: channel.place of bitproof.toml.")
@key_options(*ONLINE)
@manifest_key_option
@pass_session
def promote(
    session: Session, source: str, target: str, place: str | None, secret_key: Path | None, **options: object
) -> None:
    """Give the channel TO the release of the channel FROM.

    No file is brought a second time. What was withdrawn in TO stays withdrawn.
    """
    from bitproof.delivery.withdraw import promote as promote_release

    keys = Keys.given(options)
    done = promote_release(source, outlet(session, place, target, keys), keys.opened_one(secret_key))
    session.result(_told(done), {"ok": True, **done.document()})


@click.command()
@click.argument("version", type=VERSION)
@assets_option
@place_option
@key_options(*ONLINE)
@manifest_key_option
@pass_session
def deprecate(session: Session, version: Version, **options: object) -> None:
    """Withdraw a release: nobody new gets it, and who has it keeps it.

    Refused when a binary that is still supported would have no release any more.
    """
    from bitproof.model.asset_edits import deprecated

    day = signing_now().date()
    _withdrawn(session, lambda manifest: deprecated(manifest, version, day), f"{version} deprecated", options)


@click.command()
@click.argument("version", type=VERSION)
@click.option("--reason", required=True, metavar="TEXT", help="Why: shown to whoever has it and would boot it.")
@assets_option
@place_option
@key_options(*ONLINE)
@manifest_key_option
@pass_session
def revoke(session: Session, version: Version, reason: str, **options: object) -> None:
    """Forbid a release: no machine that has heard of it resolves or boots it any more, and all are told why."""
    from bitproof.model.asset_edits import revoked

    day = signing_now().date()
    _withdrawn(
        session, lambda manifest: revoked(manifest, version, reason, day), f"{version} revoked: {reason}", options
    )


def _withdrawn(session: Session, edit: "Edit", what: str, options: dict[str, object]) -> None:
    """Change the channel's manifest, and the dev layout's if that is the same one."""
    from bitproof.delivery.withdraw import follow_locally, withdraw

    assets, place, channel, secret = (options.pop(name) for name in ("assets", "place", "channel", "secret_key"))
    keys = Keys.given(options)
    done = withdraw(outlet(session, _text(place), _text(channel), keys), edit, keys.opened_one(_path(secret)))
    layout = _path(assets) or settings().directory("assets").value
    followed = follow_locally(layout, done)
    lines = [
        f"{done.published.where}: {what}" if done.published.changed else f"{done.published.where}: nothing to change"
    ]
    lines += [f"{layout / MANIFEST}: the same"] if followed else []
    session.result("\n".join(lines), {"ok": True, **done.published.document(), "layout_changed": followed})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _path(value: object) -> Path | None:
    return value if isinstance(value, Path) else None
