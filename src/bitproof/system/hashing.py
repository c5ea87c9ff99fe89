"""Digests of open files. What is hashed is the descriptor, so that it can be handed on."""

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blake3 import blake3

from bitproof.errors import UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.opened import OpenFile, Progress, ignore, unavailable

MAPPED = 1 << 20
"""From this size on, a file is hashed through a memory map, on all cores."""


@dataclass(frozen=True, slots=True)
class Digests:
    """What a producer records of a file: both digests and the size in bytes."""

    blake3: Digest
    sha256: Digest
    size: int


def blake3_digest(file: OpenFile, progress: Progress = ignore) -> Digest:
    """The BLAKE3 digest of the whole file, as it is now.

    ``progress`` is told all bytes at once: 1 GiB takes about a tenth of a second.

    Raises:
        UnavailableError: it cannot be read.
    """
    hasher = blake3(max_threads=blake3.AUTO)
    if file.size >= MAPPED:
        try:
            hasher.update_mmap(f"/proc/self/fd/{file.fd}")
        except OSError as error:
            raise unavailable(error, "the file cannot be read", file.path) from None
    else:
        hasher.update(file.read(MAPPED))
    progress(file.size)
    return Digest("blake3", hasher.hexdigest())


@contextmanager
def mapped(file: OpenFile) -> Iterator[memoryview]:
    """The bytes of a file that is not empty, as they are now; nothing of them is held after the block.

    Raises:
        UnavailableError: it cannot be mapped.
    """
    try:
        mapping = mmap.mmap(file.fd, file.size, prot=mmap.PROT_READ)
    except (OSError, ValueError) as error:
        refusal = error if isinstance(error, OSError) else OSError(str(error))
        raise unavailable(refusal, "the file cannot be mapped", file.path) from None
    with mapping, memoryview(mapping) as view:
        yield view


def unmapped_digest(file: OpenFile) -> Digest:
    """As `blake3_digest` without a memory map: slower, and safe while another program may truncate the file."""
    hasher = blake3()
    offset = 0
    while chunk := os.pread(file.fd, MAPPED, offset):
        hasher.update(chunk)
        offset += len(chunk)
    return Digest("blake3", hasher.hexdigest())


def sha256_digest(file: OpenFile) -> Digest:
    """The SHA-256 digest of the whole file, as it is now.

    Raises:
        UnavailableError: it cannot be read.
    """
    import hashlib  # loads OpenSSL: 2 ms, which BLAKE3 alone does not need

    try:
        with open(file.fd, "rb", buffering=0, closefd=False) as stream:
            stream.seek(0)
            return Digest("sha256", hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        raise unavailable(error, "the file cannot be read", file.path) from None


def blake2b_digest(file: OpenFile) -> bytes:
    """The BLAKE2b-512 of the whole file, as it is now: what minisign signs in its place.

    Raises:
        UnavailableError: it cannot be read.
    """
    import hashlib

    try:
        with open(file.fd, "rb", buffering=0, closefd=False) as stream:
            stream.seek(0)
            return hashlib.file_digest(stream, "blake2b").digest()
    except OSError as error:
        raise unavailable(error, "the file cannot be read", file.path) from None


def both_digests(file: OpenFile, progress: Progress = ignore) -> Digests:
    """BLAKE3 and SHA-256 at the same time, the second in a thread: it takes longest.

    Raises:
        UnavailableError: it cannot be read.
    """
    found: list[Digest] = []
    failures: list[UnavailableError] = []

    def second() -> None:
        try:
            found.append(sha256_digest(file))
        except UnavailableError as error:
            failures.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    try:
        first = blake3_digest(file)
    finally:
        thread.join()
    if failures:
        raise failures[0]
    progress(file.size)
    return Digests(blake3=first, sha256=found[0], size=file.size)


def bytes_digest(data: bytes) -> Digest:
    """The BLAKE3 digest of bytes in memory."""
    return Digest("blake3", blake3(data).hexdigest())


def bytes_sha256(data: bytes) -> Digest:
    """SHA-256 of bytes at hand."""
    import hashlib

    return Digest("sha256", hashlib.sha256(data).hexdigest())
