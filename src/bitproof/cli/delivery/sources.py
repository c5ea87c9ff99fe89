"""Where an update comes from: the command line, else what the store remembers, else ``bitproof.toml``."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bitproof.cli.channel.settings import DEFAULT_CHANNEL, ChannelSettings, channel_settings
from bitproof.errors import InputError
from bitproof.model.digest import Digest
from bitproof.model.names import CHANNEL_STATE, FOLLOWED
from bitproof.system.opened import exists, read_file

if TYPE_CHECKING:
    from bitproof.delivery.following import Followed
    from bitproof.model.client_state import ClientState

SHA256 = "sha256:"


def followed(
    base: Path,
    places: tuple[str, ...],
    channel: str | None,
    root: str | None,
    now: datetime,
    note: Callable[[str], None],
) -> "Followed":
    """The channel to follow.

    Args:
        base: the store.
        places: those of the command line.
        channel: the command line's.
        root: a file, or ``sha256:`` and the digest of one.
        now: when this run began; UTC.
        note: told which mirror lied.

    Raises:
        InputError: nobody has named a place; the channel's name or the root's digest is none.
        UnavailableError: the root's file cannot be read.
    """
    from bitproof.channel.backends.open import open_readers
    from bitproof.channel.layout import check_channel
    from bitproof.delivery.following import Followed

    state, settings = remembered(base), channel_settings()
    named = places or (state.places if state else ()) or settings.sources
    if not named:
        raise InputError("no place to update from", fix="name one: --from PLACE, or channel.from in bitproof.toml")
    places = tuple(_lasting(place) for place in named)
    wanted = channel or (state.channel if state else "") or settings.name or DEFAULT_CHANNEL
    return Followed(
        # several are known by what is remembered of them; one is shown as it was named
        reader=open_readers(named if len(named) == 1 else places, state.health if state else {}, note),
        places=places,
        channel=check_channel(wanted),
        root=_root(root, settings, known=state is not None),
        now=now,
    )


def _lasting(place: str) -> str:
    """A place as it is remembered: a directory by its whole path."""
    return place if "://" in place else str(Path(place).absolute())


def remembered(base: Path) -> "ClientState | None":
    """What a store remembers of its channel; None before the first update."""
    from bitproof.model.client_state import MAX_STATE, ClientState

    path = base / CHANNEL_STATE / FOLLOWED
    return ClientState.parse(read_file(path, MAX_STATE, "the state"), str(path)) if exists(path) else None


def _root(given: str | None, settings: ChannelSettings, *, known: bool) -> bytes | Digest | None:
    """The root of the command line; that of the settings where nothing is trusted yet."""
    if given is not None:
        return given_root(given)
    return None if known or settings.root is None else given_root(str(settings.root))


def given_root(given: str) -> bytes | Digest:
    """The root that ``--root FILE|sha256:DIGEST`` names.

    Raises:
        InputError: the digest is none, or the file no root.
        UnavailableError: the file cannot be read.
    """
    from bitproof.channel.roots import parse_root
    from bitproof.channel.trusted import LIMITS, ROOT

    if not given.startswith(SHA256):
        data = read_file(Path(given), LIMITS[ROOT], "the root")
        parse_root(data, given)
        return data
    try:
        return Digest.parse(given, "sha256")
    except ValueError as error:
        raise InputError(f"--root: {error}") from None


def kept_root(base: Path) -> bytes | None:
    """The root that a store trusts; None when it follows no channel."""
    from bitproof.channel.trusted import LIMITS, ROOT

    path = base / CHANNEL_STATE / f"{ROOT}.json"
    return read_file(path, LIMITS[ROOT], "the root") if exists(path) else None
