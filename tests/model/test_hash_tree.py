import struct
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.model.hash_tree import SALT, UUID, false_block, find_verity, superblock
from bitproof.model.verity import BLOCK, Verity, data_blocks_of, levels, total_blocks
from tests.model.trees import blocks, veritysetup, with_tree

COUNTS = [1, 2, 127, 128, 129, 1000, 128 * 128 + 1]
"""One block has no tree; 128 fill a block of the tree; beyond 128² there are three levels."""


def found(image: bytearray) -> Verity:
    verity = find_verity(memoryview(image))
    assert verity is not None
    return verity


@pytest.mark.parametrize("count", COUNTS)
def test_veritysetup_makes_the_same_bytes_and_the_same_root_hash(tmp_path: Path, count: int) -> None:
    witness = tmp_path / "image"
    witness.write_bytes(blocks(count))
    fixed = ("--salt", SALT.hex(), "--uuid", str(uuid.UUID(bytes=UUID)))
    made = veritysetup("format", witness, witness, f"--hash-offset={count * BLOCK}", f"--data-blocks={count}", *fixed)
    image = with_tree(blocks(count))
    assert image == witness.read_bytes()
    assert made.stdout.splitlines()[-1].split() == ["Root", "hash:", found(image).root_hash.value]


@pytest.mark.parametrize("count", [1, 2, 128, 129, 300])
def test_a_tree_is_found_and_right(count: int) -> None:
    image = with_tree(blocks(count))
    verity = found(image)
    assert (verity.data_blocks, verity.salt, verity.size) == (count, SALT.hex(), len(image))
    assert false_block(memoryview(image), verity) is None


@pytest.mark.parametrize("place", [0, 5 * BLOCK + 7, 300 * BLOCK - 1])
def test_a_flipped_bit_of_the_data_is_found_in_the_lowest_level(place: int) -> None:
    image = with_tree(blocks(300))
    verity = found(image)
    image[place] ^= 1
    (lowest, _), _ = levels(300)
    assert false_block(memoryview(image), verity) == (lowest + place // BLOCK // 128) * BLOCK


@pytest.mark.parametrize("block", range(301, 305))
@pytest.mark.parametrize("place", [0, BLOCK - 1])
def test_a_flipped_bit_anywhere_in_the_tree_is_found(block: int, place: int) -> None:
    image = with_tree(blocks(300))
    verity = found(image)
    image[block * BLOCK + place] ^= 1
    assert false_block(memoryview(image), verity) == block * BLOCK


def test_the_root_hash_is_that_of_the_block_that_comes_first() -> None:
    image = with_tree(blocks(300))
    before = found(image)
    image[301 * BLOCK] ^= 1
    assert found(image).root_hash != before.root_hash


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, b"Verity"),
        (8, struct.pack("<I", 2)),
        (12, struct.pack("<I", 0)),
        (32, b"sha512"),
        (64, struct.pack("<I", 1024)),
        (68, struct.pack("<I", 1024)),
        (72, struct.pack("<Q", 299)),
        (80, struct.pack("<H", 257)),
    ],
)
def test_a_superblock_of_another_form_is_no_tree(offset: int, value: bytes) -> None:
    image = with_tree(blocks(300))
    image[300 * BLOCK + offset : 300 * BLOCK + offset + len(value)] = value
    assert find_verity(memoryview(image)) is None


def test_another_uuid_and_a_shorter_salt_are_read() -> None:
    image = with_tree(blocks(300))
    image[300 * BLOCK + 16] ^= 1
    image[300 * BLOCK + 80] = 4
    assert found(image).salt == SALT[:4].hex()


@pytest.mark.parametrize("size", [0, 1, BLOCK, 5 * BLOCK, 10 * BLOCK - 1])
def test_a_file_without_a_tree_has_none(size: int) -> None:
    assert find_verity(memoryview(bytes(size))) is None


def test_a_superblock_is_one_block() -> None:
    assert len(superblock(300)) == BLOCK


@given(st.integers(1, 1 << 28))
def test_the_size_of_a_file_tells_how_much_of_it_is_data(data_blocks: int) -> None:
    blocks_now = total_blocks(data_blocks)
    assert data_blocks_of(blocks_now * BLOCK) == data_blocks
    assert data_blocks_of(blocks_now * BLOCK + 1) is None
    assert data_blocks_of((total_blocks(data_blocks + 1) - 1) * BLOCK) in {None, data_blocks}


@given(st.integers(1, 1 << 28))
def test_the_levels_follow_the_superblock_without_a_gap_and_end_the_file(data_blocks: int) -> None:
    end = data_blocks + 1
    below = 1
    for first, count in reversed(levels(data_blocks)):
        assert first == end
        assert (count - 1) // 128 + 1 == below
        end, below = first + count, count
    assert end == total_blocks(data_blocks)
    assert below * 128 >= data_blocks or data_blocks == 1
