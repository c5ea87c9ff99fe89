"""Files to cut: the same bytes on every machine."""

from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

from bitproof.channel.chunks.cut import make_index, plan_reuse
from bitproof.channel.chunks.index import ChunkIndex, parse_index
from bitproof.channel.chunks.plan import ReusePlan
from bitproof.channel.ports import Blob
from bitproof.system.hashing import bytes_digest, bytes_sha256
from bitproof.system.opened import OpenFile, open_file


def content(seed: str, size: int) -> bytes:
    """Bytes that look random and are always the same."""
    return blake3(seed.encode()).digest(length=size)


def opened(path: Path, data: bytes) -> OpenFile:
    """A new file of these bytes, open for reading; the caller closes it."""
    path.write_bytes(data)
    return open_file(path)


def index_of(path: Path, data: bytes) -> ChunkIndex:
    """The index of an asset of these bytes, by way of its file and its printed form."""
    with opened(path, data) as file:
        digest = bytes_digest(data)
        return parse_index(make_index(file, digest), digest, len(data), "the index")


def blob_of(data: bytes) -> Blob:
    """The blob of these bytes."""
    return Blob(bytes_digest(data), bytes_sha256(data), len(data))


def planned(directory: Path, wanted: bytes, local: Sequence[OpenFile]) -> ReusePlan:
    """The plan for an asset of these bytes with these files at hand."""
    return plan_reuse(index_of(directory / "wanted", wanted), local)
