"""What must be known of a rootfs with a dm-verity hash tree, so that a guest can check each block when it is read.

    the file system, filled up to a whole block │ superblock, one block │ the tree, its top level first

That is how ``veritysetup format --hash-offset`` fills a file that is its own hash device. Only SHA-256 and blocks of
4096 bytes are known here; `hash_tree` computes. Source: the kernel's admin-guide/device-mapper/verity.rst.
"""

import re
from bisect import bisect_left
from typing import Final, NamedTuple

from bitproof.errors import shown
from bitproof.model.decode import Table
from bitproof.model.digest import Digest

BLOCK = 4096
FAN_OUT = BLOCK // 32
"""Digests in a block of the tree."""
ALGORITHM: Final = "sha256"

_MAX_OFFSET = 1 << 40
_SALT = re.compile(r"(?:[0-9a-f]{2}){0,256}", re.ASCII)
_NO_ROOT = Digest("sha256", "0" * 64)


class Verity(NamedTuple):
    """The tree of a rootfs: how many blocks it is over, the digest of its top block, and the salt in hex digits."""

    data_blocks: int
    root_hash: Digest
    salt: str

    @property
    def hash_offset(self) -> int:
        """Where the superblock lies, in bytes: the size of what is protected."""
        return self.data_blocks * BLOCK

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return total_blocks(self.data_blocks) * BLOCK

    @property
    def parameter(self) -> str:
        """What the guest's init takes as ``bitproof.verity=``: data blocks, root hash, and the salt or ``-``."""
        return f"{self.data_blocks}:{self.root_hash.value}:{self.salt or '-'}"

    def document(self) -> dict[str, object]:
        """As a manifest and pins hold it, beside ``hash`` and ``size``."""
        form = {"algorithm": ALGORITHM, "block_size": BLOCK, "hash_offset": self.hash_offset}
        return {**form, "root_hash": self.root_hash.value, "salt": self.salt}


def read_verity(table: Table, size: int | None) -> Verity:
    """Read `Verity.document`, noting every problem; the root hash becomes bare lower-case hex, as digests do.

    Args:
        table: the object.
        size: bytes of the rootfs, which must be those of one with this tree; None when nobody says.
    """
    before = len(table.problems)
    table.choice("algorithm", (ALGORITHM,))
    table.integer("block_size", BLOCK, BLOCK)
    offset = table.integer("hash_offset", BLOCK, _MAX_OFFSET)
    root_hash = table.parsed("root_hash", lambda text: Digest.parse(text, ALGORITHM), _NO_ROOT)
    verity = Verity(offset // BLOCK, root_hash, table.parsed("salt", _salt, ""))
    if "root_hash" in table.values:
        table.values["root_hash"] = root_hash.value
    if len(table.problems) > before:
        return verity
    if offset % BLOCK:
        table.problem("hash_offset", "not a whole number of blocks", expected=f"n × {BLOCK}", found=str(offset))
    elif size not in {None, verity.size}:
        expected = f"a rootfs of {verity.size} bytes"
        table.problem("hash_offset", "does not go with the size", expected=expected, found=f"{size} bytes")
    return verity


def _salt(text: str) -> str:
    if not _SALT.fullmatch(text):
        raise ValueError(f"not a salt: expected at most 256 bytes in lower-case hex, found {shown(text)}")
    return text


def levels(data_blocks: int) -> list[tuple[int, int]]:
    """First block and number of blocks of each level of the tree, the lowest first; in the file the highest is first.

    >>> levels(129)
    [(131, 2), (130, 1)]
    """
    counts = []
    count = data_blocks
    while count > 1:
        count = -(-count // FAN_OUT)
        counts.append(count)
    first = data_blocks + 1 + sum(counts)
    found = []
    for count in counts:
        first -= count
        found.append((first, count))
    return found


def total_blocks(data_blocks: int) -> int:
    """Blocks of a rootfs with its superblock and its tree."""
    return data_blocks + 1 + sum(count for _, count in levels(data_blocks))


def data_blocks_of(size: int) -> int | None:
    """How many blocks of data a file of ``size`` bytes holds beside their tree; None when it can hold no tree.

    More data make a larger file, so there is at most one answer, and the file system need not be understood.
    """
    blocks, rest = divmod(size, BLOCK)
    data_blocks = bisect_left(range(blocks), blocks, key=total_blocks)
    fits = not rest and 0 < data_blocks < blocks and total_blocks(data_blocks) == blocks
    return data_blocks if fits else None
