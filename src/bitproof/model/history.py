"""What a machine has run: ``history.json`` beside what a store knows of its channel. Pure.

A rollback goes back to what was there before, so each entry says when which release was installed, rolled back to, or
booted. Boots of one release between two other events are one entry, the last one's: there may be thousands.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Self

from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import NO_DIGEST, NO_VERSION
from bitproof.model.decode import Table, parse_json
from bitproof.model.digest import Digest
from bitproof.model.names import check_name
from bitproof.model.version import Version

HISTORY_FORMAT = 1
MAX_HISTORY = 1 << 20
MAX_ENTRIES = 500
"""The newest ones that are kept: less than the largest file that is read."""
LATEST = 253_402_300_799
"""The end of the year 9999, in seconds."""


class Event(StrEnum):
    """What happened."""

    INSTALLED = "installed"
    ROLLED_BACK = "rolled back"
    BOOTED = "booted"


class Entry(NamedTuple):
    """One event.

    Attributes:
        version: of the assets.
        when: seconds since 1970; UTC.
        event: what happened.
        manifest: BLAKE3 of the store's manifest then.
        vm: whose own pin chose the release; empty when it was the machine's.
    """

    version: Version
    when: int
    event: Event
    manifest: Digest
    vm: str = ""

    @property
    def time(self) -> str:
        """As people read it."""
        return f"{datetime.fromtimestamp(self.when, UTC):%Y-%m-%d %H:%M:%S} UTC"

    def is_like(self, other: "Entry") -> bool:
        """Whether both say the same but for the time."""
        return self._replace(when=0) == other._replace(when=0)

    def document(self) -> dict[str, object]:
        """As JSON."""
        found: dict[str, object] = {"version": str(self.version), "when": self.when, "event": str(self.event)}
        return found | {"manifest": self.manifest.value} | ({"vm": self.vm} if self.vm else {})


class History(NamedTuple):
    """All entries, oldest first."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read the file.

        Raises:
            InputError: it is not of the form: every problem.
        """
        problems: list[Problem] = []
        table = Table(parse_json(data, where), "", problems)
        table.only("format", "entries")
        table.integer("format", HISTORY_FORMAT, HISTORY_FORMAT)
        table.get("entries", list, [])
        entries = tuple(_entry(row) for row in table.rows("entries"))
        if problems:
            fix = "remove it; then nothing is known of what ran here"
            raise InputError("the history is not usable", where=where, problems=problems, fix=fix)
        return cls(entries)

    def to_bytes(self) -> bytes:
        """The file: the same bytes for the same content."""
        import json

        document = {"format": HISTORY_FORMAT, "entries": [entry.document() for entry in self.entries]}
        return (json.dumps(document, indent=2) + "\n").encode()

    def after(self, entry: Entry) -> Self:
        """With one more entry; the oldest ones go when there are too many."""
        kept = list(self.entries)
        for index in reversed(range(len(kept))):
            other = kept[index]
            if other.is_like(entry):
                del kept[index]
                break
            if not (other.event is Event.BOOTED and (other.vm or entry.vm or other.version == entry.version)):
                break
        return self._replace(entries=(*kept, entry)[-MAX_ENTRIES:])

    @property
    def at(self) -> Version | None:
        """The release that the machine was brought to last; None when none is known."""
        found = (entry.version for entry in reversed(self.entries) if entry.event is not Event.BOOTED and not entry.vm)
        return next(found, None)

    def has_booted(self, version: Version) -> bool:
        """Whether this machine, or a VM of it, has booted a release."""
        return any(entry.version == version and entry.event is Event.BOOTED for entry in self.entries)

    def before(self, version: Version) -> Version | None:
        """The release that the machine had before it first had this one; None when none is known.

        What it had between two times of this one is what was turned away from. VMs with pins of their own do not count.
        """
        had = [entry.version for entry in self.entries if not entry.vm]
        until = had[: had.index(version)] if version in had else had
        return next((other for other in reversed(until) if other != version), None)


def _entry(table: Table) -> Entry:
    table.only("version", "when", "event", "manifest", "vm")
    return Entry(
        version=table.parsed("version", Version, NO_VERSION),
        when=table.integer("when", 0, LATEST),
        event=_event(table.choice("event", tuple(Event))),
        manifest=table.parsed("manifest", Digest.parse, NO_DIGEST),
        vm=table.parsed("vm", check_name, "", required=False),
    )


def _event(text: str) -> Event:
    return Event(text) if text in tuple(Event) else Event.BOOTED
