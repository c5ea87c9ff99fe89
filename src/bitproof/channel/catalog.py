"""What a channel says of the blobs of its manifest: a field of the signed target. Pure.

``{"assets": {"<blake3>": {"sha256": "<hex>", "size": n, "chunks": {"blake3": …, "sha256": …, "size": n}}}}``, where
``chunks`` is the asset's chunk index, and may be missing. So every body that a client reads has a signed length.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bitproof.channel.ports import Blob
from bitproof.errors import IntegrityError, Problem
from bitproof.model.asset_manifest import MAX_SIZE
from bitproof.model.decode import Table
from bitproof.model.digest import Digest


class Entry(NamedTuple):
    """An asset's blob, and that of its chunk index, when it has one."""

    blob: Blob
    chunks: Blob | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Both of them."""
        return (self.blob,) if self.chunks is None else (self.blob, self.chunks)


_STAND_IN = Digest("blake3", "0" * 64)

Catalog = Mapping[Digest, Entry]
"""By the asset's BLAKE3."""


def print_catalog(entries: Iterable[Entry]) -> dict[str, object]:
    """The field of a catalog, sorted by digest."""
    assets: dict[str, object] = {}
    for entry in sorted(entries, key=lambda entry: entry.blob.blake3.value):
        told: dict[str, object] = {"sha256": entry.blob.sha256.value, "size": entry.blob.size}
        if entry.chunks is not None:
            chunks = entry.chunks
            told["chunks"] = {"blake3": chunks.blake3.value, "sha256": chunks.sha256.value, "size": chunks.size}
        assets[entry.blob.blake3.value] = told
    return {"assets": assets}


def parse_catalog(custom: Mapping[str, object], where: str) -> Catalog:
    """Read the field; what it has besides is left alone.

    Raises:
        IntegrityError: it is not of the form: every problem.
    """
    problems: list[Problem] = []
    root = Table(dict(custom), "", problems)
    catalog = {}
    for name, table in root.table("assets", required=False).tables():
        chunks = _blob(table.table("chunks"), None) if "chunks" in table.values else None
        blob = _blob(table, name)
        catalog[blob.blake3] = Entry(blob, chunks)
    if problems:
        raise IntegrityError("the channel's list of blobs is not usable", where=where, problems=problems)
    return catalog


def _blob(table: Table, name: str | None) -> Blob:
    """A blob whose BLAKE3 is its name, or stands beside the rest; a stand-in when it is not usable."""
    blake3 = _STAND_IN
    if name is None:
        blake3 = table.parsed("blake3", Digest.parse, _STAND_IN)
    else:
        try:
            blake3 = Digest("blake3", name)
        except ValueError as error:
            table.problem("", str(error))
    sha256 = table.parsed("sha256", lambda text: Digest.parse(text, "sha256"), _STAND_IN)
    return Blob(blake3, sha256, table.integer("size", 0, MAX_SIZE))
