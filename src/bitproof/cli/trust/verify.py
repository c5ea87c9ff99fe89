"""``bitproof trust verify``: check who signed a file."""

from pathlib import Path

import click

from bitproof.cli.project import PATH, manifest_path, settings
from bitproof.cli.session import Session, pass_session
from bitproof.cli.signatures import keys_wanted
from bitproof.errors import InputError
from bitproof.signed.files import verify_file
from bitproof.trust.comment import signed_at
from bitproof.trust.minisign import SUFFIX


@click.command()
@click.argument("file", type=PATH, required=False)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY|FILE",
    help="A public key that may have signed, repeatable; default: trust.keys of bitproof.toml.",
)
@click.option("-x", "--signature", type=PATH, metavar="FILE", help="The signature; default: FILE.minisig.")
@pass_session
def verify(session: Session, file: Path | None, keys: tuple[str, ...], signature: Path | None) -> None:
    """Check that one of the keys signed FILE; default: the manifest of the dev layout.

    Exit 0 only when the bytes, the trusted comment and the name in it are as signed.
    """
    path = file or manifest_path(None)
    wanted = keys_wanted(keys, settings())
    if not wanted:
        raise InputError("no public key to check with", fix="name one: --key KEY|FILE, or trust.keys in bitproof.toml")
    key, made = verify_file(path, signature or path.with_name(path.name + SUFFIX), wanted)
    when = signed_at(made.trusted_comment)
    text = f"{path}: signed by {key.id}{f', {when}' if when else ''}\n  {made.trusted_comment}"
    told = {"file": str(path), "key": key.text(), "key_id": key.id, "trusted_comment": made.trusted_comment}
    session.result(text, {"ok": True, **told})
