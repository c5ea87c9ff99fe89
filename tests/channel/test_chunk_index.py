import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bitproof.channel.chunks.index import (
    DIGEST_SIZE,
    LARGEST_AVERAGE,
    MAX_CHUNKS,
    SMALLEST_AVERAGE,
    USUAL_CHUNKS,
    ChunkIndex,
    average_for,
    largest,
    parse_index,
    print_index,
    smallest,
)
from bitproof.errors import InputError, IntegrityError
from bitproof.model.asset_manifest import MAX_SIZE
from bitproof.model.digest import Digest

ASSET = Digest("blake3", "5a" * 32)
WHERE = "blobs/x"
AVERAGES = [1 << power for power in range(12, 23)]
HEADER = 56


@st.composite
def indices(draw: st.DrawFn) -> ChunkIndex:
    average = draw(st.sampled_from(AVERAGES))
    sizes = draw(st.lists(st.integers(smallest(average), largest(average)), max_size=20))
    sizes += draw(st.lists(st.integers(1, largest(average)), max_size=1))
    digests = draw(st.binary(min_size=DIGEST_SIZE * len(sizes), max_size=DIGEST_SIZE * len(sizes)))
    return ChunkIndex(ASSET, sum(sizes), average, digests, tuple(sizes))


def sample(*sizes: int, average: int = 4096) -> ChunkIndex:
    digests = b"".join(bytes([number]) * DIGEST_SIZE for number in range(len(sizes)))
    return ChunkIndex(ASSET, sum(sizes), average, digests, sizes)


def refused(data: bytes, size: int, asset: Digest = ASSET) -> str:
    with pytest.raises((InputError, IntegrityError)) as caught:
        parse_index(data, asset, size, WHERE)
    return str(caught.value)


@given(indices())
def test_what_is_printed_reads_as_the_same(index: ChunkIndex) -> None:
    printed = print_index(index)
    assert len(printed) == index.encoded_size
    assert parse_index(printed, ASSET, index.size, WHERE) == index


def test_the_bytes_are_as_the_reference_says() -> None:
    header = b"bpchunk\x01" + struct.pack("<IIQ", 4096, 2, 5300) + b"\x5a" * 32
    assert print_index(sample(5000, 300)) == header + b"\0" * 6 + b"\1" * 6 + struct.pack("<HH", 5000, 300)
    header = b"bpchunk\x01" + struct.pack("<IIQ", 16384, 1, 300) + b"\x5a" * 32
    assert print_index(sample(300, average=16384)) == header + b"\0" * 6 + struct.pack("<I", 300)


def test_chunks_are_told_with_their_places() -> None:
    assert [tuple(chunk) for chunk in sample(5000, 1024, 7).chunks()] == [
        (b"\0" * 6, 0, 5000),
        (b"\1" * 6, 5000, 1024),
        (b"\2" * 6, 6024, 7),
    ]


def test_an_empty_asset_has_no_chunks() -> None:
    index = sample()
    assert parse_index(print_index(index), ASSET, 0, WHERE) == index
    assert len(print_index(index)) == HEADER


@given(indices(), st.data())
@example(sample(5000, 300), None)
def test_a_changed_byte_is_refused_or_changes_what_is_read(index: ChunkIndex, data: st.DataObject | None) -> None:
    printed = bytearray(print_index(index))
    place = data.draw(st.integers(0, len(printed) - 1)) if data else 0
    printed[place] ^= data.draw(st.integers(1, 255)) if data else 1
    try:
        read = parse_index(bytes(printed), ASSET, index.size, WHERE)
    except (InputError, IntegrityError):
        return
    assert read != index
    assert print_index(read) == printed
    assert sum(read.sizes) == index.size


@given(indices(), st.binary(max_size=80))
def test_a_torn_or_longer_index_is_refused(index: ChunkIndex, more: bytes) -> None:
    printed = print_index(index)
    for torn in (printed[:-1], printed[: len(printed) // 2], printed + more + b"x", more):
        assert "the chunk index is not usable" in refused(torn, index.size)


@pytest.mark.parametrize(
    ("data", "size", "expected", "found"),
    [
        pytest.param(b"", 0, "at least 56 bytes that begin with b'bpchunk'", "b''", id="empty"),
        pytest.param(
            b"<html>" * 20, 0, "at least 56 bytes that begin with b'bpchunk'", "b'<html><h'", id="something else"
        ),
        pytest.param(
            print_index(sample(5000)), 5001, f"an asset of 5001 bytes, at most {MAX_SIZE}", "5000 bytes", id="size"
        ),
        pytest.param(
            print_index(sample(5000))[:12] + b"\0\0\0\1" + print_index(sample(5000))[16:],
            5000,
            "at most 1048576 chunks",
            "16777216",
            id="too many chunks, before any is read",
        ),
        pytest.param(print_index(sample(5000)) + b"x", 5000, "64 bytes for 1 chunks", "65 bytes", id="a byte more"),
        pytest.param(
            print_index(ChunkIndex(ASSET, 5001, 4096, b"x" * 6, (5000,))),
            5001,
            "chunks of 5001 bytes in all",
            "5000 bytes",
            id="sizes do not add up",
        ),
        pytest.param(
            print_index(sample(1023, 5000)),
            6023,
            "chunks of 1024 to 16384 bytes, the last one not empty",
            "1023 to 5000 bytes",
            id="too small a chunk",
        ),
        pytest.param(
            print_index(sample(5000, 16385)),
            21385,
            "chunks of 1024 to 16384 bytes, the last one not empty",
            "5000 to 16385 bytes",
            id="too large a chunk",
        ),
        pytest.param(
            print_index(sample(5000, 0)),
            5000,
            "chunks of 1024 to 16384 bytes, the last one not empty",
            "0 to 5000 bytes",
            id="an empty chunk",
        ),
        pytest.param(
            print_index(sample(average=2048)),
            0,
            "an average of 4096 to 4194304 bytes, a power of two",
            "2048",
            id="too small an average",
        ),
        pytest.param(
            print_index(sample(average=2 * LARGEST_AVERAGE)),
            0,
            "an average of 4096 to 4194304 bytes, a power of two",
            "8388608",
            id="too large an average",
        ),
        pytest.param(
            print_index(sample(average=5000)),
            0,
            "an average of 4096 to 4194304 bytes, a power of two",
            "5000",
            id="an average that is no power of two",
        ),
    ],
)
def test_an_index_that_contradicts_itself_is_refused(data: bytes, size: int, expected: str, found: str) -> None:
    assert refused(data, size).splitlines() == [
        "the chunk index is not usable",
        "  where:    blobs/x",
        f"  expected: {expected}",
        f"  found:    {found}",
    ]


def test_an_index_of_a_later_format_is_told_as_that() -> None:
    assert refused(b"bpchunk\x02" + print_index(sample(5000))[8:], 5000).splitlines() == [
        "the chunk index has a format that this version of bitproof does not read",
        "  where:    blobs/x",
        "  expected: format 1",
        "  found:    format 2",
    ]


def test_the_index_of_another_asset_is_refused() -> None:
    other = Digest("blake3", "5b" * 32)
    assert refused(print_index(sample(5000)), 5000, other).splitlines() == [
        "the chunk index is that of another asset",
        "  where:    blobs/x",
        f"  expected: {other}",
        f"  found:    {ASSET}",
    ]


@pytest.mark.parametrize("size", [0, 1, USUAL_CHUNKS << 12, (USUAL_CHUNKS << 12) + 1, 10**10, MAX_SIZE])
def test_the_average_grows_with_the_file_and_the_number_of_chunks_does_not(size: int) -> None:
    average = average_for(size)
    assert SMALLEST_AVERAGE <= average <= LARGEST_AVERAGE
    assert size // smallest(average) <= MAX_CHUNKS
    assert average == SMALLEST_AVERAGE or size > USUAL_CHUNKS * average // 2
