"""What a client keeps of a channel, in its store: the metadata it believes, and how far its updates have come."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from bitproof.channel.trusted import LIMITS, ROOT, TIMESTAMP
from bitproof.model.client_state import MAX_STATE, ClientState
from bitproof.model.names import FOLLOWED
from bitproof.system.files import Directory

DOWNLOADS = "downloads"


class Kept(NamedTuple):
    """An open state directory and what is in it; ``state`` is None before the first update."""

    directory: Directory
    state: ClientState | None
    metadata: Mapping[str, bytes]

    def keep(self, role: str, data: bytes) -> None:
        """Write metadata that is believed; whoever is killed believes it all the same the next time."""
        self.directory.write_changed(f"{role}.json", data)

    def write(self, state: ClientState) -> None:
        """Write how far it has come: the last thing that an update does."""
        self.directory.write_changed(FOLLOWED, state.to_bytes())

    def forget(self) -> None:
        """Believe nothing any more: before another channel is followed."""
        for name in (FOLLOWED, *(f"{role}.json" for role in reversed(LIMITS))):
            self.directory.remove(name)
        self.directory.sync()


def load_kept(directory: Directory) -> Kept:
    """Read a state directory.

    Raises:
        InputError: the state is there and bad.
        UnavailableError: something cannot be read.
    """
    data = _read(directory, FOLLOWED, MAX_STATE)
    state = None if data is None else ClientState.parse(data, str(directory.path / FOLLOWED))
    found = {role: _read(directory, f"{role}.json", limit) for role, limit in LIMITS.items()}
    metadata = {role: data for role, data in found.items() if data is not None}
    return Kept(directory, state, metadata if state is not None and ROOT in metadata else {})


def is_complete(kept: Kept, timestamp: bytes) -> bool:
    """Whether everything is installed for the channel's timestamp with these bytes."""
    state = kept.state
    return state is not None and bool(state.complete) and state.complete == sha256_hex(timestamp)


def believed_timestamp(kept: Kept) -> bytes:
    """The timestamp that was believed last; empty when none was."""
    return kept.metadata.get(TIMESTAMP, b"")


def sha256_hex(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _read(directory: Directory, name: str, limit: int) -> bytes | None:
    if directory.stat(name) is None:
        return None
    with directory.open(name) as file:
        return file.read(limit)
