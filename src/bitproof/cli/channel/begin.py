"""``bitproof channel init``: begin a channel."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.channel.roles import DAYS, ROLES, Duty
from bitproof.cli.channel.options import Keys, key_options, outlet, place_option
from bitproof.cli.project import PATH
from bitproof.cli.session import Session, pass_session
from bitproof.errors import InputError
from bitproof.system.files import Directory
from bitproof.system.opened import exists
from bitproof.trust.keyfiles import PUBLIC_SUFFIX, KeyPair, load_publics, make_key
from bitproof.trust.minisign import PublicKey

if TYPE_CHECKING:
    from bitproof.delivery.outlet import Outlet


@click.command()
@place_option
@key_options(*ROLES)
@click.option("--make-keys", is_flag=True, help="Make the keys of the directory of --keys that are not there.")
@click.option("-W", "--no-password", is_flag=True, help="With --make-keys: leave them all unencrypted.")
@click.option(
    "--root-public",
    multiple=True,
    metavar="KEY|FILE",
    help="A further root key, whose owner signs elsewhere; repeatable.",
)
@click.option(
    "--threshold", type=click.IntRange(1), metavar="N", help="How many root keys must sign; default: a majority."
)
@click.option(
    "--root", "root_file", type=PATH, metavar="FILE", help="Where to write the root for clients; default: root.json."
)
@click.option(
    "--timestamp-days", type=click.IntRange(1, 365), default=DAYS["timestamp"], show_default=True, metavar="N"
)
@click.option("--snapshot-days", type=click.IntRange(1, 365), default=DAYS["snapshot"], show_default=True, metavar="N")
@click.option("--targets-days", type=click.IntRange(1, 3650), default=DAYS["targets"], show_default=True, metavar="N")
@click.option("--root-days", type=click.IntRange(1, 3650), default=DAYS["root"], show_default=True, metavar="N")
@pass_session
def init(
    session: Session,
    place: str | None,
    channel: str | None,
    make_keys: bool,
    no_password: bool,
    root_public: tuple[str, ...],
    threshold: int | None,
    root_file: Path | None,
    **options: object,
) -> None:
    """Begin a channel, still without a release.

    Its first root goes to every client, by a way that they trust: as a file, or as its digest. The root's key belongs
    into a drawer: it signs other keys and nothing else.
    """
    from bitproof.channel.opening import create
    from bitproof.channel.state import sha256_hex

    days = {role: int(str(options.pop(f"{role}_days"))) for role in ROLES}
    keys = Keys.given(options)
    target = root_file or Path("root.json")
    if exists(target):
        raise InputError("the file for the root is there already", where=target, fix="choose another name: --root FILE")
    publics = load_publics(root_public, Path())
    with Directory(target.parent, what="the root's directory") as directory:  # before anything begins
        if make_keys:
            _make_keys(session, keys, no_password=no_password)
        where = outlet(session, place, channel, keys, ROLES)
        duties = _duties(where, publics, threshold)
        root = create(where.backend, where.channel, duties, days, where.signers, where.now)
        directory.write(target.name, root)
    digest = f"sha256:{sha256_hex(root)}"
    text = f"channel  {where.channel} in {where.backend.where}\nroot     {target}\ndigest   {digest}"
    told = {"channel": where.channel, "place": where.backend.where, "root": str(target), "digest": digest}
    session.result(text, {"ok": True, **told})


def _duties(where: "Outlet", publics: tuple[PublicKey, ...], threshold: int | None) -> dict[str, Duty]:
    """Who signs each role: whose secret keys are at hand, and of the root those who sign elsewhere too."""
    from bitproof.delivery.signers import role_key

    duties = {role: Duty(tuple(signer.public_key for signer in where.signers[role])) for role in ROLES}
    own = duties["root"].keys + tuple(role_key(key) for key in publics)
    return {**duties, "root": Duty(own, threshold or len(own) // 2 + 1)}


def _make_keys(session: Session, keys: Keys, *, no_password: bool) -> None:
    """Make what is missing: root and targets encrypted, snapshot and timestamp for a machine that signs by itself."""
    missing = [path for role in ROLES for path in keys.paths(role) if not exists(path)]
    wanting = [path for role in ("root", "targets") for path in keys.paths(role) if path in missing]
    password = keys.passwords.for_new_keys() if wanting and not no_password else None
    for path in missing:
        with Directory(path.parent, create=True, what="the keys' directory"):
            key = make_key(KeyPair(path, path.with_suffix(PUBLIC_SUFFIX)), password if path in wanting else None)
        session.note(f"made {path}: {key.id}")
