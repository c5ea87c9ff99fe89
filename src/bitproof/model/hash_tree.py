"""Makes, finds and checks the hash tree of a rootfs (see `verity` for its layout). Pure: buffers in, blocks out.

The bytes are those of ``veritysetup format`` with the same salt and UUID; tests compare them.
Sources: the kernel's admin-guide/device-mapper/verity.rst; cryptsetup's wiki page DMVerity, for the superblock.
"""

from collections.abc import Iterator
from hashlib import sha256
from struct import Struct

from bitproof.model.digest import Digest
from bitproof.model.verity import ALGORITHM, BLOCK, FAN_OUT, Verity, data_blocks_of, levels

SALT = sha256(b"bitproof").digest()
"""Fixed, as the UUID is: the same file system gives the same bytes. A salt is no secret."""
UUID = bytes.fromhex("b17b00f0000040008000000000000001")

_SUPERBLOCK = Struct("<8sII16s32sIIQH6x256s168x")
"""Signature, version, hash type, UUID, algorithm, data and hash block size, data blocks, size of the salt, salt."""
_SIGNATURE = b"verity\0\0"
_FORM = (1, 1, ALGORITHM.encode().ljust(32, b"\0"), BLOCK, BLOCK)
"""Version and hash type 1 (the salt comes first), algorithm, block sizes."""


def superblock(data_blocks: int) -> bytes:
    """The superblock of a tree made here, with its whole block."""
    version, kind, *form = _FORM
    packed = _SUPERBLOCK.pack(_SIGNATURE, version, kind, UUID, *form, data_blocks, len(SALT), SALT)
    return packed.ljust(BLOCK, b"\0")


def find_verity(image: memoryview) -> Verity | None:
    """What a rootfs with a tree says of itself; None when it has none of the form that is known here.

    Read are the superblock and the block that the root hash is of; whether the tree is that of the data is for
    `false_block` to say.
    """
    data_blocks = data_blocks_of(len(image))
    if data_blocks is None:
        return None
    signature, version, kind, _, *form, counted, size, salt = _SUPERBLOCK.unpack_from(image, data_blocks * BLOCK)
    if signature != _SIGNATURE or (version, kind, *form) != _FORM or counted != data_blocks or size > len(salt):
        return None
    return Verity(data_blocks, root_hash(image, data_blocks, salt[:size]), salt[:size].hex())


def root_hash(image: memoryview, data_blocks: int, salt: bytes) -> Digest:
    """The digest of the tree's top block, which is the first one; of the data where they are one block only."""
    top = (data_blocks + 1 if data_blocks > 1 else 0) * BLOCK
    return Digest(ALGORITHM, sha256(salt + image[top : top + BLOCK]).hexdigest())


def tree_blocks(image: memoryview, data_blocks: int, salt: bytes) -> Iterator[tuple[int, bytes]]:
    """Every block of the tree as it must be, with its place in bytes, the lowest level first.

    A level is computed from the one below as it stands in ``image``: whoever makes a tree puts each block there before
    asking for the next one, whoever checks a tree has compared it.
    """
    salted = sha256(salt)
    below, count = 0, data_blocks
    for first, blocks in levels(data_blocks):
        for number in range(blocks):
            start = below + number * FAN_OUT
            digests = bytearray()
            for block in range(start, min(start + FAN_OUT, below + count)):
                digest = salted.copy()
                digest.update(image[block * BLOCK : (block + 1) * BLOCK])
                digests += digest.digest()
            yield (first + number) * BLOCK, bytes(digests.ljust(BLOCK, b"\0"))
        below, count = first, blocks


def false_block(image: memoryview, verity: Verity) -> int | None:
    """Where the first block lies that is not of the data's own tree, in bytes; None when all of the tree is."""
    expected = tree_blocks(image, verity.data_blocks, bytes.fromhex(verity.salt))
    return next((place for place, block in expected if image[place : place + BLOCK] != block), None)
