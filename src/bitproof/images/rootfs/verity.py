"""The hash tree at the end of a rootfs image, so that a VM can check each block when it is read.

It is computed here, with the bytes that ``veritysetup format`` makes and as fast: a build needs no further program.
"""

import os
from pathlib import Path

from bitproof.model.hash_tree import SALT, superblock, tree_blocks
from bitproof.model.verity import BLOCK, total_blocks
from bitproof.system.hashing import mapped
from bitproof.system.opened import open_file


def append_tree(image: Path) -> None:
    """Fill an image up to a whole block and append the superblock and the tree.

    The image is a scratch file of a build. What is written is read back through the map, a level from the one below.

    Raises:
        OSError: the disk is full.
    """
    data_blocks = -(-image.stat().st_size // BLOCK)
    with image.open("r+b", buffering=0) as writable:
        writable.truncate(total_blocks(data_blocks) * BLOCK)
        with open_file(image) as file, mapped(file) as bytes_now:
            os.pwrite(writable.fileno(), superblock(data_blocks), data_blocks * BLOCK)
            for place, block in tree_blocks(bytes_now, data_blocks, SALT):
                os.pwrite(writable.fileno(), block, place)
