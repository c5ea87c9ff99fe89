"""Follow a channel: what a store believes of it, brought up to date; nothing is installed here.

One request is enough when nothing is new: the timestamp that the place has is, byte for byte, the one that was believed
last, and has not expired. A root that the place would have besides is not asked for then: whoever could hide a new root
by serving an old timestamp could hide it all the same, until that timestamp expires; and a publisher who gives other
keys to an online role writes a new timestamp (decision 0028).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from bitproof.channel.layout import metadata_path
from bitproof.channel.ports import Reader
from bitproof.channel.state import Kept, believed_timestamp, is_complete, sha256_hex
from bitproof.channel.trusted import LIMITS, ROOT, TIMESTAMP, Believed, refresh
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.model.client_state import ClientState, shown_time
from bitproof.model.digest import Digest
from bitproof.model.names import FOLLOWED

DAY = 86_400
"""Seconds. How far a clock may go back between two updates."""


class Followed(NamedTuple):
    """The channel to follow.

    Attributes:
        reader: its place, or several as one.
        places: how they are named, to be remembered.
        channel: its name.
        root: the root that the machine was given: its bytes, or the SHA-256 of them; None goes on with what is kept.
        now: when this run began; UTC.
    """

    reader: Reader
    places: tuple[str, ...]
    channel: str
    root: bytes | Digest | None
    now: datetime


def is_current(followed: Followed, kept: Kept) -> bool:
    """Whether one look at the place shows that nothing is new, and everything is installed."""
    state, timestamp = kept.state, believed_timestamp(kept)
    if state is None or not timestamp or not is_complete(kept, timestamp) or state.channel != followed.channel:
        return False
    if not _has_anchor(followed, state):
        return False
    check_clock(state, followed.now)
    if not state.seen <= followed.now.timestamp() < state.expires:
        return False
    found = followed.reader.read(metadata_path(followed.channel, TIMESTAMP), LIMITS[TIMESTAMP])
    return found == timestamp


def follow(followed: Followed, kept: Kept, *, dry_run: bool = False) -> tuple[Believed, ClientState]:
    """Believe what is to be believed of a channel now.

    Args:
        followed: which, and since when.
        kept: what the store believed before.
        dry_run: write nothing.

    Returns:
        What is believed, and the state to write once everything is installed.

    Raises:
        IntegrityError: the channel is not to be believed; what was believed before stands.
        InputError: another root was given than the one that is trusted here.
        UnavailableError: the place does not serve; the clock is wrong.
    """
    state, local = _begin(followed, kept)
    check_clock(state, followed.now)
    fresh = {} if local is kept.metadata else dict(local)

    def keep(role: str, data: bytes) -> None:
        if fresh:
            fresh[role] = data
        elif not dry_run:
            kept.keep(role, data)

    believed = refresh(followed.reader, followed.channel, local, followed.now, keep)
    if fresh and not dry_run:
        _begin_anew(kept, state, fresh)
    done = replace(
        state,
        places=followed.places,
        complete=sha256_hex(believed.timestamp),
        expires=int(believed.expires.timestamp()),
        seen=max(state.seen, int(followed.now.timestamp())),
    )
    return believed, done


def _begin(followed: Followed, kept: Kept) -> tuple[ClientState, Mapping[str, bytes]]:
    """The state and the metadata to go on from: those that are kept, or a given root alone."""
    state = kept.state
    if state is not None and kept.metadata and state.channel == followed.channel:
        _same_anchor(followed, state, kept)
        return state, kept.metadata
    if followed.root is None:
        raise InputError(
            "there is no root to trust this channel by",
            where=f"{followed.reader.where} channel {followed.channel}",
            fix="get its root from a source you trust: bitproof update --root FILE, or --root sha256:DIGEST",
        )
    root = _given_root(followed)
    return ClientState(channel=followed.channel, places=followed.places, anchor=sha256_hex(root)), {ROOT: root}


def _begin_anew(kept: Kept, state: ClientState, metadata: Mapping[str, bytes]) -> None:
    """Follow another channel from now on; only once its root has proved all, so that a wrong one leaves no trace."""
    kept.forget()
    for role, data in metadata.items():
        kept.keep(role, data)
    kept.write(state)


def _given_root(followed: Followed) -> bytes:
    """The bytes of the root that was given, or of the first root of the place if that has the given digest."""
    if isinstance(followed.root, bytes):
        return followed.root
    path = metadata_path(followed.channel, ROOT, 1)
    data = followed.reader.read(path, LIMITS[ROOT])
    if data is None:
        raise UnavailableError(
            "there is no such channel", where=f"{followed.reader.where} {path}", fix="check the place and the name"
        )
    _check_root(followed.root, sha256_hex(data), f"{followed.reader.where} {path}")
    return data


def _same_anchor(followed: Followed, state: ClientState, kept: Kept) -> None:
    if not _has_anchor(followed, state):
        raise InputError(
            "this store trusts another root",
            where=kept.directory.path / FOLLOWED,
            expected=f"sha256:{state.anchor}",
            found=f"sha256:{_digest(followed)}",
            fix="to begin anew with the given root, remove this file",
        )


def _has_anchor(followed: Followed, state: ClientState) -> bool:
    """Whether the root that is given now, if any, is the one that was given first."""
    return followed.root is None or _digest(followed) == state.anchor


def _digest(followed: Followed) -> str:
    """SHA-256 of the root that is given now; empty when none is."""
    root = followed.root
    return root.value if isinstance(root, Digest) else sha256_hex(root) if root is not None else ""


def _check_root(wanted: Digest | None, found: str, where: str) -> None:
    if wanted is None or wanted.value != found:
        raise IntegrityError(
            "the channel's root is not the given one",
            where=where,
            expected=str(wanted),
            found=f"sha256:{found}",
            fix="check the digest with the publisher; do not use this place if it is right",
        )


def check_clock(state: ClientState, now: datetime) -> None:
    """Refuse to judge expiry by a clock that has gone back. Raises UnavailableError."""
    if now.timestamp() < state.seen - DAY:
        raise UnavailableError(
            "this machine's clock has gone back",
            expected=f"a time after {shown_time(state.seen)}, when this store was last updated",
            found=f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
            fix="set the clock; expired metadata would be taken for fresh",
        )
