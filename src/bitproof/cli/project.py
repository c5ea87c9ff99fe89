"""Options that several commands share, and where a project's parts are."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bitproof.cli.session import F, Session
from bitproof.cli.settings import Settings, find_settings, host_arch
from bitproof.errors import InputError, UnavailableError
from bitproof.model.names import MANIFEST, arch_key, check_name
from bitproof.model.version import Version
from bitproof.system.opened import unavailable

PATH = click.Path(path_type=Path)

MAKE_LAYOUT = "bitproof assets build; or, for images that are there already: bitproof assets manifest"
MAKE_STORE = "bitproof assets install"
"""What to run when there is no manifest yet."""


class _Parsed(click.ParamType[object]):
    """A value that a parser of the model reads; its ValueError names the option."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Parse, or fail with the option's name."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


VERSION = _Parsed("version", Version)
NAME = _Parsed("name", check_name)
ARCH = _Parsed("arch", lambda text: arch_key(check_name(text)))


def arch_option(command: F) -> F:
    """``--arch A``, once; the host's when it is missing."""
    return click.option("--arch", type=ARCH, help="Architecture; default: this machine's.")(command)


def arches_option(command: F) -> F:
    """``--arch A``, any number of times; the host's when it is missing."""
    return click.option(
        "--arch", "arches", type=ARCH, multiple=True, help="Architecture, repeatable; default: this machine's."
    )(command)


def binary_version_option(command: F) -> F:
    """``--binary-version V``."""
    help_text = "Binary version; default: product.version of bitproof.toml, else the manifest's binaries.current."
    return click.option("--binary-version", type=VERSION, metavar="V", help=help_text)(command)


def assets_option(command: F) -> F:
    """``--assets DIR``, a dev layout."""
    return click.option("--assets", type=PATH, metavar="DIR", help="The dev layout; default: assets.")(command)


def base_option(command: F) -> F:
    """``--base DIR``, a store."""
    return click.option("--base", type=PATH, metavar="DIR", help="The store; default: ~/.bitproof/assets.")(command)


def vm_option(command: F) -> F:
    """``--vm NAME``, a VM that may have a pin of its own."""
    help_text = "A VM that may have a pin of its own, else the machine's counts."
    return click.option("--vm", type=NAME, metavar="NAME", help=help_text)(command)


def wait_option(command: F) -> F:
    """``--no-wait``."""
    return click.option("--no-wait", "wait", flag_value=False, default=True, help="Fail at once when it is locked.")(
        command
    )


def settings() -> Settings:
    """The settings of the working directory.

    Raises:
        InputError: they are bad.
        UnavailableError: they cannot be read, or the working directory is gone.
    """
    try:
        return find_settings(Path.cwd())
    except OSError as error:
        raise unavailable(
            error, "the settings cannot be looked for", error.filename or "the working directory"
        ) from None


def manifest_path(given: Path | None) -> Path:
    """The manifest that a command line names, else the dev layout's."""
    return given or settings().directory("assets").value / MANIFEST


@contextmanager
def when_unusable(path: Path, fix: str) -> Iterator[None]:
    """Say what makes ``path``, when a command fails because it or its directory is not there yet, or it is bad."""
    try:
        yield
    except UnavailableError as error:
        about_it = os.path.realpath(error.where) in {os.path.realpath(path), os.path.realpath(path.parent)}
        if about_it and not os.path.lexists(path):
            error.fix = fix
        raise
    except InputError as error:
        if os.path.realpath(error.where) == os.path.realpath(path) and not error.fix:
            mended = "mend it, or put a good copy in its place"
            error.fix = f"remove it, then: {fix}" if fix == MAKE_STORE else mended
        raise


def store_or_layout(base: Path | None, assets: Path | None, found: Settings) -> Path:
    """Where ``--base DIR | --assets DIR`` points; the store when neither is given.

    Raises:
        InputError: both are given.
    """
    if base is not None and assets is not None:
        raise InputError("--base and --assets exclude each other", fix="name a store or a dev layout, not both")
    return base or assets or found.store(os.environ).value


def binary_version(given: Version | None, found: Settings) -> Version | None:
    """``--binary-version``, else the settings'; None leaves it to the manifest."""
    if given is not None:
        return given
    setting = found.binary_version()
    return setting.value if setting else None


def arches_or_host(arches: tuple[str, ...]) -> tuple[str, ...]:
    """The arches asked for, each once, else the host's."""
    return tuple(dict.fromkeys(arches)) or (host_arch(),)


def waiting_note(session: Session) -> Callable[[Path], None]:
    """Tell the user that another process holds the lock."""
    return lambda path: session.note(f"waiting for another bitproof to finish ({path})")


def human_size(size: int) -> str:
    """Bytes as people read them: ``7.8 MB``; powers of 1,000."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95:  # noqa: PLR2004 - what is printed as 999.9
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
