"""What a client believes of a channel: TUF's client workflow over a `Reader`, under one fixed time.

Which metadata is accepted is python-tuf's decision (``TrustedMetadataSet``: signatures, thresholds, versions, hashes,
expiry). This module fetches, in the order of the specification (section 5), with a cap on every length; hands each
piece that is accepted to whoever keeps it; and says a refusal in bitproof's words. It decides nothing about releases.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bitproof.channel.layout import metadata_path
from bitproof.channel.ports import Reader
from bitproof.channel.targets import Target, files_of
from bitproof.errors import IntegrityError, UnavailableError

if TYPE_CHECKING:
    from tuf.api.exceptions import RepositoryError

ROOT, TIMESTAMP, SNAPSHOT, TARGETS = "root", "timestamp", "snapshot", "targets"
LIMITS = {ROOT: 512_000, TIMESTAMP: 16_384, SNAPSHOT: 2_000_000, TARGETS: 5_000_000}
"""Bytes of a role's metadata: those of python-tuf's own client."""
MAX_ROTATIONS = 256
"""How many roots a client follows in one refresh; the next one goes on from there."""
ALL_ROTATIONS = 1 << 14
"""How many are followed from a channel's first root on, by who has no later one or publishes."""
ALWAYS = datetime.min.replace(tzinfo=UTC)
"""A time at which nothing has expired: for who publishes, since an expired channel has to be mended."""

Keep = Callable[[str, bytes], None]
"""Told a role and its metadata, as soon as these are believed."""


class Believed(NamedTuple):
    """A channel's state as it was proved; ``expires`` is the earliest of its four roles' expiries."""

    root_version: int
    timestamp: bytes
    expires: datetime
    targets: Mapping[str, Target]


def refresh(reader: Reader, channel: str, local: Mapping[str, bytes], now: datetime, keep: Keep) -> Believed:
    """Bring what is believed up to date.

    Args:
        reader: the channel's place.
        channel: its name.
        local: metadata that was believed before, by role; the root has to be there.
        now: the time at which this refresh began; UTC.
        keep: is given every new piece once it is believed, in the order in which a later refresh needs them.

    Raises:
        IntegrityError: something is not signed by enough trusted keys, is older than what was believed, has expired, or
            does not belong to the rest.
        UnavailableError: the place does not serve, or lacks a piece.
    """
    trust = Trust(reader, channel, local, now, keep)
    trust.update()
    return trust.believed()


class Trust:
    """The steps of one refresh. ``accepted`` is the metadata that is believed by now, by role."""

    def __init__(self, reader: Reader, channel: str, local: Mapping[str, bytes], now: datetime, keep: Keep) -> None:
        from tuf.api.exceptions import RepositoryError
        from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
        from tuf.ngclient.config import EnvelopeType

        self.reader = reader
        self.channel = channel
        self.local = dict(local)
        self.keep = keep
        self.accepted = dict(local)
        try:
            self.set: TrustedMetadataSet = TrustedMetadataSet(local[ROOT], EnvelopeType.METADATA)
        except RepositoryError as error:
            raise self._refused(ROOT, error) from None
        self.set.reference_time = now

    def update(self, rotations: int = MAX_ROTATIONS) -> None:
        """All of them, in the specification's order; ``rotations`` is how many roots are followed."""
        self.update_root(rotations)
        self.forget_rotated()
        self.update_timestamp()
        self.update_snapshot()
        self.update_targets()

    def update_root(self, rotations: int) -> None:
        """Follow the chain of roots, each signed by the one before it (section 5.3)."""
        from tuf.api.exceptions import RepositoryError

        for version in range(self.set.root.version + 1, self.set.root.version + 1 + rotations):
            data = self.reader.read(metadata_path(self.channel, ROOT, version), LIMITS[ROOT])
            if data is None:
                return
            try:
                self.set.update_root(data)
            except RepositoryError as error:
                raise self._refused(ROOT, error) from None
            self._accept(ROOT, data)

    def forget_rotated(self) -> None:
        """Once timestamp or snapshot have other keys, neither of the last ones bounds what comes (section 5.3.11).

        A thief may have given both any version. Whether keys are others is seen by the signatures, not by the root
        that brought them: the run that followed it may not have come further.
        """
        if any(not self._is_signed(role, self.local[role]) for role in (TIMESTAMP, SNAPSHOT) if role in self.local):
            self.local.pop(TIMESTAMP, None)
            self.local.pop(SNAPSHOT, None)

    def _is_signed(self, role: str, data: bytes) -> bool:
        from tuf.api.exceptions import RepositoryError
        from tuf.api.metadata import Metadata

        try:
            metadata: Metadata[Any] = Metadata.from_bytes(data)
            self.set.root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError:
            return False
        return True

    def update_timestamp(self) -> None:
        """The only file that changes in its place: newer than the last one, or the same (section 5.4)."""
        from tuf.api.exceptions import EqualVersionNumberError, RepositoryError

        if before := self.local.get(TIMESTAMP):
            with suppress(RepositoryError):  # kept for its version only
                self.set.update_timestamp(before)
        data = self._fetched(TIMESTAMP, None, LIMITS[TIMESTAMP])
        try:
            self.set.update_timestamp(data)
        except EqualVersionNumberError:
            return
        except RepositoryError as error:
            raise self._refused(TIMESTAMP, error) from None
        self._accept(TIMESTAMP, data)

    def update_snapshot(self) -> None:
        """Which targets metadata goes with the timestamp (section 5.5)."""
        from tuf.api.exceptions import RepositoryError

        if before := self.local.get(SNAPSHOT):
            with suppress(RepositoryError):
                self.set.update_snapshot(before, trusted=True)
                return
        meta = self.set.timestamp.snapshot_meta
        data = self._fetched(SNAPSHOT, meta.version, meta.length or LIMITS[SNAPSHOT])
        try:
            self.set.update_snapshot(data)
        except RepositoryError as error:
            raise self._refused(SNAPSHOT, error) from None
        self._accept(SNAPSHOT, data)

    def update_targets(self) -> None:
        """What files the channel has (section 5.6)."""
        from tuf.api.exceptions import RepositoryError

        if before := self.local.get(TARGETS):
            with suppress(RepositoryError):
                self.set.update_targets(before)
                return
        meta = self.set.snapshot.meta.get(f"{TARGETS}.json")
        if meta is None:
            raise self._refused(SNAPSHOT, RepositoryError("it does not list the targets"))
        data = self._fetched(TARGETS, meta.version, meta.length or LIMITS[TARGETS])
        try:
            self.set.update_targets(data)
        except RepositoryError as error:
            raise self._refused(TARGETS, error) from None
        self._accept(TARGETS, data)

    def believed(self) -> Believed:
        """What was proved."""
        roles = (self.set.root, self.set.timestamp, self.set.snapshot, self.set.targets)
        expires = min(role.expires for role in roles)
        files = files_of(self.set.targets, f"{self.reader.where} channel {self.channel}")
        return Believed(self.set.root.version, self.accepted[TIMESTAMP], expires, files)

    def _accept(self, role: str, data: bytes) -> None:
        self.accepted[role] = data
        self.keep(role, data)

    def _fetched(self, role: str, version: int | None, limit: int) -> bytes:
        path = metadata_path(self.channel, role, version)
        data = self.reader.read(path, min(limit, LIMITS[role]))
        if data is None:
            raise UnavailableError(
                f"the channel has no {role}",
                where=f"{self.reader.where} {path}",
                fix=f"check the place and the channel's name, {self.channel!r}",
            )
        return data

    def _refused(self, role: str, error: "RepositoryError") -> IntegrityError:
        """A refusal of python-tuf's, said with the facts that are at hand."""
        from tuf.api.exceptions import ExpiredMetadataError

        where = f"{self.reader.where} channel {self.channel}"
        if isinstance(error, ExpiredMetadataError):
            return self._expired(role, where)
        what, fix = _REFUSALS.get(type(error).__name__, _MALFORMED)
        return IntegrityError(what.format(role=role), where=where, found=str(error), fix=fix)

    def _expired(self, role: str, where: str) -> IntegrityError:
        """An expired piece; what expired may be a piece before the one that was to be read."""
        late = {name: self.set[name] for name in (ROOT, TIMESTAMP, SNAPSHOT) if name in self._names()}
        name, expires = next(
            (
                (name, f"it expired at {signed.expires:%Y-%m-%d %H:%M:%S} UTC")
                for name, signed in late.items()
                if signed.is_expired(self.set.reference_time)
            ),
            (role, "it has expired"),
        )
        return IntegrityError(
            f"the channel's {name} has expired",
            where=where,
            expected=f"one that holds at {self.set.reference_time:%Y-%m-%d %H:%M:%S} UTC, this machine's time",
            found=expires,
            fix="check this machine's clock; else the place serves an old state, or the publisher has to renew it: "
            "bitproof channel renew",
        )

    def _names(self) -> set[str]:
        return {role.type for role in self.set}


_MALFORMED = ("the channel's {role} is not usable", "ask the publisher; bitproof channel check finds what is wrong")
_REFUSALS = {
    "UnsignedMetadataError": (
        "the channel's {role} is not signed by enough trusted keys",
        "do not use it; ask the publisher, by a way you trust, whether its keys were changed",
    ),
    "BadVersionNumberError": (
        "the channel's {role} is older than what this machine has seen, or not the one that belongs to the rest",
        "do not use it; the place serves an old state: ask the publisher, or use another mirror",
    ),
    "LengthOrHashMismatchError": (
        "the channel's {role} does not belong to the rest of its metadata",
        "try again, since it may have been published just now; else the place mixes old and new: use another mirror",
    ),
}
