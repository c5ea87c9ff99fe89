"""``bitproof trust sign``: sign a release manifest, or any other file."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from bitproof.cli.project import PATH, manifest_path
from bitproof.cli.session import Session, pass_session
from bitproof.cli.trust.keygen import release_key
from bitproof.cli.trust.passwords import password_option, read_password
from bitproof.errors import InputError
from bitproof.pipeline import source_epoch
from bitproof.signed.files import sign_file
from bitproof.trust.keyfiles import load_sealed, load_sealed_from
from bitproof.trust.minisign import SUFFIX
from bitproof.trust.secret_key import SecretKey


def signing_time() -> int:
    """Seconds since 1970: ``SOURCE_DATE_EPOCH``, else the clock's."""
    epoch = source_epoch(os.environ)
    return int(datetime.now(UTC).timestamp()) if epoch is None else epoch


@click.command()
@click.argument("file", type=PATH, required=False)
@click.option("-s", "--secret-key", type=PATH, metavar="FILE", help="The key; default: ~/.bitproof/keys/release.key.")
@click.option("--secret-key-fd", type=int, metavar="N", help="Read the key from this open descriptor.")
@password_option
@click.option("-x", "--signature", type=PATH, metavar="FILE", help="Where to write it; default: FILE.minisig.")
@pass_session
def sign(
    session: Session,
    file: Path | None,
    secret_key: Path | None,
    secret_key_fd: int | None,
    password_fd: int | None,
    signature: Path | None,
) -> None:
    """Sign FILE; default: the manifest of the dev layout.

    The signature is minisign's, over the bytes on disk. Its trusted comment says the file's name, the time, and of a
    manifest the current assets version.
    """
    path = file or manifest_path(None)
    target = signature or path.with_name(path.name + SUFFIX)
    key = _opened(secret_key, secret_key_fd, password_fd)
    made = sign_file(path, target, key, signing_time())
    text = f"{target}: signed by {made.id}\n  {made.trusted_comment}"
    told = {"file": str(path), "signature": str(target), "key_id": made.id, "trusted_comment": made.trusted_comment}
    session.result(text, {"ok": True, **told})


def _opened(path: Path | None, fd: int | None, password_fd: int | None) -> SecretKey:
    """The secret key; a password is asked for only when it needs one."""
    if path is not None and fd is not None:
        raise InputError("--secret-key and --secret-key-fd exclude each other")
    if fd is not None and fd == password_fd:
        raise InputError("the key and its password need a descriptor each")
    path = path or release_key()
    sealed = load_sealed(path) if fd is None else load_sealed_from(fd)
    where = str(path) if fd is None else f"descriptor {fd}"
    return sealed.opened(read_password(password_fd) if sealed.cost else b"", where)
