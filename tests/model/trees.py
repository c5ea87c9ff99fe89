"""Rootfs images with hash trees: bytes made here, and the witness that reads them."""

import shutil
import subprocess
from pathlib import Path

from bitproof.model.hash_tree import SALT, superblock, tree_blocks
from bitproof.model.verity import BLOCK, total_blocks


def with_tree(content: bytes) -> bytearray:
    """Whole blocks of content, superblock and tree."""
    data_blocks = len(content) // BLOCK
    image = bytearray(content + superblock(data_blocks)).ljust(total_blocks(data_blocks) * BLOCK, b"\0")
    with memoryview(image) as view:
        for place, block in tree_blocks(view, data_blocks, SALT):
            view[place : place + BLOCK] = block
    return image


def blocks(count: int) -> bytes:
    """So many blocks, each another."""
    return b"".join(number.to_bytes(8, "big") * (BLOCK // 8) for number in range(count))


def veritysetup(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Cryptsetup's own program, an independent witness."""
    program = shutil.which("veritysetup", path="/usr/sbin:/sbin:/usr/bin")
    assert program is not None, "apt-get install cryptsetup-bin"
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)
