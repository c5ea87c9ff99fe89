"""``bitproof trust keygen``: make a key to sign releases with."""

import os
from pathlib import Path

import click

from bitproof.cli.project import PATH, settings
from bitproof.cli.session import Session, pass_session
from bitproof.cli.trust.passwords import password_option, read_password
from bitproof.errors import InputError
from bitproof.trust.keyfiles import PUBLIC_SUFFIX, KeyPair, check_new, make_key

RELEASE_KEY = "release.key"


def release_key() -> Path:
    """Where the release key is when nobody says otherwise."""
    return settings().home_directory(os.environ).value / "keys" / RELEASE_KEY


@click.command()
@click.option(
    "-s", "--secret-key", type=PATH, metavar="FILE", help="Where to keep it; default: ~/.bitproof/keys/release.key."
)
@click.option("-p", "--public-key", type=PATH, metavar="FILE", help="Default: beside the secret key, with .pub.")
@click.option("-W", "--no-password", is_flag=True, help="Leave the secret key unencrypted.")
@password_option
@pass_session
def keygen(
    session: Session, secret_key: Path | None, public_key: Path | None, no_password: bool, password_fd: int | None
) -> None:
    """Make a key to sign releases with.

    The secret key is encrypted with a password; the public key goes to everyone who shall trust it. Both are files of
    minisign's.
    """
    secret = secret_key or release_key()
    pair = KeyPair(secret, public_key or secret.with_suffix(PUBLIC_SUFFIX))
    check_new(pair)  # before a password is asked for
    if no_password and password_fd is not None:
        raise InputError("--no-password and --password-fd exclude each other")
    key = make_key(pair, None if no_password else read_password(password_fd, twice=True))
    text = f"public key  {key.text()}\nits file    {pair.public}\nsecret key  {pair.secret}"
    told = {"key": key.text(), "key_id": key.id, "public_key": str(pair.public), "secret_key": str(pair.secret)}
    session.result(text, {"ok": True, **told, "encrypted": not no_password})
