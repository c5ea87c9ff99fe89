"""What ``[caps]`` of ``bitproof.toml`` and the options that all caps commands share say (FORMATS section 8)."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bitproof.caps.siblings import Roots
from bitproof.cli.project import PATH
from bitproof.cli.project import settings as current_settings
from bitproof.cli.session import F
from bitproof.cli.settings import Settings
from bitproof.errors import InputError, Problem, shown
from bitproof.model.caps_manifest import MANIFEST_NAME, MAX_CAPS_MANIFEST, CapsManifest, parse_caps_manifest
from bitproof.model.decode import Table, child, nearest
from bitproof.system.opened import read_file

if TYPE_CHECKING:  # imported where used: looking and verifying need neither builds nor git
    from bitproof.caps.builds.environment import BuildSettings, CapBuild
    from bitproof.system.git.repository import Git

DEFAULT_GIT_ROOT = "~/git"
DEFAULT_TIMEOUT = 3600  # as bitproof.caps.builds.environment, which is not imported for a look at the pins
MAX_TIMEOUT = 7 * 24 * 3600


class CapsSettings(NamedTuple):
    """The values of ``[caps]``; paths as they are written, commands as words."""

    manifest: str = MANIFEST_NAME
    git_root: str = ""
    plan: tuple[str, ...] = ()
    precompose: tuple[tuple[str, ...], ...] = ()
    compose: tuple[tuple[str, ...], ...] = ()
    env: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    builds: Mapping[str, "CapBuild"] = {}


class Product(NamedTuple):
    """A caps manifest and everything that belongs to it."""

    path: Path
    manifest: CapsManifest
    roots: Roots
    settings: CapsSettings
    allow_local: bool

    @property
    def git(self) -> "Git":
        """How git is run: the variables of ``caps.env`` reach it too."""
        from bitproof.system.git.repository import Git

        return Git(environment=_passed(self.settings), allow_local=self.allow_local, timeout=self.settings.timeout)

    @property
    def builds(self) -> "BuildSettings":
        """How builds are run."""
        from bitproof.caps.builds.environment import BuildSettings

        return BuildSettings(
            own=self.roots.own,
            git_root=self.roots.git_root,
            cache=cache_directory(os.environ),
            environ=os.environ,
            passed=self.settings.env,
            timeout=self.settings.timeout,
            builds=self.settings.builds,
        )


def manifest_options(command: F) -> F:
    """``--manifest``, ``--git-root``, ``--allow-local-repos`` and the ids."""
    for option in (
        click.argument("ids", nargs=-1, metavar="[ID]..."),
        click.option(
            "--allow-local-repos", "allow_local", is_flag=True, help="Accept file:// and plain paths as repo."
        ),
        click.option("--git-root", type=PATH, metavar="DIR", help="Where siblings are; default: ~/git."),
        click.option("--manifest", type=PATH, metavar="FILE", help=f"The pins; default: {MANIFEST_NAME}."),
    ):
        command = option(command)
    return command


def product_wanted(options: Mapping[str, Any]) -> Product:
    """The product that the options of `manifest_options`, ids apart, and the settings name; see `load_product`."""
    return load_product(current_settings(), **options)


def load_product(found: Settings, manifest: Path | None, git_root: Path | None, *, allow_local: bool) -> Product:
    """Read the settings and the manifest.

    Raises:
        InputError: either is bad; every problem.
        UnavailableError: the manifest cannot be opened.
    """
    settings = read_caps_settings(found)
    path = manifest or found.root / settings.manifest
    data = read_file(path, MAX_CAPS_MANIFEST, "the caps manifest")
    roots = Roots(git_root=_git_root(git_root, settings, found.root).resolve(), own=path.resolve().parent)
    pins = parse_caps_manifest(data, str(path), allow_local_repos=allow_local)
    _known_builds(settings, pins, found.path)
    return Product(path, pins, roots, settings, allow_local)


def _known_builds(settings: CapsSettings, pins: CapsManifest, where: Path | None) -> None:
    known = [*(cap.id for cap in pins.caps), pins.product]
    problems = [
        Problem(child("caps.build", name), "no cap has this id", expected=nearest(name, known))
        for name in settings.builds
        if name not in known
    ]
    if problems:
        raise InputError("the settings are not usable", where=where or "", problems=problems)


def read_caps_settings(found: Settings) -> CapsSettings:
    """The ``[caps]`` table.

    Raises:
        InputError: every problem with its key.
    """
    problems: list[Problem] = []
    table = Table(dict(found.caps), "caps", problems)
    settings = CapsSettings(
        manifest=table.text("manifest", MANIFEST_NAME),
        git_root=table.text("git_root", ""),
        plan=_words(table, "plan"),
        precompose=_commands(table, "precompose"),
        compose=_commands(table, "compose"),
        env=table.texts("env"),
        timeout=table.integer("timeout", 1, MAX_TIMEOUT, DEFAULT_TIMEOUT),
        builds={name: _build(entry) for name, entry in table.table("build", required=False).tables()},
    )
    if problems:
        raise InputError("the settings are not usable", where=found.path or "", problems=problems)
    return settings


def _build(table: Table) -> "CapBuild":
    from bitproof.caps.builds.environment import CapBuild

    table.only("command", "env", "adapter")
    environment = table.table("env", required=False)
    variables = {name: environment.text(name) for name in environment.values}
    return CapBuild(command=_words(table, "command"), env=variables, adapter=table.text("adapter", ""))


def _words(table: Table, key: str) -> tuple[str, ...]:
    """A command: one string, split as a shell would, or an array of words."""
    value = table.values.get(key, [])
    if isinstance(value, str):
        return _split(table, key, value)
    return table.texts(key)


def _commands(table: Table, key: str) -> tuple[tuple[str, ...], ...]:
    """Commands: one string, or an array of them, each split as a shell would."""
    value = table.values.get(key, [])
    lines = (value,) if isinstance(value, str) else table.texts(key)
    return tuple(words for words in (_split(table, key, line) for line in lines) if words)


def _split(table: Table, key: str, line: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(line))
    except ValueError:
        table.problem(key, "quotes that do not match", found=shown(line))
        return ()
    return words


def _git_root(given: Path | None, settings: CapsSettings, root: Path) -> Path:
    """``--git-root``, ``BITPROOF_GIT_ROOT``, ``caps.git_root``, ``~/git``."""
    if given is not None:
        return given
    if named := os.environ.get("BITPROOF_GIT_ROOT"):
        return Path(named)
    if settings.git_root:
        return root / Path(settings.git_root).expanduser()
    return Path(DEFAULT_GIT_ROOT).expanduser()


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Bitproof's own cache: logs, homes of builds, cargo's downloads (XDG base directory specification)."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "bitproof"


def _passed(settings: CapsSettings) -> dict[str, str]:
    return {name: os.environ[name] for name in settings.env if name in os.environ}
