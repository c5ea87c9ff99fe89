"""``bitproof.toml`` and the environment: where settings come from (FORMATS sections 2 and 8).

The command line beats the environment beats the file beats the default; each value remembers where it came from.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from bitproof.errors import InputError, Problem, UnavailableError, shown
from bitproof.model.decode import MAX_TOML, Table, parse_toml
from bitproof.model.names import arch_key
from bitproof.model.version import Version
from bitproof.system.opened import read_file

FILE = "bitproof.toml"
DEFAULT_HOME = "~/.bitproof"

T = TypeVar("T")


class Setting(NamedTuple, Generic[T]):
    """A value and where it came from."""

    value: T
    source: str


class Settings(NamedTuple):
    """The file's values; ``root`` is its directory, or the working directory when there is none."""

    root: Path
    path: Path | None = None
    name: str = ""
    home: str = ""
    version: str = ""
    version_from: str = ""
    assets: str = "assets"
    config: str = "guest/config"
    artifacts: str = "guest/artifacts"
    given: frozenset[str] = frozenset()
    caps: Mapping[str, object] = {}
    """The ``[caps]`` table as it is written; ``cli.caps.settings`` reads it."""
    channel: Mapping[str, object] = {}
    """The ``[channel]`` table as it is written; ``cli.channel.settings`` reads it."""
    keys: tuple[str, ...] = ()
    """``trust.keys``: public keys, or their files, relative to ``root``."""

    def directory(self, key: str) -> Setting[Path]:
        """``assets``, ``config`` or ``artifacts``, below the file's directory."""
        source = str(self.path) if f"assets.{'dir' if key == 'assets' else key}" in self.given else "default"
        return Setting(_shown(self.root / getattr(self, key)), source)

    def store(self, environ: Mapping[str, str]) -> Setting[Path]:
        """The store: ``BITPROOF_ASSETS_DIR``, ``BITPROOF_HOME/assets``, ``product.home``, ``~/.bitproof/assets``.

        Raises:
            UnavailableError: it is below a home directory that nobody knows.
        """
        if directory := environ.get("BITPROOF_ASSETS_DIR"):
            return Setting(Path(directory), "BITPROOF_ASSETS_DIR")
        home, source = self.home_directory(environ)
        return Setting(home / "assets", source)

    def home_directory(self, environ: Mapping[str, str]) -> Setting[Path]:
        """``BITPROOF_HOME``, ``product.home``, ``~/.bitproof``. Raises as `store`."""
        if home := environ.get("BITPROOF_HOME"):
            return Setting(Path(home), "BITPROOF_HOME")
        if self.home:
            return Setting(_expanded(self.home, environ), f"product.home of {self.path}")
        return Setting(_expanded(DEFAULT_HOME, environ), "default")

    def binary_version(self) -> Setting[Version] | None:
        """``product.version``, else what ``product.version_from`` says; None when neither is set."""
        if self.version:
            return Setting(Version(self.version), f"product.version of {self.path}")
        if self.version_from:
            path = self.root / self.version_from
            return Setting(read_version(path), str(path))
        return None


def find_settings(start: Path) -> Settings:
    """Find and read ``bitproof.toml``, upwards from a directory; defaults when there is none.

    Raises:
        InputError: the file is bad; every problem with its key.
    """
    for directory in (start, *start.parents):
        path = directory / FILE
        if path.is_file():
            return read_settings(read_file(path, MAX_TOML, "the settings"), path)
    return Settings(root=start)


def read_settings(data: bytes, path: Path) -> Settings:
    """Read the bytes of a ``bitproof.toml``.

    Raises:
        InputError: every problem with its key; an unknown key with the nearest known one.
    """
    problems: list[Problem] = []
    root = Table(parse_toml(data, str(path)), "", problems)
    product, assets = root.table("product", required=False), root.table("assets", required=False)
    settings = Settings(
        root=path.parent,
        path=path,
        name=product.text("name", ""),
        home=product.parsed("home", _home, "", required=False),
        version=product.parsed("version", _version, "", required=False),
        version_from=product.text("version_from", ""),
        assets=assets.text("dir", "assets"),
        config=assets.text("config", "guest/config"),
        artifacts=assets.text("artifacts", "guest/artifacts"),
        given=frozenset(f"{table.path}.{key}" for table in (product, assets) for key in table.values),
        caps=root.table("caps", required=False).values,
        channel=root.table("channel", required=False).values,
        keys=root.table("trust", required=False).texts("keys"),
    )
    _only_known(root, product, assets)
    if problems:
        raise InputError("the settings are not usable", where=path, problems=problems)
    return settings


def _only_known(root: Table, product: Table, assets: Table) -> None:
    root.only("product", "assets", "caps", "channel", "trust")
    product.only("name", "home", "version", "version_from")
    assets.only("dir", "config", "artifacts")
    if "version" in product.values and "version_from" in product.values:
        product.problem("version_from", "product.version is set too", expected="one of the two")
    caps, trust = root.table("caps", required=False), root.table("trust", required=False)
    caps.only("manifest", "git_root", "plan", "precompose", "compose", "env", "timeout", "build")
    trust.only("keys")


def _home(text: str) -> str:
    if not text.startswith(("~/", "/")):
        raise ValueError(f"not a home: expected ~/.name or an absolute path, found {text!r}")
    return text


def _expanded(text: str, environ: Mapping[str, str]) -> Path:
    """A home with ``~`` replaced: by ``HOME``, else by what the password database says of the user.

    Raises:
        UnavailableError: neither says anything, as in a container that runs as an arbitrary user.
    """
    if not text.startswith("~/"):
        return Path(text)
    home = environ.get("HOME")
    if not home:
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            raise UnavailableError(
                "the home directory is not known",
                where=text,
                found=f"no HOME, and no password entry of user {os.getuid()}",
                fix="set HOME or BITPROOF_HOME, or name the store with --base",
            ) from None
    return Path(home, text[2:])


def _version(text: str) -> str:
    return str(Version(text))


def _shown(path: Path) -> Path:
    """Relative to the working directory where that is shorter to read."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def read_version(path: Path) -> Version:
    """The version in a ``Cargo.toml`` or ``pyproject.toml``; a workspace's version is followed.

    Raises:
        InputError: there is none, or it is dynamic.
        UnavailableError: the file cannot be opened.
    """
    document = parse_toml(read_file(path, MAX_TOML, "the file of product.version_from"), str(path))
    if path.name == "pyproject.toml":
        return _version_at(document, ("project", "version"), path)
    table = document.get("package")
    package = table if isinstance(table, dict) else {}
    version = package.get("version")
    if isinstance(version, dict) and version.get("workspace") is True:
        return _workspace_version(path, package.get("workspace"))
    return _version_at(document, ("package", "version") if package else ("workspace", "package", "version"), path)


def _workspace_version(member: Path, named: object) -> Version:
    """The version of a member's workspace: the one it names, else the nearest ``[workspace]``, its own file first."""
    home = member.resolve().parent
    for directory in (home / named,) if isinstance(named, str) else (home, *home.parents):
        path = directory / "Cargo.toml"
        if path.is_file():
            document = parse_toml(read_file(path, MAX_TOML), str(path))
            if "workspace" in document:
                return _version_at(document, ("workspace", "package", "version"), path)
    raise InputError(
        "the workspace's version cannot be found",
        where=member,
        expected="a Cargo.toml with [workspace], here or above, or where package.workspace points",
    )


def _version_at(document: object, keys: tuple[str, ...], path: Path) -> Version:
    value = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str):
        found = "nothing" if value is None else shown(value)
        raise InputError("no version to be had", where=path, expected=f"a string at {'.'.join(keys)}", found=found)
    return parse_version(value, path)


def parse_version(text: str, where: object = "") -> Version:
    """A version from the outside.

    Raises:
        InputError: it is none.
    """
    try:
        return Version(text)
    except ValueError as error:
        raise InputError(str(error), where=where) from None


def host_arch() -> str:
    """The manifest's key for this machine."""
    return arch_key(os.uname().machine)
