"""Blobs, files and patience for tests of places."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitproof.channel.backends.patience import Patience
from bitproof.channel.ports import Blob
from bitproof.model.digest import Digest
from bitproof.system.hashing import bytes_digest
from bitproof.system.opened import OpenFile

HASTY = Patience(retries=3, wait=0.001, timeout=10)


def blob_of(data: bytes) -> Blob:
    return Blob(bytes_digest(data), Digest("sha256", hashlib.sha256(data).hexdigest()), len(data))


@contextmanager
def source_of(directory: Path, data: bytes) -> Iterator[OpenFile]:
    path = directory / "source"
    path.write_bytes(data)
    with OpenFile(os.open(path, os.O_RDONLY), path) as file:
        yield file


@contextmanager
def target_in(directory: Path) -> Iterator[OpenFile]:
    path = directory / "target"
    with OpenFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), path) as file:
        yield file
