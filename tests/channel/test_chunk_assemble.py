import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.chunks.assemble import assemble
from bitproof.channel.chunks.index import ChunkIndex
from bitproof.channel.chunks.plan import plan
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.opened import OpenFile, ignore
from tests.channel.assets import blob_of, content, index_of, opened, planned

OLD = content("old", 1_000_000)
NEW = OLD[:300_000] + content("more", 20_000) + OLD[320_000:700_000] + OLD[800_000:] + content("end", 5000)


@pytest.fixture
def place(tmp_path: Path) -> DirectoryPlace:
    made = DirectoryPlace(tmp_path / "place")
    with opened(tmp_path / "source", NEW) as source:
        made.put(blob_of(NEW), source, ignore)
    return made


@pytest.fixture
def target(tmp_path: Path) -> Iterator[OpenFile]:
    with OpenFile(os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT | os.O_EXCL), tmp_path / "target") as file:
        yield file


def test_an_asset_is_filled_from_what_is_at_hand_and_what_is_fetched(
    tmp_path: Path, place: DirectoryPlace, target: OpenFile
) -> None:
    told: list[int] = []
    with opened(tmp_path / "other", content("else", 50_000)) as other, opened(tmp_path / "old", OLD) as old:
        made = planned(tmp_path, NEW, [other, old])
        assemble(made, [other, old], target, place, blob_of(NEW), told.append)
    assert (tmp_path / "target").read_bytes() == NEW
    assert 25_000 <= made.fetched < 120_000
    assert sum(told) == len(NEW)


@pytest.mark.parametrize("wanted", [b"", b"x", NEW])
def test_with_nothing_at_hand_all_is_fetched(tmp_path: Path, target: OpenFile, wanted: bytes) -> None:
    place = DirectoryPlace(tmp_path / "place")
    with opened(tmp_path / "source", wanted) as source:
        place.put(blob_of(wanted), source, ignore)
    made = planned(tmp_path, wanted, [])
    assemble(made, [], target, place, blob_of(wanted))
    assert (tmp_path / "target").read_bytes() == wanted
    assert made.is_cheaper == (not wanted), "of an empty asset nothing is fetched"


def test_with_all_of_it_at_hand_the_place_is_not_asked(tmp_path: Path, target: OpenFile) -> None:
    nowhere = DirectoryPlace(tmp_path / "nowhere")
    with opened(tmp_path / "old", NEW) as old:
        assemble(planned(tmp_path, NEW, [old]), [old], target, nowhere, blob_of(NEW))
    assert (tmp_path / "target").read_bytes() == NEW


def test_an_index_that_lies_gives_a_file_that_does_not_verify(
    tmp_path: Path, place: DirectoryPlace, target: OpenFile
) -> None:
    told = index_of(tmp_path / "asset", NEW)
    swapped = told.digests[6:12] + told.digests[:6] + told.digests[12:]
    sizes = (told.sizes[1], told.sizes[0], *told.sizes[2:])
    lying = ChunkIndex(told.asset, told.size, told.average, swapped, sizes)
    with opened(tmp_path / "old", OLD) as old:
        assemble(plan(lying, [told.chunks()]), [old], target, place, blob_of(NEW))
    landed = (tmp_path / "target").read_bytes()
    assert len(landed) == len(NEW)
    assert blob_of(landed).blake3 != blob_of(NEW).blake3


def test_bytes_that_changed_since_they_were_cut_give_a_file_that_does_not_verify(
    tmp_path: Path, place: DirectoryPlace, target: OpenFile
) -> None:
    with opened(tmp_path / "old", OLD) as old:
        made = planned(tmp_path, NEW, [old])
        (tmp_path / "old").write_bytes(bytes(len(OLD)))
        assemble(made, [old], target, place, blob_of(NEW))
    assert blob_of((tmp_path / "target").read_bytes()) != blob_of(NEW)


def test_a_file_that_became_shorter_since_it_was_cut_is_named(
    tmp_path: Path, place: DirectoryPlace, target: OpenFile
) -> None:
    with opened(tmp_path / "old", OLD) as old:
        made = planned(tmp_path, NEW, [old])
        os.truncate(tmp_path / "old", 10_000)
        with pytest.raises(IntegrityError) as caught:
            assemble(made, [old], target, place, blob_of(NEW))
    first = made.copies[0]
    assert str(caught.value).splitlines() == [
        "the file at hand changed while it was copied",
        f"  where:    {tmp_path / 'old'}",
        f"  expected: at least {first.size} bytes",
        "  found:    10000 bytes",
    ]


def test_a_plan_of_another_asset_is_refused_and_nothing_is_written(
    tmp_path: Path, place: DirectoryPlace, target: OpenFile
) -> None:
    with opened(tmp_path / "old", OLD) as old:
        made = planned(tmp_path, OLD, [old])
        with pytest.raises(IntegrityError) as caught:
            assemble(made, [old], target, place, blob_of(NEW))
    assert str(caught.value).splitlines() == [
        "the plan is that of another asset",
        f"  where:    {tmp_path / 'target'}",
        f"  expected: {len(NEW)} bytes",
        f"  found:    {len(OLD)} bytes",
    ]
    assert not (tmp_path / "target").read_bytes()


def test_a_target_that_cannot_be_written_is_a_sentence(tmp_path: Path, place: DirectoryPlace) -> None:
    with opened(tmp_path / "old", OLD) as old, opened(tmp_path / "target", b"") as unwritable:
        made = planned(tmp_path, NEW, [old])
        with pytest.raises(UnavailableError) as caught:
            assemble(made, [old], unwritable, place, blob_of(NEW))
    assert str(caught.value).splitlines() == [
        "the file cannot be assembled",
        f"  where:    {tmp_path / 'target'}",
        "  found:    Bad file descriptor",
    ]


def test_a_place_without_the_blob_is_the_callers_to_leave(tmp_path: Path, target: OpenFile) -> None:
    empty = DirectoryPlace(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    with opened(tmp_path / "old", OLD) as old, pytest.raises(UnavailableError):
        assemble(planned(tmp_path, NEW, [old]), [old], target, empty, blob_of(NEW))
