import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bitproof.images.rootfs.pack import pack_rootfs
from bitproof.images.rootfs.verity import append_tree
from bitproof.model.hash_tree import find_verity
from bitproof.model.verity import BLOCK, Verity
from tests.images.test_rootfs_packing import job
from tests.images.trees import DEBIAN, filtered
from tests.model.trees import veritysetup


def verity_of(image: Path) -> Verity:
    verity = find_verity(memoryview(image.read_bytes()))
    assert verity is not None
    return verity


def checked(image: Path, verity: Verity) -> int:
    """The exit code of the independent witness, which reads all of the data."""
    offset = f"--hash-offset={verity.hash_offset}"
    return veritysetup("verify", image, image, verity.root_hash.value, offset).returncode


@pytest.fixture(params=[("squashfs", "zstd", 1), ("erofs", "lz4", 0)], ids=lambda form: form[0])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A small rootfs, packed."""
    tree = DEBIAN | {f"usr/bin/{number}": (0o100755, os.urandom(30_000)) for number in range(40)}
    return pack_rootfs(job(tmp_path / "work", *request.param), filtered(tmp_path, tree))


def test_veritysetup_verifies_an_image_and_refuses_it_with_one_flipped_bit(image: Path) -> None:
    append_tree(image)
    verity = verity_of(image)
    assert checked(image, verity) == 0
    data = bytearray(image.read_bytes())
    data[verity.hash_offset // 2] ^= 1
    image.write_bytes(data)
    assert checked(image, verity) != 0


def test_the_file_system_is_what_it_was(image: Path) -> None:
    before = image.read_bytes()
    append_tree(image)
    assert image.read_bytes()[: len(before)] == before
    reader = ["unsquashfs", "-stat"] if image.suffix == ".squashfs" else ["fsck.erofs"]
    assert subprocess.run([*reader, str(image)], check=False, capture_output=True).returncode == 0


def test_the_same_image_gets_the_same_tree(image: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(image, tmp_path / "other"))
    for path in (image, other):
        append_tree(path)
    assert image.read_bytes() == other.read_bytes()


def test_an_image_that_ends_within_a_block_is_filled_with_zeros(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x" * (3 * BLOCK + 1))
    append_tree(image)
    assert verity_of(image).data_blocks == 4
    assert image.read_bytes()[3 * BLOCK : 4 * BLOCK] == b"x".ljust(BLOCK, b"\0")
