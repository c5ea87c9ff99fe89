"""Old metadata under new signatures, and versions that nobody can follow: what stolen online keys could sign."""

from shutil import rmtree

import pytest

from bitproof.errors import UnavailableError

from .conftest import KEYS, World
from .forging import OLDER, SECOND, THIRD, Forger, refused_from, rotate_online


def test_rollback_of_the_targets_alone_under_a_new_snapshot(world: World) -> None:
    world.release(b"second")
    world.update()
    forger = Forger(world)
    bound = forger.edition.snapshot.meta["targets.json"]
    bound.version, bound.hashes, bound.length = 2, None, None
    forger.forge(KEYS, "snapshot")
    found = "Expected targets.json version 2, got 3."
    assert refused_from(world, world) == f"{OLDER.format('snapshot')}: {found}"
    world.publish()
    world.release(b"third")
    assert world.update().version == THIRD


def test_rollback_of_the_snapshot_alone_under_a_new_timestamp(world: World) -> None:
    world.release(b"second")
    world.update()
    forger = Forger(world)
    bound = forger.edition.timestamp.snapshot_meta
    bound.version, bound.hashes, bound.length = 2, None, None
    forger.forge(KEYS, "timestamp")
    found = "New snapshot version must be >= 3, got version 2"
    assert refused_from(world, world) == f"{OLDER.format('timestamp')}: {found}"
    world.publish()
    world.release(b"third")
    assert world.update().version == THIRD


@pytest.mark.parametrize("roles", [("snapshot", "timestamp"), ("snapshot",), ("timestamp",)])
def test_fast_forward_of_every_version_is_undone_by_rotating_keys(world: World, roles: tuple[str, ...]) -> None:
    mirror = world.mirror()
    forger = Forger(mirror)
    edition = forger.edition
    edition.timestamp.version = edition.snapshot.version = edition.snapshot.meta["targets.json"].version = 1 << 31
    forger.forge(KEYS, "snapshot")
    assert refused_from(mirror, world, UnavailableError) == "the channel has no targets"
    world.release(b"second")
    found = "New timestamp version 3 must be >= 2147483649"
    assert refused_from(world, world) == f"{OLDER.format('timestamp')}: {found}"
    rotate_online(world, *roles)
    assert world.update().version == SECOND


def test_a_snapshot_that_lists_no_targets(world: World) -> None:
    mirror = world.mirror()
    forger = Forger(mirror)
    forger.edition.snapshot.meta.clear()
    forger.forge(KEYS, "snapshot")
    said = "the channel's snapshot is not usable: New snapshot is missing info for 'targets.json'"
    assert refused_from(mirror, world) == said

    rmtree(world.base / ".bitproof-channel")
    assert refused_from(mirror, world) == "the channel's snapshot is not usable: it does not list the targets"
    world.release(b"second")
    world.release(b"third")
    assert world.update().version == THIRD
