"""Publishers that die, and two at once: a reader sees the old release or the new one, never half of one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitproof.channel.backends.archive import ArchivePlace
from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.ports import Blob, NamedBlob
from bitproof.delivery.decide import decide
from bitproof.delivery.outlet import Outlet
from bitproof.delivery.publish import publish
from bitproof.delivery.release import load_release
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.hashing import bytes_digest, bytes_sha256
from bitproof.system.opened import OpenFile, Progress, ignore, open_file

from .conftest import World, silently

DIRECTORIES = ("blobs", "stable", "stable/bundles", "stable/metadata", "stable/targets")
BLOB = Blob(bytes_digest(b"as recorded"), bytes_sha256(b"as recorded"), len(b"as recorded"))
STEPS = 7
"""Writes of a publish: a file and its chunk index, the manifest, targets, snapshot, timestamp, the bundle."""


class DyingError(Exception):
    """The publisher is no more."""


class Interrupted(DirectoryPlace):
    """A place without locks, where something happens before the n-th write."""

    def __init__(self, root: Path, at: int, happen: Callable[[], None]) -> None:
        super().__init__(root)
        self.left = at
        self.happen = happen

    @contextmanager
    def exclusive(self, channel: str) -> Iterator[None]:
        assert channel
        yield

    def _write(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.happen()

    def put(self, blob: Blob, source: OpenFile, progress: Progress) -> None:
        self._write()
        super().put(blob, source, progress)

    def create(self, path: str, data: bytes) -> bool:
        self._write()
        return super().create(path, data)

    def swap(self, path: str, data: bytes, before: bytes | None) -> bool:
        self._write()
        return super().swap(path, data, before)

    def announce(self, version: str, files: Sequence[NamedBlob]) -> None:
        assert files, version


def publish_into(world: World, place: DirectoryPlace) -> bool:
    outlet = Outlet(backend=place, channel="stable", signers=world.signers, now=world.now)
    return publish(load_release(world.root / "assets", ()), outlet, silently).changed


def die() -> None:
    raise DyingError


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_publisher_that_dies_leaves_the_old_release(world: World, step: int) -> None:
    world.build(b"second")
    with pytest.raises(DyingError):
        publish_into(world, Interrupted(world.place, step, die))
    assert world.update().version == "2026.0415.1"
    world.publish()
    assert world.update().version == "2026.0415.2"


def test_a_publisher_that_dies_before_the_bundle_has_published_and_the_next_lays_it(world: World) -> None:
    world.build(b"second")
    with pytest.raises(DyingError):
        publish_into(world, Interrupted(world.place, STEPS, die))
    assert world.update().version == "2026.0415.2"
    bundle = world.place / "stable" / "bundles" / "2026.0415.2.bitproof"
    assert not bundle.exists()
    assert not world.publish().changed
    assert decide(ArchivePlace(bundle), world.first_root, world.now, ()).version == "2026.0415.2"


def test_a_machine_that_updates_between_two_writes_sees_the_old_release_or_the_new_one(world: World) -> None:
    seen = []
    for step in range(1, STEPS + 1):
        world.build(b"%d" % step)
        publish_into(world, Interrupted(world.place, step, lambda: seen.append(world.update().version)))
        assert world.update().version == f"2026.0415.{step + 1}"
    assert seen == [f"2026.0415.{release}" for release in (1, 2, 3, 4, 5, 6, 8)]


def test_what_dead_publishers_left_goes_with_the_next_publish(world: World) -> None:
    left = [world.place / directory / ".bitproof-0123456789abcdef.tmp" for directory in DIRECTORIES]
    for path in left:
        path.write_bytes(b"half a file")
    world.release(b"second")
    assert [path for path in left if path.exists()] == []


def test_a_blob_that_changes_while_it_is_brought_is_not_left_there(world: World, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"changed meanwhile")
    before = world.files(of_channel=True)
    with (
        open_file(tmp_path / "source") as source,
        pytest.raises(IntegrityError) as caught,
    ):
        world.backend.put(BLOB, source, ignore)
    assert str(caught.value) == (
        "what landed is not what was to be brought\n"
        f"  where:    {world.place}/blobs/{BLOB.blake3.value}\n"
        f"  expected: {BLOB.blake3}, 11 bytes\n"
        f"  found:    {bytes_digest(b'changed mean')}, 12 bytes\n"
        f"  fix:      {tmp_path}/source changed meanwhile, or the disk lost bytes: try again"
    )
    assert world.files(of_channel=True) == before


def test_no_step_is_left_out(world: World) -> None:
    world.build(b"second")
    place = Interrupted(world.place, STEPS + 1, die)
    assert publish_into(world, place)
    assert place.left == 1


@pytest.mark.parametrize("step", range(1, STEPS))
def test_of_two_publishers_without_a_lock_the_slower_one_is_told(world: World, step: int) -> None:
    def overtake() -> None:
        world.later(seconds=5)
        world.publish()

    world.build(b"second")
    with pytest.raises(UnavailableError, match="another publisher was faster") as caught:
        publish_into(world, Interrupted(world.place, step, overtake))
    assert caught.value.fix == "nothing of yours is visible: run the same command again"
    assert world.update().version == "2026.0415.2"
