"""Blobs of a registry by their SHA-256: looked for, read in parts, and uploaded.

An upload is that of every client: ``POST`` for a place to send to, ``PATCH`` with the bytes, ``PUT`` with the digest,
which the registry compares. When the bytes break off, it is asked how many it has, and gets the rest.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from bitproof.channel.backends.registry.artifacts import EMPTY, NOTHING, Descriptor
from bitproof.channel.backends.registry.connection import Broken, Registry
from bitproof.channel.backends.registry.refusals import unreachable
from bitproof.channel.ports import Range
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.opened import OpenFile, Progress, unavailable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

STEP = 1 << 20
"""Bytes that are read, sent or written at a time."""
FLOOR = 16 << 10
"""Bytes a second: whoever serves less is not waited for."""
GRACE = 60
"""Seconds more than the floor allows."""
_OK, _CREATED, _ACCEPTED, _PARTIAL, _NO_CONTENT, _ABSENT = 200, 201, 202, 206, 204, 404
_RANGE = re.compile(r"(?:bytes=)?0-(?P<last>[0-9]{1,18})", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})/(?P<size>[0-9]{1,18}|\*)", re.ASCII)


class Source(NamedTuple):
    """What is uploaded: ``read`` gives bytes from an offset on, at most so many."""

    digest: Digest
    size: int
    read: Callable[[int, int], bytes]


def of_bytes(data: bytes) -> Source:
    """Bytes in memory."""
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    return Source(digest, len(data), lambda offset, size: data[offset : offset + size])


def has_blob(registry: Registry, digest: Digest, size: int) -> bool:
    """Whether there is a blob of this digest and size."""
    answer = registry.call("HEAD", f"blobs/{digest}", (_OK, _ABSENT))
    return answer.status == _OK and answer.headers.get("Content-Length") == str(size)


def read_blob(registry: Registry, descriptor: Descriptor, limit: int) -> bytes:
    """A small blob, whole, and proved to be the one that is meant; from the descriptor when it carries it.

    Raises:
        IntegrityError: it is larger than ``limit``, or other bytes.
        UnavailableError: the registry does not serve it.
    """
    where = f"{registry.where}@{descriptor.digest}"
    if descriptor.size > limit:
        expected, found = f"at most {limit} bytes", f"{descriptor.size} bytes"
        raise IntegrityError("the file is larger than it may be", where=where, expected=expected, found=found)
    data = descriptor.data
    if data is None:
        data = registry.call("GET", f"blobs/{descriptor.digest}", (_OK,), limit=descriptor.size).body
    found_digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    if len(data) != descriptor.size or found_digest != descriptor.digest:
        expected = f"{descriptor.digest}, {descriptor.size} bytes"
        found = f"more than {descriptor.size} bytes" if len(data) > descriptor.size else f"{found_digest}"
        raise IntegrityError("the registry serves other bytes", where=where, expected=expected, found=found)
    return data


def fetch_range(registry: Registry, digest: Digest, size: int, piece: Range, target: OpenFile, stop: Event) -> None:
    """Write a range of a blob to the same place in ``target``; repeated when it breaks off.

    Args:
        registry: where it is.
        digest: which blob.
        size: of the blob.
        piece: which bytes of it.
        target: where they go.
        stop: set when the rest is not wanted any more.

    Raises:
        IntegrityError: the registry serves other bytes than were asked for: another offset, another length.
        UnavailableError: it does not serve, or too slowly.
    """
    headers = {"Range": f"bytes={piece.offset}-{piece.offset + piece.size - 1}"}
    where = f"{registry.where}@{digest}"

    def attempt() -> None:
        with registry.opened("GET", f"blobs/{digest}", (_OK, _PARTIAL), headers=headers) as response:
            whole = response.status == _OK
            _check_range(response, size, piece, where)
            _store(response, piece, piece.offset if whole else 0, target, stop, where)

    registry.repeated(attempt)


def _check_range(response: "BaseHTTPResponse", size: int, piece: Range, where: str) -> None:
    """Compare what is served with what was asked for; a registry without ranges serves the whole blob."""
    if response.status == _OK:
        length = response.headers.get("Content-Length", str(size))
        if length == str(size):
            return
        expected, found = f"{size} bytes", f"{length[:20]} bytes"
    else:
        told = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(told)
        last = piece.offset + piece.size - 1
        same = match is not None and (int(match["first"]), int(match["last"])) == (piece.offset, last)
        if match is not None and same and match["size"] in {"*", str(size)}:
            return
        expected, found = f"bytes {piece.offset}-{last}/{size}", told[:80] or "no range"
    what = "the registry serves other bytes than were asked for"
    raise IntegrityError(what, where=where, expected=expected, found=found)


def _store(response: "BaseHTTPResponse", piece: Range, skipped: int, target: OpenFile, stop: Event, where: str) -> None:
    """Write the answer's bytes, after those that are to be skipped."""
    deadline = time.monotonic() + GRACE + (skipped + piece.size) / FLOOR
    end = skipped + piece.size
    done = 0
    while done < end and not stop.is_set():
        chunk = response.read(min(STEP, end - done))
        if not chunk:
            raise Broken(unreachable(where, "the connection broke off"))
        if time.monotonic() > deadline:
            raise UnavailableError("the registry is too slow", where=where, expected=f"{FLOOR} bytes a second")
        fresh = chunk[max(skipped - done, 0) :]
        try:
            os.pwrite(target.fd, fresh, piece.offset + max(done - skipped, 0))
        except OSError as error:
            raise unavailable(error, "the blob cannot be written", target.path) from None
        done += len(chunk)


def upload(registry: Registry, source: Source, progress: Progress) -> None:
    """Bring a blob, when it is not there.

    Raises:
        IntegrityError: the registry received other bytes: the file changed.
        UnavailableError: it refused, or cannot be reached.
    """
    if has_blob(registry, source.digest, source.size):
        progress(source.size)
        return
    upload = _Upload(registry, source, progress)
    upload.send()
    upload.finish()


def upload_empty(registry: Registry) -> None:
    """The config of artifacts that need none."""
    upload(registry, of_bytes(EMPTY)._replace(digest=NOTHING.digest), lambda _: None)


class _Upload:
    """One upload, and how far it is."""

    def __init__(self, registry: Registry, source: Source, progress: Progress) -> None:
        self.registry = registry
        self.source = source
        self.progress = progress
        self.told = 0
        self._begin()

    def _begin(self) -> None:
        answer = self.registry.call("POST", "blobs/uploads/", (_ACCEPTED,))
        self._moved(answer.headers.get("Location", ""))
        self.sent = 0

    def _moved(self, location: str) -> None:
        if not location:
            raise UnavailableError("the registry names no place to upload to", where=self.registry.where)
        self.location = location

    def send(self) -> None:
        """All bytes, from where they broke off."""
        retry = 0
        while True:
            try:
                return self._patch()
            except Broken as broken:
                if retry == self.registry.patience.retries:
                    raise broken.error from None
                time.sleep(max(self.registry.patience.before(retry), broken.pause))
            retry += 1
            self._ask()

    def _patch(self) -> None:
        left = self.source.size - self.sent
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(left)}
        if self.sent:
            headers["Content-Range"] = f"{self.sent}-{self.source.size - 1}"
        with self.registry.opened("PATCH", self.location, (_ACCEPTED,), headers=headers, body=self._rest()) as response:
            self._moved(response.headers.get("Location", self.location))

    def _rest(self) -> Iterator[bytes]:
        offset = self.sent
        while offset < self.source.size:
            chunk = self.source.read(offset, min(STEP, self.source.size - offset))
            if not chunk:
                raise IntegrityError("the file ended while it was uploaded", where=self.registry.where)
            yield chunk
            offset += len(chunk)
            self._tell(offset)

    def _tell(self, offset: int) -> None:
        """Bytes that are sent again are no progress."""
        if offset > self.told:
            self.progress(offset - self.told)
            self.told = offset

    def _ask(self) -> None:
        """How far the registry is; begin anew when it does not know."""
        answer = self.registry.call("GET", self.location, (_NO_CONTENT, _OK, _ACCEPTED, _ABSENT))
        match = _RANGE.fullmatch(answer.headers.get("Range", ""))
        last = int(match["last"]) if match else 0
        if answer.status == _ABSENT or not 0 < last < self.source.size:
            self._begin()  # also for "0-0", which is one byte or none
            return
        self.sent = last + 1
        self._moved(answer.headers.get("Location", self.location))

    def finish(self) -> None:
        """Give the bytes their name. When that is refused, the answer to an earlier try may have been lost."""
        mark = "&" if "?" in self.location else "?"
        path = f"{self.location}{mark}digest={quote(str(self.source.digest), safe='')}"
        try:
            self.registry.call("PUT", path, (_CREATED, _NO_CONTENT), headers={"Content-Length": "0"}, body=b"")
        except UnavailableError:
            if not has_blob(self.registry, self.source.digest, self.source.size):
                raise
        self._tell(self.source.size)
