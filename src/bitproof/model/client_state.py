"""What a store remembers of the channel that it is updated from: ``state.json``. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from bitproof.errors import InputError, Problem
from bitproof.model.decode import Table, parse_json
from bitproof.model.names import check_name

STATE_FORMAT = 1
MAX_STATE = 1 << 20
_HEX64 = 64
_LATEST = 253_402_300_799
"""The end of the year 9999, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientState:
    """Where updates come from, and how far they have come.

    Attributes:
        channel: its name.
        places: where it is read, in the order in which they were given.
        anchor: SHA-256 in hex of the root that the machine was given first.
        complete: SHA-256 in hex of the timestamp for which everything is installed; empty when nothing is.
        expires: when what was believed last expires; seconds since 1970.
        seen: the latest time at which anything was believed; seconds since 1970.
        health: of each place, what mirrors remember of it.
    """

    channel: str
    places: tuple[str, ...]
    anchor: str
    complete: str = ""
    expires: int = 0
    seen: int = 0
    health: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read the file.

        Raises:
            InputError: it is not of the form: every problem.
        """
        problems: list[Problem] = []
        table = Table(parse_json(data, where), "", problems)
        table.integer("format", STATE_FORMAT, STATE_FORMAT)
        state = cls(
            channel=table.parsed("channel", check_name, ""),
            places=table.texts("places"),
            anchor=table.parsed("anchor", _hex, ""),
            complete=table.parsed("complete", _hex, "", required=False),
            expires=table.integer("expires", 0, _LATEST, 0),
            seen=table.integer("seen", 0, _LATEST, 0),
            health=table.table("health", required=False).values,
        )
        if problems:
            fix = "remove it, and give the channel's root again: bitproof update --root"
            raise InputError("the state of updates is not usable", where=where, problems=problems, fix=fix)
        return state

    def to_bytes(self) -> bytes:
        """The file."""
        import json

        document = {"format": STATE_FORMAT, "channel": self.channel, "places": self.places, "anchor": self.anchor}
        document |= {"complete": self.complete, "expires": self.expires, "seen": self.seen, "health": self.health}
        return (json.dumps(document, indent=2) + "\n").encode()


def _hex(text: str) -> str:
    if text and (len(text) != _HEX64 or not set(text) <= set("0123456789abcdef")):
        raise ValueError(f"not {_HEX64} hex digits")
    return text


def shown_time(seconds: int) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
