"""Digests of open files. What is hashed is the descriptor, so that it can be handed on."""

import hashlib
import threading
from dataclasses import dataclass

from blake3 import blake3

from bitproof.model.digest import Digest
from bitproof.system.files import OpenFile, Progress, ignore

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
    """
    hasher = blake3(max_threads=blake3.AUTO)
    if file.size >= MAPPED:
        hasher.update_mmap(f"/proc/self/fd/{file.fd}")
    else:
        hasher.update(file.read(MAPPED))
    progress(file.size)
    return Digest("blake3", hasher.hexdigest())


def sha256_digest(file: OpenFile) -> Digest:
    """The SHA-256 digest of the whole file, as it is now."""
    with open(file.fd, "rb", buffering=0, closefd=False) as stream:
        stream.seek(0)
        return Digest("sha256", hashlib.file_digest(stream, "sha256").hexdigest())


def both_digests(file: OpenFile, progress: Progress = ignore) -> Digests:
    """BLAKE3 and SHA-256 at the same time, the second in a thread: it takes longest."""
    found: list[Digest] = []
    thread = threading.Thread(target=lambda: found.append(sha256_digest(file)))
    thread.start()
    try:
        first = blake3_digest(file)
    finally:
        thread.join()
    progress(file.size)
    return Digests(blake3=first, sha256=found[0], size=file.size)
