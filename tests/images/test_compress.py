import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.images.initrd.compress import segment, unpacked
from bitproof.model.guest_config import COMPRESSIONS, LEVELS


@given(st.sampled_from(COMPRESSIONS), st.binary(min_size=1, max_size=2000))
def test_a_segment_unpacks_to_what_went_in(codec: str, data: bytes) -> None:
    packed = segment(data, codec, 1)

    assert len(packed) % 4 == 0
    assert unpacked(packed, 4000) == data
    assert packed == segment(data, codec, 1)


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_only_as_much_is_unpacked_as_asked_for_and_only_of_the_first_segment(codec: str) -> None:
    joined = segment(b"first " * 1000, codec, LEVELS[codec]) + segment(b"second", codec, 1)

    assert unpacked(joined, 11) == b"first first"
    assert unpacked(joined, 1 << 20) == b"first " * 1000


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_the_codecs_own_program_reads_it(codec: str) -> None:
    packed = segment(b"content" * 100, codec, 1)

    done = subprocess.run([codec, "-dc"], input=packed, capture_output=True, check=False)

    assert done.stdout == b"content" * 100


def test_xz_carries_the_check_that_the_kernel_knows() -> None:
    assert segment(b"content", "xz", 1)[6:8] == b"\x00\x01"


def test_gzip_carries_no_time_and_no_name() -> None:
    assert segment(b"content", "gzip", 9)[3:8] == b"\0\0\0\0\0"


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_a_damaged_segment_is_refused(codec: str) -> None:
    packed = bytearray(segment(bytes(range(256)) * 8, codec, 1))
    packed[10:14] = b"\xff\xff\xff\xff"

    with pytest.raises(ValueError, match="damaged"):
        unpacked(bytes(packed), 1 << 20)


def test_bytes_of_no_known_codec_are_refused() -> None:
    with pytest.raises(ValueError, match="not compressed with zstd, xz or gzip"):
        unpacked(b"BZh9", 10)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="not a known codec: 'lz4'"):
        segment(b"", "lz4", 1)
