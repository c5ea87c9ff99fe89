from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.channel.chunks.index import Chunk, ChunkIndex
from bitproof.channel.chunks.plan import REQUEST_COST, Copy, ReusePlan, Span, plan
from bitproof.model.digest import Digest

ASSET = Digest("blake3", "5a" * 32)
SIZE = 4096
GAP = REQUEST_COST // SIZE
"""As many chunks between two ranges are still fetched with them."""


def index_of(letters: str) -> ChunkIndex:
    """An asset whose chunks are told by letters, each of 4096 bytes."""
    digests = b"".join(letter.encode() * 6 for letter in letters)
    return ChunkIndex(ASSET, SIZE * len(letters), SIZE, digests, (SIZE,) * len(letters))


def chunks_of(letters: str) -> Iterator[Chunk]:
    return index_of(letters).chunks()


def planned(wanted: str, *local: str) -> ReusePlan:
    return plan(index_of(wanted), [chunks_of(letters) for letters in local])


def test_what_is_at_hand_is_copied_and_the_rest_is_fetched() -> None:
    held = "abcdefghijk"
    assert planned(held + "XY", held).copies == (Copy(0, 0, 0, 11 * SIZE),)
    assert planned(held + "XY", held).fetches == (Span(11 * SIZE, 2 * SIZE),)
    shifted = planned("X" + held, held)
    assert (shifted.copies, shifted.fetches) == ((Copy(0, 0, SIZE, 11 * SIZE),), (Span(0, SIZE),))


def test_chunks_that_follow_each_other_elsewhere_only_are_several_copies() -> None:
    assert planned("abdc", "abcd").copies == (
        Copy(0, 0, 0, 2 * SIZE),
        Copy(0, 3 * SIZE, 2 * SIZE, SIZE),
        Copy(0, 2 * SIZE, 3 * SIZE, SIZE),
    )


def test_the_first_file_that_has_a_chunk_gives_it() -> None:
    assert planned("abc", "xb", "abc").copies == (
        Copy(1, 0, 0, SIZE),
        Copy(0, SIZE, SIZE, SIZE),
        Copy(1, 2 * SIZE, 2 * SIZE, SIZE),
    )


def test_files_are_not_read_once_nothing_is_missing() -> None:
    def unread() -> Iterator[Chunk]:
        read.append(1)
        return chunks_of("abc")

    read: list[int] = []
    lazily = (chunk for _ in range(1) for chunk in unread())
    whole = plan(index_of("abc"), [chunks_of("abc"), lazily])
    assert (whole.fetches, whole.fetched, whole.requests) == ((), 0, 0)
    assert plan(index_of(""), [lazily]) == ReusePlan(0, 56, (), ())
    assert not read


def test_a_chunk_of_the_same_digest_and_another_size_is_not_taken() -> None:
    lookalike = Chunk(b"a" * 6, 0, SIZE - 1)
    assert plan(index_of("a"), [[lookalike]]).fetches == (Span(0, SIZE),)


@pytest.mark.parametrize(("between", "requests"), [(GAP, 1), (GAP + 1, 2)])
def test_two_ranges_are_one_when_the_gap_costs_less_than_a_request(between: int, requests: int) -> None:
    held = "abcdefghijklmnop"[:between]
    made = planned(f"X{held}Y", held)
    assert made.requests == requests
    assert made.fetched == (2 if requests == 2 else 2 + between) * SIZE
    assert made.reused == (between if requests == 2 else 0) * SIZE


def test_three_ranges_with_small_gaps_are_one() -> None:
    assert planned("XaYbZ", "ab").fetches == (Span(0, 5 * SIZE),)


def test_small_pieces_at_both_ends_are_copied_as_no_request_is_saved() -> None:
    made = planned("aXb", "ab")
    assert (made.copies, made.fetches) == ((Copy(0, 0, 0, SIZE), Copy(0, SIZE, 2 * SIZE, SIZE)), (Span(SIZE, SIZE),))


def test_a_plan_that_reuses_nothing_is_not_cheaper_than_the_whole_asset() -> None:
    assert not planned("abcdef", "xyz").is_cheaper
    assert not planned("abcdef").is_cheaper
    assert planned("abcdef", "abcdef").is_cheaper
    assert not ReusePlan(100_000, 50_000, (Copy(0, 0, 0, 40_000),), (Span(40_000, 60_000),)).is_cheaper
    assert not ReusePlan(1 << 20, 56, (Copy(0, 0, 0, 1 << 19),), (Span(0, 1),) * 17).is_cheaper
    assert ReusePlan(1 << 20, 56, (Copy(0, 0, 0, 1 << 19),), (Span(0, 1),) * 16).is_cheaper


@given(st.text("abcdefghXYZ", max_size=60), st.lists(st.text("abcdefgh", max_size=40), max_size=3))
def test_copies_and_fetches_are_the_whole_asset_once_and_in_order(wanted: str, local: list[str]) -> None:
    made = planned(wanted, *local)
    result = [""] * len(wanted)
    for copy in made.copies:
        for step in range(copy.size // SIZE):
            place = copy.offset // SIZE + step
            assert not result[place]
            result[place] = local[copy.source][copy.start // SIZE + step]
    for offset, size in made.fetches:
        for place in range(offset // SIZE, (offset + size) // SIZE):
            assert not result[place]
            result[place] = wanted[place]
    assert "".join(result) == wanted
    assert made.fetched + made.reused == made.size == len(wanted) * SIZE
    assert all(before.offset + before.size <= after.offset for before, after in pairwise(made.copies))
    gaps = [after.offset - before.offset - before.size for before, after in pairwise(made.fetches)]
    assert all(gap > REQUEST_COST for gap in gaps), "these are one range"
