"""The four roles of a channel: made, changed and signed. Pure: values in, signed metadata out (python-tuf's API).

Signatures are Ed25519 over canonical JSON. Nothing that goes in is changed: each function returns new metadata.
"""

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bitproof.errors import InputError
from bitproof.model.digest import Digest

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer
    from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

R = TypeVar("R", "Root", "Targets", "Snapshot", "Timestamp")

ROLES = ("root", "targets", "snapshot", "timestamp")
DAYS = {"root": 365, "targets": 365, "snapshot": 30, "timestamp": 7}
"""How long a role's metadata holds when nobody says otherwise."""
LIFETIMES = "x-bitproof-days"
"""The root's own field for how long each role's metadata holds, in days."""
KEY_NAME = "x-bitproof-key-id"
"""A key's own field in the root: its minisign id, by which people know it."""
MAX_DAYS = 3650
SPEC = "1.0.31"
_ID = re.compile(r"[0-9A-F]{16}", re.ASCII)

Signers = Mapping[str, Sequence["Signer"]]
"""Who signs, by role."""


class NewTarget(NamedTuple):
    """A file to list: its name, size, digest, and what is said of it."""

    name: str
    length: int
    digest: Digest
    custom: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Duty:
    """The keys of one role, and how many of them have to sign."""

    keys: tuple["Key", ...]
    threshold: int = 1

    def __post_init__(self) -> None:
        """Raise InputError when one key is named twice, or so many keys cannot sign."""
        twice = [key for index, key in enumerate(self.keys) if key.keyid in {one.keyid for one in self.keys[:index]}]
        if twice:
            raise InputError(
                "a role cannot have the same key twice",
                found=", ".join(key_name(key) for key in twice),
                fix="name each key of the role once",
            )
        if not 1 <= self.threshold <= len(self.keys):
            raise InputError(
                "the threshold cannot be met",
                expected=f"1 to {len(self.keys)}, as many as the role has keys",
                found=str(self.threshold),
                fix="name more keys, or another threshold: --threshold N",
            )


class Edition(NamedTuple):
    """One state of a channel; ``timestamp_bytes`` is what the next publisher replaces."""

    root: "Root"
    targets: "Targets"
    snapshot: "Snapshot"
    timestamp: "Timestamp"
    timestamp_bytes: bytes


def new_root(duties: Mapping[str, Duty], days: Mapping[str, int], now: datetime) -> "Root":
    """The first root of a channel.

    Args:
        duties: each of the four roles'.
        days: how long each role's metadata holds.
        now: UTC.
    """
    from tuf.api.metadata import Role, Root

    keys = {key.keyid: key for duty in duties.values() for key in duty.keys}
    roles = {role: Role([key.keyid for key in duty.keys], duty.threshold) for role, duty in duties.items()}
    root = Root(version=1, spec_version=SPEC, keys=keys, roles=roles, unrecognized_fields={LIFETIMES: dict(days)})
    root.expires = expiry(root, "root", now)
    return root


def changed_root(before: "Root", role: str, duty: Duty | None, now: datetime) -> "Root":
    """The next root: other keys for one role, or the same ones and a later expiry when ``duty`` is None."""
    root = copy.deepcopy(before)
    if duty is not None:
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        for key in duty.keys:
            root.add_key(key, role)
        root.roles[role].threshold = duty.threshold
    root.version += 1
    root.expires = expiry(root, "root", now)
    return root


def lifetime(root: "Root", role: str) -> timedelta:
    """How long a role's metadata holds from its signing on."""
    days = root.unrecognized_fields.get(LIFETIMES)
    told = days.get(role) if isinstance(days, dict) else None
    if type(told) is int and 1 <= told <= MAX_DAYS:
        return timedelta(days=told)
    return timedelta(days=DAYS[role])


def expiry(root: "Root", role: str, now: datetime) -> datetime:
    """When metadata of a role expires that is signed now; whole seconds."""
    return now.replace(microsecond=0) + lifetime(root, role)


def next_targets(edition: Edition, files: Iterable[NewTarget] | None, now: datetime) -> "Targets":
    """The next targets metadata: these files, or the same ones as before."""
    from tuf.api.metadata import TargetFile

    targets = renewed(edition.targets, edition.root, now)
    if files is not None:
        targets.targets = {
            file.name: TargetFile(
                file.length,
                {"sha256": file.digest.value},
                file.name,
                {"custom": dict(file.custom)} if file.custom else None,
            )
            for file in files
        }
    return targets


def next_snapshot(edition: Edition, targets: bytes, version: int, now: datetime) -> "Snapshot":
    """The next snapshot, which binds the targets metadata of these bytes."""
    from tuf.api.metadata import MetaFile

    snapshot = renewed(edition.snapshot, edition.root, now)
    snapshot.meta["targets.json"] = MetaFile.from_data(version, targets, ["sha256"])
    return snapshot


def next_timestamp(edition: Edition, snapshot: bytes, version: int, now: datetime) -> "Timestamp":
    """The next timestamp, which binds the snapshot of these bytes."""
    from tuf.api.metadata import MetaFile

    timestamp = renewed(edition.timestamp, edition.root, now)
    timestamp.snapshot_meta = MetaFile.from_data(version, snapshot, ["sha256"])
    return timestamp


def renewed(before: R, root: "Root", now: datetime) -> R:
    """The same content in the next version, with a later expiry."""
    signed = copy.deepcopy(before)
    signed.version += 1
    signed.expires = expiry(root, signed.type, now)
    return signed


def first_edition(root: "Root", now: datetime) -> Edition:
    """The state before the first publish: version 0 of everything but the root, never written."""
    from tuf.api.metadata import MetaFile, Snapshot, Targets, Timestamp

    parts = (Targets(), Snapshot(), Timestamp(snapshot_meta=MetaFile(1)))
    for part in parts:
        part.version = 0
        part.expires = expiry(root, part.type, now)
    return Edition(root, *parts, b"")


def sign(signed: R, signers: Sequence["Signer"]) -> bytes:
    """The bytes of signed metadata."""
    from tuf.api.metadata import Metadata

    metadata = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def check_signers(root: "Root", role: str, signers: Sequence["Signer"], where: str, fix: str = "") -> None:
    """Refuse to sign what nobody would believe; ``fix`` says how the role's keys are named, where not as always.

    Raises:
        InputError: not enough of the keys are those of the role.
    """
    wanted = root.roles[role]
    own = {signer.public_key.keyid for signer in signers} & set(wanted.keyids)
    if len(own) < wanted.threshold:
        raise InputError(
            f"these keys cannot sign the channel's {role}",
            where=where,
            expected=f"{wanted.threshold} of the keys {', '.join(key_names(root, role))}",
            found=", ".join(dict.fromkeys(key_name(signer.public_key) for signer in signers)) or "no key",
            fix=fix or f"name the secret keys of this role: --{role}-key FILE",
        )


def key_names(root: "Root", role: str) -> list[str]:
    """A role's keys, as people know them."""
    return [key_name(root.keys[keyid]) for keyid in root.roles[role].keyids]


def key_name(key: "Key") -> str:
    """A key as people know it: its minisign id, where the root says it, else the public key in hex."""
    told = key.unrecognized_fields.get(KEY_NAME)
    return told if isinstance(told, str) and _ID.fullmatch(told) else str(key.keyval.get("public", ""))
