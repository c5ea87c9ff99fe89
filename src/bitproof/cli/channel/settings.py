"""The ``[channel]`` table of ``bitproof.toml``, and what a command line says in its stead."""

from pathlib import Path
from typing import NamedTuple

from bitproof.cli.project import settings
from bitproof.errors import InputError, Problem
from bitproof.model.decode import Table
from bitproof.model.names import check_name

DEFAULT_CHANNEL = "stable"


class ChannelSettings(NamedTuple):
    """Where a project publishes, and where its machines update from; empty where nothing is said.

    Attributes:
        place: where ``bitproof channel`` writes.
        sources: where ``bitproof update`` reads (``from``).
        name: the channel's.
        root: the file of the root that ``bitproof update`` trusts first, relative to the settings.
        keys: the directory of the roles' keys, relative to the settings.
    """

    place: str = ""
    sources: tuple[str, ...] = ()
    name: str = DEFAULT_CHANNEL
    root: Path | None = None
    keys: Path | None = None


def channel_settings() -> ChannelSettings:
    """The table of the working directory's ``bitproof.toml``.

    Raises:
        InputError: every problem with its key.
    """
    found = settings()
    problems: list[Problem] = []
    table = Table(dict(found.channel), "channel", problems)
    read = ChannelSettings(
        place=_placed(table.text("place", ""), found.root),
        sources=tuple(_placed(source, found.root) for source in table.texts("from")),
        name=table.parsed("name", check_name, DEFAULT_CHANNEL, required=False),
        root=_path(table.text("root", ""), found.root),
        keys=_path(table.text("keys", ""), found.root),
    )
    table.only("place", "from", "name", "root", "keys")
    if problems:
        raise InputError("the settings are not usable", where=found.path or found.root, problems=problems)
    return read


def _placed(place: str, root: Path) -> str:
    """A place: a URL as it is, a directory relative to the settings."""
    return place if not place or "://" in place else str(root / place)


def _path(text: str, root: Path) -> Path | None:
    return root / text if text else None
