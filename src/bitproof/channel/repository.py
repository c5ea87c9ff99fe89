"""Change a channel: read its state, sign the next one, make it visible by one swap.

The order: files and metadata that nobody refers to yet, each created once; ``timestamp.json`` last. Whoever dies in
between leaves what readers never ask for. Two at once, where a place has no lock: the swap decides, and the slower one
is told. Version numbers that a dead publisher has used are skipped.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from bitproof.channel.layout import metadata_path, target_path
from bitproof.channel.ports import Backend
from bitproof.channel.roles import (
    Duty,
    Edition,
    NewTarget,
    Signers,
    changed_root,
    check_signers,
    next_snapshot,
    next_targets,
    next_timestamp,
    renewed,
    sign,
)
from bitproof.channel.roots import check_next_root
from bitproof.channel.targets import files_of, read_target
from bitproof.channel.trusted import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.hashing import bytes_sha256

if TYPE_CHECKING:
    from securesystemslib.signer import Signer
    from tuf.api.metadata import Snapshot, Targets

    V = TypeVar("V", Targets, Snapshot)

MAX_SKIPPED = 1000
"""How many versions of dead publishers are skipped."""


class Repository:
    """One channel of a place, for as long as other publishers are kept out.

    ``edition`` is its present state, proved as a client would, but for expiry: an expired channel has to be mended.
    """

    def __init__(self, backend: Backend, channel: str, edition: Edition) -> None:
        self.backend = backend
        self.channel = channel
        self.edition = edition

    @property
    def where(self) -> str:
        """The channel, as messages name it."""
        return f"{self.backend.where} channel {self.channel}"

    def read(self, name: str) -> tuple[bytes, Mapping[str, object]] | None:
        """A file of the channel and what is said of it; None when it has none of this name.

        Raises:
            IntegrityError: it is not what was signed.
            UnavailableError: it cannot be read.
        """
        target = files_of(self.edition.targets, self.where).get(name)
        return None if target is None else (read_target(self.backend, self.channel, target), target.custom)

    def publish(self, files: Mapping[str, bytes], custom: Mapping[str, object], signers: Signers, now: datetime) -> int:
        """Give the channel these files in the place of those it has.

        Args:
            files: by name; the bytes of each.
            custom: what is said of the first of them.
            signers: who signs targets, snapshot and timestamp.
            now: UTC.

        Returns:
            The version of the timestamp.

        Raises:
            InputError: the keys are not those of the channel; nothing is written.
            UnavailableError: another publisher was faster, or the place refused; readers see the old state.
        """
        self.check(signers, (TARGETS, SNAPSHOT, TIMESTAMP))
        for name, data in files.items():
            self._create(target_path(self.channel, name, data), data)
        listed = [
            NewTarget(name, len(data), bytes_sha256(data), custom if index == 0 else {})
            for index, (name, data) in enumerate(files.items())
        ]
        return self._write(listed, signers, now, (TARGETS, SNAPSHOT, TIMESTAMP))

    def renew(self, signers: Signers, now: datetime, roles: Sequence[str]) -> int:
        """Sign the same content again, so that it does not expire: the timestamp, and the roles below it as asked.

        Returns and raises as `publish`.
        """
        roles = roles_above(roles)
        self.check(signers, roles)
        return self._write(None, signers, now, roles)

    def check(self, signers: Signers, roles: Sequence[str]) -> None:
        """Refuse keys that nobody would believe. Raises InputError."""
        for role in roles:
            check_signers(self.edition.root, role, signers.get(role, ()), self.where)

    def write_root(self, root: bytes) -> None:
        """Make the next root visible: signed by enough keys of the present one and of its own.

        Raises:
            InputError: it is not signed so, or is not the next one.
            UnavailableError: there is one of that version already, or the place refused.
        """
        signed = check_next_root(self.edition.root, root, self.where)
        path = metadata_path(self.channel, ROOT, signed.version)
        if not self.backend.create(path, root):
            raise UnavailableError(
                "another root of this version is there already",
                where=f"{self.backend.where} {path}",
                fix="somebody else has changed the keys meanwhile: look at it, then begin anew",
            )
        self.edition = self.edition._replace(root=signed)

    def next_root(self, role: str, duty: Duty | None, signers: Sequence["Signer"], now: datetime) -> bytes:
        """The next root with other keys for a role, or a later expiry; signed by whom is at hand."""
        return sign(changed_root(self.edition.root, role, duty, now), signers)

    def _write(self, files: list[NewTarget] | None, signers: Signers, now: datetime, roles: Sequence[str]) -> int:
        """Sign and write these roles, and swap the timestamp."""
        edition = self.edition
        if TARGETS in roles:
            targets, data = self._place(TARGETS, next_targets(edition, files, now), signers[TARGETS])
            edition = edition._replace(targets=targets, snapshot=next_snapshot(edition, data, targets.version, now))
        elif SNAPSHOT in roles:
            edition = edition._replace(snapshot=renewed(edition.snapshot, edition.root, now))
        if SNAPSHOT in roles:
            snapshot, data = self._place(SNAPSHOT, edition.snapshot, signers[SNAPSHOT])
            timestamp = next_timestamp(edition, data, snapshot.version, now)
            edition = edition._replace(snapshot=snapshot, timestamp=timestamp)
        else:
            edition = edition._replace(timestamp=renewed(edition.timestamp, edition.root, now))
        data = sign(edition.timestamp, signers[TIMESTAMP])
        before = self.edition.timestamp_bytes or None
        if not self.backend.swap(metadata_path(self.channel, TIMESTAMP), data, before):
            raise UnavailableError(
                "another publisher was faster",
                where=self.where,
                expected="the timestamp that was read at the beginning",
                fix="nothing of yours is visible: run the same command again",
            )
        self.edition = edition._replace(timestamp_bytes=data)
        return edition.timestamp.version

    def _place(self, role: str, signed: "V", signers: "Sequence[Signer]") -> "tuple[V, bytes]":
        """Write versioned metadata under the next number that is free."""
        for _ in range(MAX_SKIPPED):
            data = sign(signed, signers)
            if self.backend.create(metadata_path(self.channel, role, signed.version), data):
                return signed, data
            signed.version += 1
        raise UnavailableError(f"no free version for the channel's {role}", where=self.where)

    def _create(self, path: str, data: bytes) -> None:
        if not self.backend.create(path, data):
            raise IntegrityError("the place has other bytes under this digest", where=f"{self.backend.where} {path}")


def roles_above(roles: Sequence[str]) -> tuple[str, ...]:
    """These roles and those that bind them."""
    order = (TARGETS, SNAPSHOT, TIMESTAMP)
    first = min((order.index(role) for role in roles), default=len(order) - 1)
    return order[first:]
