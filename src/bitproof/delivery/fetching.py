"""Fetch one asset: only the bytes that the store lacks, resumed where a killed update stopped, proved as a whole.

The bytes go into a file beside the store's, under a name bound to the digest. First what files at hand have of it is
copied (`channel.chunks`) and the rest fetched; when that is not the asset, because a chunk index lied or a file at hand
changed, all of it is fetched. What is proved gets its name in the store by a rename (`land`).
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.install import MODE
from bitproof.assets.landing import digest_while_syncing
from bitproof.channel.catalog import Entry
from bitproof.channel.chunks.assemble import assemble
from bitproof.channel.chunks.cut import plan_reuse
from bitproof.channel.chunks.index import ChunkIndex, parse_index
from bitproof.channel.chunks.plan import may_save
from bitproof.channel.ports import Blob, Range, Reader
from bitproof.errors import BitproofError, IntegrityError
from bitproof.model.asset_manifest import PinnedFile
from bitproof.model.digest import Digest
from bitproof.model.names import hash_name
from bitproof.system.downloads import adopt, remove_others, remove_planted
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.net.partial import SUFFIX, Partial, open_partial, remove_partial
from bitproof.system.opened import OpenFile, Progress, ignore, in_memory, open_file

MOST_AT_HAND = 3
"""How many files are searched for chunks."""


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
    name = part_name(wanted.pin)
    for one in (name, f"{name}{SUFFIX}"):
        remove_planted(downloads, one)
    metered = _Metered(reader)
    with open_partial(downloads, name, wanted.entry.blob.size, str(wanted.pin.digest)) as target:
        reused = _from_chunks(wanted, target, metered, progress)
        if reused and digest_while_syncing(target) == wanted.pin.digest:
            return Fetched(metered.bytes, reused)
        if reused:
            target.forget()
        resumed = bool(target.done)
        _whole(wanted.entry.blob, target, metered, ignore if reused else progress)
        found = digest_while_syncing(target)
        if found != wanted.pin.digest and resumed:  # what an earlier run left may be what is wrong
            target.forget()
            _whole(wanted.entry.blob, target, metered, ignore)
            found = digest_while_syncing(target)
    if found != wanted.pin.digest:
        remove_partial(downloads, name)
        raise _other_bytes(wanted, reader, found)
    return Fetched(metered.bytes, 0)


class _Metered:
    """A reader that counts the bytes it brings."""

    def __init__(self, reader: Reader) -> None:
        self.where = reader.where
        self.read = reader.read
        self._fetch = reader.fetch
        self._came: list[int] = []

    @property
    def bytes(self) -> int:
        """How many have come."""
        return sum(self._came)

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`."""

        def count(size: int) -> None:
            self._came.append(size)  # in any thread
            progress(size)

        self._fetch(blob, target, ranges, count)


def _other_bytes(wanted: Wanted, reader: Reader, found: Digest) -> IntegrityError:
    return IntegrityError(
        "the place serves other bytes",
        where=f"{reader.where}: {wanted.pin.name}",
        expected=str(wanted.pin.digest),
        found=str(found),
        fix="use another mirror, or ask the publisher",
    )


def _whole(blob: Blob, target: Partial, reader: Reader, progress: Progress) -> None:
    """Fetch all of a blob that has not landed yet."""
    left = [Range(*span) for span in target.missing([(0, blob.size)])] if blob.size else []
    progress(blob.size - sum(one.size for one in left))
    if left:
        reader.fetch(blob, target, left, progress)


def _from_chunks(wanted: Wanted, target: Partial, reader: Reader, progress: Progress) -> int:
    """Fill the file with what is at hand and fetch the rest; the bytes that were at hand, or 0: nothing is filled then.

    Chunks are a hint: an index or a file at hand that is of no use costs a whole download and stops nothing.
    """
    chunks = wanted.entry.chunks
    if not wanted.at_hand or chunks is None or not may_save(wanted.entry.blob.size, chunks.size):
        return 0
    with ExitStack() as stack:
        try:
            index = _index(wanted, chunks, reader)
            local = [stack.enter_context(open_file(path)) for path in wanted.at_hand[:MOST_AT_HAND]]
            plan = plan_reuse(index, local)
        except BitproofError:
            return 0
        if not plan.is_cheaper:
            return 0
        with suppress(IntegrityError):  # it will not verify then
            assemble(plan, local, target, reader, wanted.entry.blob, progress)
    return plan.reused


def _index(wanted: Wanted, blob: Blob, reader: Reader) -> ChunkIndex:
    """The chunk index of an asset.

    Raises:
        IntegrityError: it is not what was signed, or no index of this asset.
        InputError: it has a format that is not known here.
        UnavailableError: the place does not serve it.
    """
    with in_memory(b"", "chunk index") as file:
        reader.fetch(blob, file, [Range(0, blob.size)], ignore)
        data = file.read(blob.size)
    where = f"{reader.where}: the chunk index of {wanted.pin.name}"
    if bytes_digest(data) != blob.blake3:
        raise IntegrityError("the chunk index is not what was signed", where=where, expected=str(blob.blake3))
    return parse_index(data, wanted.pin.digest, wanted.entry.blob.size, where)


def drop_others(wanted: Sequence[Wanted], downloads: Directory) -> None:
    """Remove what earlier runs left of files that are no longer wanted, or are in the store by now."""
    parts = {part_name(one.pin) for one in wanted}
    remove_others(downloads, parts | {f"{part}{SUFFIX}" for part in parts})


def land(wanted: Sequence[Wanted], downloads: Directory, store: Directory) -> None:
    """Give proved downloads their names in the store."""
    for one in wanted:
        adopt(downloads, part_name(one.pin), store, one.name, MODE)
        downloads.remove(f"{part_name(one.pin)}{SUFFIX}")
