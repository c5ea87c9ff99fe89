"""Options of ``bitproof channel``: the place, the channel, and the keys of its roles."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from bitproof.cli.channel.settings import channel_settings
from bitproof.cli.progress import byte_progress
from bitproof.cli.project import PATH, settings, waiting_note
from bitproof.cli.session import F, Session
from bitproof.cli.trust.passwords import Passwords, password_option
from bitproof.errors import InputError

if TYPE_CHECKING:
    from bitproof.delivery.outlet import Bytes, Outlet
    from bitproof.trust.secret_key import SecretKey

ONLINE = ("targets", "snapshot", "timestamp")
"""The roles that sign each publish."""


def place_option(command: F) -> F:
    """``--place PLACE`` and ``--channel NAME``."""
    place = "Where the channel lies: a directory, s3://…, oci://…; default: channel.place of bitproof.toml."
    name = "The channel's name; default: channel.name of bitproof.toml, else stable."
    command = click.option("--channel", metavar="NAME", help=name)(command)
    return click.option("--place", metavar="PLACE", help=place)(command)


def key_options(*roles: str) -> "_KeyOptions":
    """``--ROLE-key FILE`` for some roles, ``--keys DIR`` and ``--password-fd N``."""
    return _KeyOptions(roles)


def manifest_key_option(command: F) -> F:
    """``--secret-key FILE``, for manifests that have a minisign signature."""
    text = "The key that signs manifests; needed where the channel's manifest is signed, and changes."
    return click.option("-s", "--secret-key", type=PATH, metavar="FILE", help=text)(command)


class _KeyOptions:
    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = roles

    def __call__(self, command: F) -> F:
        command = password_option(command)
        for role in reversed(self.roles):
            command = click.option(
                f"--{role}-key",
                type=PATH,
                multiple=True,
                metavar="FILE",
                help=f"A secret key of the {role} role, repeatable; default: {role}.key in the directory of --keys.",
            )(command)
        text = "The directory of the roles' keys; default: channel.keys of bitproof.toml, else ~/.bitproof/keys."
        return click.option("--keys", "key_directory", type=PATH, metavar="DIR", help=text)(command)


class Keys(NamedTuple):
    """What `key_options` say."""

    files: Mapping[str, tuple[Path, ...]]
    directory: Path
    passwords: Passwords

    @classmethod
    def given(cls, values: dict[str, object]) -> "Keys":
        """Take them out of a command's options."""
        directory = values.pop("key_directory")
        if not isinstance(directory, Path):
            directory = channel_settings().keys or settings().home_directory(os.environ).value / "keys"
        password_fd = values.pop("password_fd")
        files = {name.removesuffix("_key"): value for name, value in values.items() if name.endswith("_key")}
        return cls(
            {role: value for role, value in files.items() if isinstance(value, tuple)},
            directory,
            Passwords(password_fd if isinstance(password_fd, int) else None),
        )

    def paths(self, role: str) -> tuple[Path, ...]:
        """The files of a role's secret keys."""
        return self.files.get(role) or (self.directory / f"{role}.key",)

    def opened(self, roles: Iterable[str]) -> "dict[str, tuple[SecretKey, ...]]":
        """The secret keys of some roles; a password is asked for when the first one needs it.

        Raises:
            UnavailableError: a file cannot be opened.
            InputError: a key is not usable, or the password is wrong.
        """
        from bitproof.trust.keyfiles import load_sealed

        sealed = {role: {path: load_sealed(path) for path in self.paths(role)} for role in roles}
        opened = {path: self.passwords.opened(key, path) for keys in sealed.values() for path, key in keys.items()}
        return {role: tuple(opened[path] for path in keys) for role, keys in sealed.items()}

    def opened_files(self, paths: Sequence[Path]) -> "tuple[SecretKey, ...]":
        """The secret keys of these files. Raises as `opened`."""
        return (
            Keys({"named": tuple(paths)}, self.directory, self.passwords).opened(("named",))["named"] if paths else ()
        )

    def opened_one(self, path: Path | None) -> "SecretKey | None":
        """The key of `manifest_key_option`, when one is named. Raises as `opened`."""
        return self.opened_files((path,))[0] if path is not None else None


def signing_now() -> datetime:
    """The time of this run; UTC. Not ``SOURCE_DATE_EPOCH``: a release of last year shall not have expired today."""
    return datetime.now(UTC)


def place_of(given: str | None) -> str:
    """The place to publish into.

    Raises:
        InputError: nobody has named one.
    """
    place = given or channel_settings().place
    if not place:
        raise InputError("no place to publish to", fix="name one: --place PLACE, or channel.place in bitproof.toml")
    return place


def channel_of(given: str | None) -> str:
    """The channel's name. Raises InputError when it is none, so that it could lead out of the place."""
    from bitproof.channel.layout import check_channel

    return check_channel(given or channel_settings().name)


def outlet(
    session: Session, place: str | None, channel: str | None, keys: Keys, roles: Sequence[str] = ONLINE
) -> "Outlet":
    """A channel to change, and the keys that sign these roles."""
    from bitproof.channel.backends.open import open_backend
    from bitproof.delivery.outlet import Outlet
    from bitproof.delivery.signers import role_signers

    backend = open_backend(place_of(place), waiting_note(session))
    signers = {role: role_signers(secret) for role, secret in keys.opened(roles).items()}
    return Outlet(backend=backend, channel=channel_of(channel), signers=signers, now=signing_now())


def telling(session: Session) -> "Bytes":
    """Progress on the terminal."""
    return partial(byte_progress, session)
