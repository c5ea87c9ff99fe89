"""What a channel needs of the place where it lies: a `Reader` for clients, a `Backend` for who publishes.

A place holds small files by path and blobs by digest. Nothing in it is ever changed but one file a channel,
``timestamp.json``, which is swapped last; so a reader never sees half a publish. A reader proves nothing: whoever asks
compares digests, signatures and lengths.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from bitproof.model.digest import Digest
from bitproof.system.opened import OpenFile, Progress


class Blob(NamedTuple):
    """Immutable bytes, and the two digests by which places find them; ``size`` in bytes."""

    blake3: Digest
    sha256: Digest
    size: int


class Range(NamedTuple):
    """Some bytes of a blob."""

    offset: int
    size: int


class NamedBlob(NamedTuple):
    """A blob as people and other tools know it: ``x86_64/vmlinuz``."""

    name: str
    blob: Blob


class Reader(Protocol):
    """A place as a client reads it."""

    @property
    def where(self) -> str:
        """The place, as messages name it; without secrets."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, or None when there is none.

        Args:
            path: relative to the place.
            limit: the most bytes it may have.

        Raises:
            IntegrityError: there is more than ``limit``; the rest was not read.
            UnavailableError: the place does not serve.
        """
        ...

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """Write ranges of a blob into ``target``, at the same offsets. What was written is not proved.

        Args:
            blob: which.
            target: open for writing, in any number of threads.
            ranges: sorted, disjoint, within the blob.
            progress: told the bytes that are done.

        Raises:
            IntegrityError: the place serves other bytes than were asked for: another offset, another length.
            UnavailableError: the place does not serve, or not fast enough.
        """
        ...


class Backend(Reader, Protocol):
    """A place as a publisher writes it."""

    def exclusive(self, channel: str) -> AbstractContextManager[None]:
        """Keep other publishers of a channel out for as long as the block runs, where the place has locks."""
        ...

    def has(self, blob: Blob) -> bool:
        """Whether the place has a blob of this name and size."""
        ...

    def put(self, blob: Blob, source: OpenFile, progress: Progress) -> None:
        """Bring a blob; that it is there already is no error.

        Raises:
            UnavailableError: the place refused, or cannot be reached.
        """
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file that is never replaced; False when there is one with other bytes, which stands."""
        ...

    def swap(self, path: str, data: bytes, before: bytes | None) -> bool:
        """Replace a small file if it has the bytes ``before`` (None: if there is none); False when it has not."""
        ...

    def announce(self, version: str, files: Sequence[NamedBlob]) -> None:
        """Show a release's blobs to other tools under its version, where the place has such names (OCI tags)."""
        ...

    def attach(self, channel: str, version: str, make: Callable[[], bytes | None]) -> None:
        """Lay a release's bundle beside it, once it is published.

        Args:
            channel: that publishes it.
            version: the release's.
            make: gives the bundle, or None when it cannot be made any more; called when the place has none yet.

        Raises:
            UnavailableError: the place refused.
        """
        ...
