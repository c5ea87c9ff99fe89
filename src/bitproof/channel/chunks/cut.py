"""Files cut by their content: a publisher's chunk index, and a client's search for what it has already.

FastCDC (2020) by pyfastcdc, whose cuts are those of the fastcdc crate's v2020. A file is read in windows, not mapped:
another program may truncate a file at hand, which would end the process (decision 0006), and a copy into memory costs
little beside the cutting. One thread cuts and hashes 53 MB in 60 ms, so cuts are not remembered.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bitproof.channel.chunks.index import (
    DIGEST_SIZE,
    Chunk,
    ChunkIndex,
    average_for,
    largest,
    print_index,
    smallest,
)
from bitproof.channel.chunks.plan import ReusePlan, plan
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.opened import OpenFile

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

WINDOW = 4 << 20
"""Bytes that are held at a time, or two of the largest chunks."""


def make_index(file: OpenFile, asset: Digest) -> bytes:
    """The chunk index of a file, the same bytes on every machine.

    Args:
        file: the asset.
        asset: its BLAKE3, as it was just computed.

    Raises:
        IntegrityError: the file changed meanwhile.
        UnavailableError: it cannot be read or cut.
    """
    average = average_for(file.size)
    digests, sizes = bytearray(), []
    for chunk in cut(file, average):
        digests += chunk.digest
        sizes.append(chunk.size)
    if sum(sizes) != file.size:
        raise IntegrityError(
            "the file changed while it was cut",
            where=file.path,
            expected=f"{file.size} bytes",
            found=f"{sum(sizes)} bytes",
            fix="let nothing write to it, then try again",
        )
    return print_index(ChunkIndex(asset, file.size, average, bytes(digests), tuple(sizes)))


def plan_reuse(index: ChunkIndex, local: Sequence[OpenFile]) -> ReusePlan:
    """Look for the chunks of an asset in files at hand.

    Args:
        index: of the asset.
        local: the files, first that one which is most like the asset; later ones are read only when it lacks something.

    Raises:
        UnavailableError: a file cannot be read or cut.
    """
    return plan(index, [cut(file, index.average) for file in local])


def cut(file: OpenFile, average: int) -> Iterator[Chunk]:
    """The chunks of a file, up to the size that it had when it was opened; fewer when it has become shorter.

    Raises:
        UnavailableError: it cannot be read or cut.
    """
    from blake3 import blake3

    cutter, most, start = _cutter(average), largest(average), 0
    window = max(WINDOW, 2 * most)
    while data := file.read_at(start, min(window, file.size - start)):
        is_last, done = start + len(data) == file.size, 0
        for piece in cutter.cut_buf(data):
            if not is_last and len(data) - piece.offset < most:
                break  # what follows may move this cut
            yield Chunk(blake3(piece.data).digest(length=DIGEST_SIZE), start + piece.offset, piece.length)
            done = piece.offset + piece.length
        if not done:
            return  # it has become shorter
        start += done


def _cutter(average: int) -> "FastCDC":
    """FastCDC with its own defaults for all else.

    Raises:
        UnavailableError: the compiled part is missing; without it cutting is 200 times slower.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what is refused here
        from pyfastcdc import FastCDC
    if FastCDC.__module__.startswith("pyfastcdc.py."):
        raise UnavailableError(
            "files cannot be cut into chunks: pyfastcdc has no compiled part here",
            expected="pyfastcdc with its Cython extension",
            found="the pure Python one, which is 200 times slower",
            fix="install a C compiler, then: PYFASTCDC_REQUIRE_CYTHON=1 pip install --force-reinstall pyfastcdc",
        )
    return FastCDC(average, min_size=smallest(average), max_size=largest(average), normalized_chunking=1)
