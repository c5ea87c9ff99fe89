"""Fetch one asset: only the bytes that the store lacks, resumed where a killed update stopped, proved as a whole.

The bytes go into a file beside the store's, under a name bound to the digest, so that the next update finds what there
is. What is proved gets its name in the store by a rename (`land`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.install import MODE
from bitproof.assets.landing import digest_while_syncing
from bitproof.channel.catalog import Entry
from bitproof.channel.ports import Blob, Range, Reader
from bitproof.errors import IntegrityError
from bitproof.model.asset_manifest import PinnedFile
from bitproof.model.names import hash_name
from bitproof.system.content import reserve
from bitproof.system.downloads import adopt, resume
from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, Progress


@dataclass(frozen=True, slots=True)
class Wanted:
    """An asset that the store lacks, where its bytes are, and what is at hand that may have some of them."""

    pin: PinnedFile
    entry: Entry
    at_hand: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Its name in the store."""
        return hash_name(self.pin.name, self.pin.digest)


class Fetched(NamedTuple):
    """What it cost: bytes that came from the place, the chunk index included, and bytes that were at hand."""

    fetched: int
    reused: int


def part_name(pin: PinnedFile) -> str:
    """The name of a download that is not proved yet."""
    return f"{pin.digest.value}.part"


def fetch(wanted: Wanted, reader: Reader, downloads: Directory, progress: Progress) -> Fetched:
    """Bring an asset's bytes into ``downloads`` and prove them.

    Raises:
        IntegrityError: the place serves other bytes than the manifest pins; nothing of them is left.
        UnavailableError: the place does not serve, or the disk is full; what came is kept for the next time.
    """
    with resume(downloads, part_name(wanted.pin)) as target:
        whole(wanted.entry.blob, target, reader, progress)
        found = digest_while_syncing(target)
    if found != wanted.pin.digest:
        downloads.remove(part_name(wanted.pin))
        raise IntegrityError(
            "the place serves other bytes",
            where=f"{reader.where}: {wanted.pin.name}",
            expected=str(wanted.pin.digest),
            found=str(found),
            fix="use another mirror, or ask the publisher",
        )
    return Fetched(wanted.entry.blob.size, 0)


def whole(blob: Blob, target: OpenFile, reader: Reader, progress: Progress) -> None:
    """Fetch all of a blob."""
    reserve(target.fd, blob.size)
    reader.fetch(blob, target, [Range(0, blob.size)] if blob.size else [], progress)


def land(wanted: Sequence[Wanted], downloads: Directory, store: Directory) -> None:
    """Give proved downloads their names in the store."""
    for one in wanted:
        adopt(downloads, part_name(one.pin), store, one.name, MODE)
