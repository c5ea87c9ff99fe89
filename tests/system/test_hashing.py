import hashlib
import os
from pathlib import Path

import pytest
from blake3 import blake3

from bitproof.errors import UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.hashing import (
    MAPPED,
    Digests,
    blake3_digest,
    both_digests,
    bytes_digest,
    sha256_digest,
    unmapped_digest,
)
from bitproof.system.opened import open_file

KNOWN = [
    (
        b"",
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        b"abc",
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
]


@pytest.mark.parametrize(("data", "first", "second"), KNOWN)
def test_the_known_vectors_of_both_algorithms(tmp_path: Path, data: bytes, first: str, second: str) -> None:
    (tmp_path / "f").write_bytes(data)
    with open_file(tmp_path / "f") as file:
        assert blake3_digest(file) == bytes_digest(data) == unmapped_digest(file) == Digest("blake3", first)
        assert sha256_digest(file) == Digest("sha256", second)


@pytest.mark.parametrize("size", [1, MAPPED - 1, MAPPED, MAPPED + 1, 3 * MAPPED + 7])
def test_mapped_or_not_the_digest_is_the_same(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    told: list[int] = []
    expected = Digest("blake3", blake3(data).hexdigest())
    with open_file(tmp_path / "f") as file:
        assert unmapped_digest(file) == expected
        assert both_digests(file, told.append) == Digests(
            expected, Digest("sha256", hashlib.sha256(data).hexdigest()), size
        )
        assert told == [size]
        assert blake3_digest(file, told.append) == expected
        assert told == [size, size]


def test_the_whole_file_is_hashed_wherever_the_descriptor_stands(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with open_file(tmp_path / "f") as file:
        os.lseek(file.fd, 2, os.SEEK_SET)
        assert both_digests(file).blake3.value == KNOWN[1][1]
        assert both_digests(file).sha256.value == KNOWN[1][2]


def test_what_was_opened_is_hashed_and_not_what_has_its_name_now(tmp_path: Path) -> None:
    for size in (3, MAPPED):
        old = os.urandom(size)
        (tmp_path / "f").write_bytes(old)
        with open_file(tmp_path / "f") as file:
            (tmp_path / "g").write_bytes(b"other")
            (tmp_path / "g").rename(tmp_path / "f")
            assert blake3_digest(file) == bytes_digest(old)


def test_a_file_that_cannot_be_read_has_no_digest() -> None:
    with open_file(Path("/proc/self/mem")) as file:
        for digest in (blake3_digest, sha256_digest, both_digests):
            with pytest.raises(UnavailableError) as caught:
                digest(file)
            assert str(caught.value) == (
                "the file cannot be read\n  where:    /proc/self/mem\n  found:    Input/output error"
            )
