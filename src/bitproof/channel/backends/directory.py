"""A place that is a directory: to publish into, for any web server to serve, and to update from without one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bitproof.channel.layout import BLOBS, blob_path, bundle_path, directories
from bitproof.channel.ports import Blob, NamedBlob, Range
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.content import copy_bytes, copy_range, reserve
from bitproof.system.files import Directory
from bitproof.system.hashing import blake3_digest
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import OpenFile, Progress, exists, open_file, unavailable

MODE = 0o644
"""Of what a web server reads."""


class DirectoryPlace:
    """A `Backend` over a directory, which is made when something is first written."""

    def __init__(self, root: Path, waiting: Waiting = silent) -> None:
        self.root = root
        self.waiting = waiting

    @property
    def where(self) -> str:
        """The directory."""
        return str(self.root)

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`."""
        target = self.root / path
        if not exists(target):
            if not exists(self.root):
                raise UnavailableError("there is no channel here", where=self.root, fix="check the path")
            return None
        with open_file(target, "the channel's file") as file:
            data = file.read(limit)
        if len(data) > limit:
            raise IntegrityError("the file is larger than it may be", where=target, expected=f"at most {limit} bytes")
        return data

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`."""
        with open_file(self.root / blob_path(blob), "the channel's blob") as source:
            if source.size != blob.size:
                raise IntegrityError(
                    "the blob has another size",
                    where=source.path,
                    expected=f"{blob.size} bytes",
                    found=f"{source.size} bytes",
                )
            for offset, size in ranges:
                try:
                    done = copy_range(source, target.fd, size, start=offset, offset=offset)
                except OSError as error:
                    raise unavailable(error, "the blob cannot be copied", target.path) from None
                if done != size:
                    raise IntegrityError("the blob ends too early", where=source.path, expected=f"{blob.size} bytes")
                progress(done)

    @contextmanager
    def exclusive(self, channel: str) -> Iterator[None]:
        """As `Backend.exclusive`: by a lock beside the channels.

        Whoever held it before may have been killed: what it left goes, and what it did is made to last before anyone
        relies on it.
        """
        with (
            Directory(self.root, create=True, what="the channel's place") as root,
            locked(root, waiting=self.waiting, name=f".{channel}.lock"),
        ):
            self._settle(root, channel)
            yield

    def _settle(self, root: Directory, channel: str) -> None:
        for path in (*directories(channel), BLOBS):
            if not exists(self.root / path):
                continue
            with Directory(self.root / path) as directory:
                if path != BLOBS:  # other channels' publishers may write there
                    directory.remove_temporaries()
                directory.sync()
        root.sync()

    def has(self, blob: Blob) -> bool:
        """As `Backend.has`."""
        path = self.root / blob_path(blob)
        return exists(path) and path.stat().st_size == blob.size

    def put(self, blob: Blob, source: OpenFile, progress: Progress) -> None:
        """As `Backend.put`."""
        if self.has(blob):
            progress(blob.size)
            return
        with self._below(blob_path(blob)) as (directory, name), locked(directory, waiting=self.waiting):
            directory.remove_temporaries()
            with directory.staged(name, MODE) as target:
                reserve(target.fd, blob.size)
                copy_bytes(source, target.fd, blob.size, progress)
                target.sync()
                _check_landed(OpenFile(target.fd, target.path), blob, source.path)

    def create(self, path: str, data: bytes) -> bool:
        """As `Backend.create`. Others are kept out by `exclusive`."""
        with self._below(path) as (directory, name):
            if directory.stat(name) is not None:
                with directory.open(name) as file:
                    return file.read(len(data)) == data
            directory.write(name, data, mode=MODE)
        return True

    def swap(self, path: str, data: bytes, before: bytes | None) -> bool:
        """As `Backend.swap`. Others are kept out by `exclusive`."""
        with self._below(path) as (directory, name):
            if directory.stat(name) is None:
                found = None
            else:
                with directory.open(name) as file:
                    found = file.read(len(before or b""))
            if found != before:
                return False
            directory.write(name, data, mode=MODE)
        return True

    def announce(self, version: str, files: Sequence[NamedBlob]) -> None:
        """As `Backend.announce`: a directory has no other names."""

    def attach(self, channel: str, version: str, make: Callable[[], bytes | None]) -> None:
        """As `Backend.attach`: a file by the release's version."""
        path = bundle_path(channel, version)
        if not exists(self.root / path) and (bundle := make()) is not None:
            self.create(path, bundle)

    @contextmanager
    def _below(self, path: str) -> Iterator[tuple[Directory, str]]:
        """The directory of a file, made when it is not there, and the file's name in it."""
        *parents, name = path.split("/")
        with ExitStack() as stack:
            directory = stack.enter_context(Directory(self.root, create=True, what="the channel's place"))
            for parent in parents:
                directory = stack.enter_context(directory.child(parent, create=True))
            yield directory, name


def _check_landed(landed: OpenFile, blob: Blob, source: Path) -> None:
    found = blake3_digest(landed)
    if (found, landed.size) != (blob.blake3, blob.size):
        raise IntegrityError(
            "what landed is not what was to be brought",
            where=landed.path,
            expected=f"{blob.blake3}, {blob.size} bytes",
            found=f"{found}, {landed.size} bytes",
            fix=f"{source} changed meanwhile, or the disk lost bytes: try again",
        )
