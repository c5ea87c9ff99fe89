"""Only what the machine lacks is fetched; what is wrong with chunks costs a full download and nothing else."""

import os
from hashlib import shake_128
from pathlib import Path

import pytest

from bitproof.channel.chunks import cut, index
from bitproof.delivery.requests import Updated
from bitproof.errors import UnavailableError

from .conftest import World

FIRST = shake_128(b"rootfs").digest(400_000)
SECOND = FIRST[:100_000] + b"inserted" + FIRST[100_000:]


@pytest.fixture
def large(world: World) -> World:
    """The world, whose machine has a release that is worth cutting."""
    world.release(FIRST)
    world.update()
    return world


def updated(world: World) -> Updated:
    done = world.update()
    assert done.version == "2026.0415.3"
    assert SECOND in world.files().values()
    return done


def chunks_of_second(world: World) -> Path:
    """Publish the second release; its chunk index in the place."""
    known = set((world.place / "blobs").iterdir())
    world.release(SECOND)
    (path,) = (path for path in set((world.place / "blobs").iterdir()) - known if path.stat().st_size != len(SECOND))
    return path


def in_the_store(world: World) -> Path:
    (path,) = (path for path in world.base.glob("rootfs-*") if path.stat().st_size == len(FIRST))
    return path


def test_what_is_at_hand_is_not_fetched(large: World) -> None:
    chunks = chunks_of_second(large)
    done = updated(large)
    assert done.size == len(SECOND)
    assert done.fetched - chunks.stat().st_size == len(SECOND) - done.reused
    assert done.reused > 350_000


def test_a_chunk_index_of_another_format_is_passed_over(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "FORMAT", 2)
    chunks = chunks_of_second(large)
    monkeypatch.undo()
    done = updated(large)
    assert (done.fetched, done.reused) == (len(SECOND) + chunks.stat().st_size, 0)


def test_a_chunk_index_that_is_gone_is_passed_over(large: World) -> None:
    chunks_of_second(large).unlink()
    done = updated(large)
    assert (done.fetched, done.reused) == (len(SECOND), 0)


def test_where_files_cannot_be_cut_all_is_fetched(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = chunks_of_second(large)

    def refuse(_: int) -> None:
        raise UnavailableError("files cannot be cut into chunks: pyfastcdc has no compiled part here")

    monkeypatch.setattr(cut, "_cutter", refuse)
    done = updated(large)
    assert (done.fetched, done.reused) == (len(SECOND) + chunks.stat().st_size, 0)


def test_a_file_at_hand_that_is_none_is_passed_over(large: World) -> None:
    chunks = chunks_of_second(large)
    at_hand = in_the_store(large)
    at_hand.unlink()
    os.mkfifo(at_hand)
    done = updated(large)
    assert (done.fetched, done.reused) == (len(SECOND) + chunks.stat().st_size, 0)


def test_a_file_at_hand_that_changes_while_it_is_used_costs_a_full_download(
    large: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = chunks_of_second(large)
    at_hand = in_the_store(large)
    search = cut.plan_reuse

    def search_then_change(*given: object) -> object:
        found = search(*given)  # type: ignore[arg-type]
        os.truncate(at_hand, 1000)
        return found

    monkeypatch.setattr("bitproof.delivery.fetching.plan_reuse", search_then_change)
    done = updated(large)
    assert (done.fetched, done.reused) == (len(SECOND) + chunks.stat().st_size, 0)
