"""``bitproof channel renew | rotate | sign-root``: signatures that do not run out, and other keys."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.channel.roles import ROLES
from bitproof.cli.channel.options import ONLINE, Keys, channel_of, key_options, place_of, place_option, signing_now
from bitproof.cli.project import PATH, waiting_note
from bitproof.cli.session import Session, pass_session
from bitproof.errors import InputError
from bitproof.system.files import Directory
from bitproof.system.opened import read_file

if TYPE_CHECKING:
    from bitproof.delivery.rotate import Rotated

MAX_ROOT = 512_000
"""Bytes of a root: as many as a client accepts."""


@click.command()
@place_option
@key_options(*ONLINE)
@click.option(
    "--role", "roles", type=click.Choice(ONLINE), multiple=True, help="Sign this one too; default: what needs it."
)
@pass_session
def renew(session: Session, place: str | None, channel: str | None, roles: tuple[str, ...], **options: object) -> None:
    """Sign the channel's present state again, so that it does not expire; for a timer.

    The timestamp always; snapshot and targets in the last quarter of their lives.
    """
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.rotate import renew as renew_channel

    keys = Keys.given(options)
    backend = open_backend(place_of(place), waiting_note(session))
    done = renew_channel(backend, channel_of(channel), signing_now(), roles, keys.opened)
    for role in done.ending:
        session.note(role.warning)
    text = f"{backend.where} channel {channel_of(channel)}: signed {', '.join(done.roles)}, version {done.version}"
    session.result(text, {"ok": True, "roles": list(done.roles), "version": done.version})


@click.command()
@click.argument("role", type=click.Choice(ROLES))
@place_option
@key_options(*ROLES)
@click.option(
    "--new", "new_keys", type=PATH, multiple=True, metavar="FILE", help="A new secret key of the role, repeatable."
)
@click.option(
    "--new-public", multiple=True, metavar="KEY|FILE", help="A new key of the role whose owner signs elsewhere."
)
@click.option("--threshold", type=click.IntRange(1), metavar="N", help="How many keys must sign; default: as before.")
@click.option("--lost", is_flag=True, help="The old keys are gone or stolen: do not sign with them any more.")
@click.option("--draft", type=PATH, metavar="FILE", help="Write a root that lacks signatures here, for sign-root.")
@click.option("--finish", type=PATH, metavar="FILE", help="Publish a draft that enough owners have signed.")
@pass_session
def rotate(
    session: Session,
    role: str,
    new_keys: tuple[Path, ...],
    new_public: tuple[str, ...],
    draft: Path | None,
    finish: Path | None,
    lost: bool,
    **options: object,
) -> None:
    """Give a role other keys. `rotate root` without new keys renews the root for another year.

    The root's keys sign what the roles' keys are. Those of an online role sign once more together with the new ones, so
    that no client meets a state that it cannot believe.
    """
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.rotate import Draft, Rotation
    from bitproof.delivery.rotate import rotate as rotate_role
    from bitproof.trust.keyfiles import load_publics

    place, channel, threshold = (options.pop(name) for name in ("place", "channel", "threshold"))
    if not (new_keys or new_public or finish):
        _check_renewal(role, threshold)
    if finish and (draft or threshold):
        fix = "leave it out: a draft is finished as its owners signed it"
        raise InputError(f"--finish and {'--draft' if draft else '--threshold'} exclude each other", fix=fix)
    keys = Keys.given(options)
    rotation = Rotation(
        backend=open_backend(place_of(_text(place)), waiting_note(session)),
        channel=channel_of(_text(channel)),
        role=role,
        secret=keys.opened_files(new_keys),
        public=load_publics(new_public, Path()),
        threshold=threshold if isinstance(threshold, int) else None,
        lost=lost,
        now=signing_now(),
        opened=keys.opened,
    )
    finished = Draft(read_file(finish, MAX_ROOT, "the draft"), str(finish)) if finish else None
    done = rotate_role(rotation, finished, drafted=draft is not None)
    if draft is not None and done.missing:
        _write_draft(session, draft, done)
        return
    what = f"new keys for the {role} role" if done.rekeyed else "which holds longer"
    text = f"{rotation.backend.where} channel {rotation.channel}: root {done.version}, {what}"
    session.result(text, {"ok": True, "role": role, "root_version": done.version})


def _check_renewal(role: str, threshold: object) -> None:
    """Without a key there is the root's renewal, and nothing else. Raises InputError."""
    fix = "name all keys that the role shall have: --new FILE, or --new-public KEY|FILE"
    if role != "root":
        raise InputError(f"no new key for the {role} role", fix=fix)
    if threshold is not None:
        raise InputError("a threshold is of keys, and none is named", fix=fix)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _write_draft(session: Session, draft: Path, done: "Rotated") -> None:
    with Directory(draft.parent, what="the draft's directory") as directory:
        directory.check_replaceable(draft.name, "the draft")
        directory.write(draft.name, done.root)
    text = f"{draft}: a draft, which still needs {done.missing}\n  bitproof channel sign-root {draft} --root-key FILE"
    session.result(text, {"ok": True, "draft": str(draft), "missing": done.missing})


@click.command("sign-root")
@click.argument("draft", type=PATH)
@key_options("root")
@pass_session
def sign_root(session: Session, draft: Path, **options: object) -> None:
    """Add a signature to the draft of a root: what the owner of a root key does, on a machine without a network."""
    from bitproof.delivery.rotate import add_signatures, strangers

    unsigned = read_file(draft, MAX_ROOT, "the draft")
    keys = Keys.given(options).opened(("root",))["root"]
    data = add_signatures(unsigned, keys, str(draft))
    with Directory(draft.parent, what="the draft's directory") as directory:
        directory.write(draft.name, data)
    for key in strangers(data, keys, str(draft)):
        session.note(f"warning: {key.id} is no root key of this draft: it counts only if it is one of the present root")
    session.result(f"{draft}: signed by {', '.join(key.public.id for key in keys)}", {"ok": True, "draft": str(draft)})
