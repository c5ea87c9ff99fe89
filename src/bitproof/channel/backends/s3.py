"""A place in an S3 store: ``s3://bucket/prefix``, endpoint and credentials from the ``AWS_*`` variables.

Requests are obstore's, which signs, repeats and resumes them. Nothing is locked: `S3Place.create` and `S3Place.swap`
are conditional writes, of which the store lets one of two succeed.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bitproof.channel.backends.patience import PATIENT, Patience
from bitproof.channel.backends.pieces import PIECE, WIDTH, fetch_pieces, landing
from bitproof.channel.backends.s3_connection import connected, may_be_plain
from bitproof.channel.backends.s3_errors import no_conditions, other_bytes, told
from bitproof.channel.backends.urls import S3Address
from bitproof.channel.layout import blob_path, bundle_path
from bitproof.channel.ports import Blob, NamedBlob, Range
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.opened import OpenFile, Progress, unavailable

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import S3Store

MAX_PARTS = 9_000
"""Parts of one upload; S3 takes 10,000."""
PROBE = ".conditional-writes"
_IMPOSSIBLE = '"00000000000000000000000000000000"'


class S3Place:
    """A `Backend` over a prefix of a bucket.

    Args:
        url: ``s3://bucket/prefix``.
        patience: how long the store is waited for.

    Raises:
        InputError: the URL is no place in a store, or the endpoint is neither https nor on the loopback.
    """

    def __init__(self, url: str, patience: Patience = PATIENT) -> None:
        self.address = S3Address.parse(url)
        self.allow_http = may_be_plain(os.environ)
        self.patience = patience
        self._store: S3Store | None = None

    @property
    def where(self) -> str:
        """The URL."""
        return str(self.address)

    @property
    def store(self) -> "S3Store":
        """The connection, made at first use."""
        if self._store is None:
            self._store = connected(self.address, self.patience, allow_http=self.allow_http)
        return self._store

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`."""
        found = self._read(path, limit)
        return None if found is None else found[0]

    def _read(self, path: str, limit: int) -> tuple[bytes, str] | None:
        """The bytes and what the store calls this version of them."""
        import obstore

        where = f"{self.where}/{path}"
        try:
            with told(where):
                result = obstore.get(self.store, path)
                data = bytearray()
                if result.meta["size"] <= limit:
                    for chunk in result.stream(min_chunk_size=1):
                        data += chunk
                        if len(data) > limit:
                            break
        except FileNotFoundError:
            return None
        if max(len(data), result.meta["size"]) > limit:
            raise IntegrityError("the file is larger than it may be", where=where, expected=f"at most {limit} bytes")
        return bytes(data), result.meta["e_tag"] or ""

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`: pieces side by side, so that at most `WIDTH` of `PIECE` bytes are in memory."""
        path = blob_path(blob)
        landed = landing(target, progress)

        def fetch(piece: Range, _: threading.Event) -> None:
            self._fetch(path, blob.size, piece, target)
            landed(*piece)

        fetch_pieces(ranges, fetch)

    def _fetch(self, path: str, size: int, piece: Range, target: OpenFile) -> None:
        import obstore

        where = f"{self.where}/{path}"
        wanted = (piece.offset, piece.offset + piece.size)
        try:
            with told(where):
                result = obstore.get(self.store, path, options={"range": wanted})
                data = result.bytes()
        except FileNotFoundError:
            raise UnavailableError("the place has no such blob", where=where) from None
        if result.meta["size"] != size:
            raise other_bytes(where, f"a blob of {size} bytes", f"one of {result.meta['size']} bytes")
        if len(data) != piece.size:
            raise other_bytes(where, f"{piece.size} bytes", f"{len(data)} bytes")
        try:
            os.pwrite(target.fd, data, piece.offset)
        except OSError as error:
            raise unavailable(error, "the blob cannot be written", target.path) from None

    @contextmanager
    def exclusive(self, channel: str) -> Iterator[None]:
        """As `Backend.exclusive`, without a lock: it proves that the store keeps the conditions of `swap` and `create`.

        Some stores ignore them and say nothing; then a publisher could overwrite another one's file unseen.

        Raises:
            UnavailableError: the store has no conditional writes.
        """
        path = f"{channel}/{PROBE}"
        for mode in self._probes(path):
            if self._put(path, b"", mode):
                raise no_conditions(self.where, "a write that had to be refused was done")
        yield

    def _probes(self, path: str) -> "Iterator[PutMode]":
        """Conditions that cannot hold once the probe's object is there; it is made when it is not."""
        if not self._put(path, b"", "create") or not self._put(path, b"", "create"):
            yield {"e_tag": _IMPOSSIBLE}
        else:
            yield "create"

    def has(self, blob: Blob) -> bool:
        """As `Backend.has`."""
        return self._size(blob_path(blob)) == blob.size

    def _size(self, path: str) -> int | None:
        """Bytes of an object; None when there is none."""
        import obstore

        try:
            with told(f"{self.where}/{path}"):
                return obstore.head(self.store, path)["size"]
        except FileNotFoundError:
            return None

    def put(self, blob: Blob, source: OpenFile, progress: Progress) -> None:
        """As `Backend.put`, in parts; a broken upload leaves nothing.

        Raises:
            IntegrityError: the file is not the blob; nothing appeared under its name.
            UnavailableError: the store refused, or cannot be reached.
        """
        import obstore

        if self.has(blob):
            progress(blob.size)
            return
        path = blob_path(blob)
        part = max(PIECE, -(-blob.size // MAX_PARTS))
        with told(f"{self.where}/{path}"):
            obstore.put(self.store, path, _proved(blob, source, part, progress), chunk_size=part, max_concurrency=WIDTH)

    def create(self, path: str, data: bytes) -> bool:
        """As `Backend.create`."""
        return self._put(path, data, "create") or self._landed(path, data)

    def swap(self, path: str, data: bytes, before: bytes | None) -> bool:
        """As `Backend.swap`. A write whose answer was lost is seen by its bytes."""
        if before is None:
            return self.create(path, data)
        try:
            found = self._read(path, len(before))
        except IntegrityError:  # longer, so it is not what was there before
            return False
        if found is None or found[0] != before:
            return False
        return self._put(path, data, {"e_tag": found[1]}) or self._landed(path, data)

    def _landed(self, path: str, data: bytes) -> bool:
        """Whether a file has just these bytes."""
        try:
            return self.read(path, len(data)) == data
        except IntegrityError:
            return False

    def _put(self, path: str, data: bytes, mode: "PutMode") -> bool:
        """A conditional write; False when the condition did not hold."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            with told(f"{self.where}/{path}"):
                obstore.put(self.store, path, data, mode=mode)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return False
        return True

    def announce(self, version: str, files: Sequence[NamedBlob]) -> None:
        """As `Backend.announce`: a store has no other names."""

    def attach(self, channel: str, version: str, make: Callable[[], bytes | None]) -> None:
        """As `Backend.attach`: an object by the release's version."""
        path = bundle_path(channel, version)
        if self._size(path) is None and (bundle := make()) is not None:
            self.create(path, bundle)


def _proved(blob: Blob, source: OpenFile, part: int, progress: Progress) -> Iterator[bytes]:
    """The bytes of a blob in parts; the last one is held back until all are proved, so that nothing wrong appears."""
    hasher = hashlib.sha256()
    offset = 0
    while True:
        chunk = source.read_at(offset, part)
        offset += len(chunk)
        hasher.update(chunk)
        if offset >= blob.size or not chunk:
            break
        yield chunk
        progress(len(chunk))
    if offset != blob.size or hasher.hexdigest() != blob.sha256.value:
        raise IntegrityError(
            "the file is not the blob",
            where=source.path,
            expected=f"{blob.sha256}, {blob.size} bytes",
            found=f"sha256:{hasher.hexdigest()}, {offset} bytes",
        )
    if chunk:
        yield chunk
    progress(len(chunk))
