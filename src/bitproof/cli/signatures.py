"""``--require-signature`` and ``trust.keys``, which keys a manifest has to be signed by; and the developer's own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.project import settings
from bitproof.cli.session import F, Session
from bitproof.cli.settings import Settings
from bitproof.errors import UnavailableError

if TYPE_CHECKING:
    from bitproof.trust.minisign import PublicKey


def signature_option(command: F) -> F:
    """``--require-signature KEY|FILE``, any number of times."""
    help_text = "Accept only a manifest that this public key signed, repeatable; default: trust.keys of bitproof.toml."
    return click.option("--require-signature", "signers", multiple=True, metavar="KEY|FILE", help=help_text)(command)


def keys_wanted(given: tuple[str, ...], found: Settings) -> "tuple[PublicKey, ...]":
    """The keys of the command line, else those of the settings; none when neither names one.

    Raises:
        UnavailableError: a key's file cannot be opened.
        InputError: a key is not usable.
    """
    if not given and not found.keys:
        return ()
    from bitproof.trust.keyfiles import load_publics

    return load_publics(given, Path()) if given else load_publics(found.keys, found.root)


def sign_fresh(session: Session, manifest: Path, *, changed: bool) -> None:
    """Sign a fresh manifest with the developer's key, which is made when it is first needed.

    Where that cannot be, as in a home that is read-only, the boot goes on: its pins do not come from the signature.
    """
    from bitproof.cli.trust.sign import signing_time
    from bitproof.signed.developer import sign_as_developer

    try:
        home = settings().home_directory(os.environ).value
        made = sign_as_developer(manifest, home, signing_time(), changed=changed)
    except UnavailableError as error:
        session.note(f"warning: {manifest} is not signed: {error}")
        return
    session.detail(f"{manifest}: signed by {made.id}, the developer's key" if made else f"{manifest}: signed already")
