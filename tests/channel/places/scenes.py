"""A repository of a registry, straight and through a proxy, and a blob of two pieces."""

from dataclasses import dataclass
from pathlib import Path

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.ports import Range
from tests.channel.places.blobs import blob_of, source_of, target_in
from tests.channel.places.servers import Proxy

TIMESTAMP = "stable/metadata/timestamp.json"
DATA = bytes(range(256)) * (40 << 10)  # 10 MiB: two pieces
BLOB = blob_of(DATA)


@dataclass
class Scene:
    """The same repository straight and through a proxy."""

    straight: OciPlace
    place: OciPlace
    proxy: Proxy


def put(place: OciPlace, directory: Path, data: bytes = DATA) -> list[int]:
    told: list[int] = []
    with source_of(directory, data) as source:
        place.put(blob_of(DATA), source, told.append)
    return told


def fetch(place: OciPlace, directory: Path, *ranges: Range) -> bytes:
    with target_in(directory) as target:
        place.fetch(BLOB, target, ranges or [Range(0, len(DATA))], lambda _: None)
        return target.path.read_bytes()
