"""The login for a registry, from the file that ``docker login``, ``podman login`` and ``oras login`` write.

Source: the ``auths`` of Docker's ``config.json``, and containers-auth.json(5), whose keys may name a repository.
Credential helpers are programs that whoever writes that file chooses; none is run.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bitproof.channel.backends.urls import OciAddress
from bitproof.errors import InputError
from bitproof.model.decode import parse_json
from bitproof.system.opened import exists, read_file

MAX_CONFIG = 1 << 20
WHERE = "the registry's logins"


class Login(NamedTuple):
    """A user's name and password; or an identity token, which is exchanged for others."""

    user: str = ""
    password: str = ""
    identity: str = ""

    def __repr__(self) -> str:
        """Nothing of it: a traceback prints this."""
        return "Login(…)"

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find_login(address: OciAddress, environ: Mapping[str, str]) -> Login | None:
    """The login for a repository, or for its host; None when there is none: then requests are anonymous.

    Raises:
        InputError: the file that holds it cannot be read as such; nothing of it is quoted.
        UnavailableError: the system refused.
    """
    path = _config_path(environ)
    if path is None or not exists(path):
        return None
    try:
        document = parse_json(read_file(path.resolve(), MAX_CONFIG, WHERE), WHERE)
    except InputError:
        raise InputError(f"{WHERE} are not usable", where=path, expected="JSON with a table auths") from None
    auths = document.get("auths")
    if not isinstance(auths, dict):
        return None
    entries = (auths.get(key) for key in _keys(address))
    return next((_login(entry, path) for entry in entries if isinstance(entry, dict) and entry), None)


def _config_path(environ: Mapping[str, str]) -> Path | None:
    if environ.get("REGISTRY_AUTH_FILE"):
        return Path(environ["REGISTRY_AUTH_FILE"])
    if environ.get("DOCKER_CONFIG"):
        return Path(environ["DOCKER_CONFIG"]) / "config.json"
    return Path(environ["HOME"]) / ".docker" / "config.json" if environ.get("HOME") else None


def _keys(address: OciAddress) -> Iterator[str]:
    """From the repository itself to the host alone, and the host as old clients wrote it."""
    parts = address.repository.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join((address.host, *parts[:count]))
    yield address.host
    yield f"https://{address.host}"
    yield f"https://{address.host}/v1/"


def _login(entry: Mapping[str, object], path: Path) -> Login:
    identity = entry.get("identitytoken")
    if isinstance(identity, str) and identity:
        return Login(identity=identity)
    user, password = entry.get("username"), entry.get("password")
    if isinstance(user, str) and isinstance(password, str) and user:
        return Login(user, password)
    try:
        text = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    user, colon, password = text.partition(":")
    if not user or not colon:
        raise InputError("a login in the registry's logins is not usable", where=path, fix="log in again")
    return Login(user, password.rstrip("\0"))
