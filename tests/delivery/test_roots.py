"""Chains of roots: long ones, broken ones, expired ones."""

from datetime import timedelta

import pytest

from bitproof.channel.opening import load, opened
from bitproof.channel.roles import Duty, changed_root, key_name, sign
from bitproof.channel.trusted import MAX_ROTATIONS
from bitproof.delivery.signers import role_key, role_signers
from bitproof.errors import IntegrityError

from .conftest import CHANNEL, RENEW, World, metadata, refused, signer_of

FIRST, SECOND = "2026.0415.1", "2026.0415.2"
OLDER = "the channel's root is older than what this machine has seen, or not the one that belongs to the rest"
UNSIGNED = "the channel's timestamp is not signed by enough trusted keys"


def rotate_root(world: World, times: int) -> None:
    """Other root keys, again and again: each root is signed by the keys before it and by its own."""
    root = load(world.backend, CHANNEL).root
    for _ in range(times):
        fresh = (signer_of(100 + root.version % 2),)
        root = changed_root(root, "root", Duty(tuple(role_key(key.public) for key in fresh)), world.now)
        path = metadata(world.backend, f"{root.version}.root.json")
        path.write_bytes(sign(root, role_signers(world.keys["root"] + fresh)))
        world.keys["root"] = fresh


def trusted_root(world: World) -> bytes:
    """The root that the machine believes."""
    return (world.base / ".bitproof-channel" / "root.json").read_bytes()


def served_root(world: World, version: int) -> bytes:
    return metadata(world.backend, f"{version}.root.json").read_bytes()


def test_a_machine_that_was_off_for_many_roots_catches_up_at_once(world: World) -> None:
    rotate_root(world, 20)
    world.rotate("timestamp", signer_of(44))
    world.release(b"second")
    assert world.update().version == SECOND
    assert trusted_root(world) == served_root(world, 22)


def test_more_roots_than_one_update_follows_are_followed_by_the_next(world: World) -> None:
    rotate_root(world, MAX_ROTATIONS)
    world.rotate("timestamp", signer_of(44), lost=True)
    error = refused(world, IntegrityError)
    assert (error.what, error.found) == (UNSIGNED, "timestamp was signed by 0/1 keys")
    assert trusted_root(world) == served_root(world, 1 + MAX_ROTATIONS)
    assert world.update().version == FIRST
    assert trusted_root(world) == served_root(world, 2 + MAX_ROTATIONS)


def test_a_root_that_is_left_out(world: World) -> None:
    rotate_root(world, 1)
    world.rotate("timestamp", signer_of(44), lost=True)
    mirror = world.mirror()
    metadata(mirror.backend, "2.root.json").unlink()
    error = refused(world, IntegrityError, lambda: world.update(reader=mirror.backend))
    assert (error.what, error.found) == (UNSIGNED, "timestamp was signed by 0/1 keys")
    assert trusted_root(world) == world.first_root
    assert world.update().version == FIRST


@pytest.mark.parametrize("version", [1, 3])
def test_a_root_in_the_place_of_another(world: World, version: int) -> None:
    with opened(world.backend, CHANNEL) as repository:
        for _ in range(2):
            root = repository.next_root("root", None, world.signers["root"], world.now)
            repository.write_root(root)
    world.release(b"second")
    mirror = world.mirror()
    metadata(mirror.backend, "2.root.json").write_bytes(served_root(world, version))
    error = refused(world, IntegrityError, lambda: world.update(reader=mirror.backend))
    assert (error.what, error.found) == (OLDER, f"Expected root version 2 instead got version {version}")
    assert trusted_root(world) == world.first_root
    assert world.update().version == SECOND


@pytest.mark.parametrize("expired", [[2], [2, 3, 4]])
def test_expired_roots_on_the_way(world: World, expired: list[int]) -> None:
    write_roots(world, expired, 6)
    world.release(b"second")
    assert world.update().version == SECOND
    assert trusted_root(world) == served_root(world, 6)


def write_roots(world: World, expired: list[int], last: int) -> None:
    """Roots up to a version, some of which have expired yesterday."""
    with opened(world.backend, CHANNEL) as repository:
        for version in range(2, last + 1):
            root = changed_root(repository.edition.root, "root", None, world.now)
            if version in expired:
                root.expires = world.now.replace(microsecond=0) - timedelta(days=1)
            repository.write_root(sign(root, world.signers["root"]))


def test_an_expired_root_at_the_end(world: World) -> None:
    world.release(b"second")
    mirror = world.mirror()
    write_roots(mirror, [4], 4)
    error = refused(world, IntegrityError, lambda: world.update(reader=mirror.backend))
    assert str(error).splitlines() == [
        "the channel's root has expired",
        f"  where:    {mirror.place} channel stable",
        "  expected: one that holds at 2026-04-15 12:00:00 UTC, this machine's time",
        "  found:    it expired at 2026-04-14 12:00:00 UTC",
        f"  fix:      {RENEW}",
    ]
    write_roots(world, [4], 5)
    assert world.update().version == SECOND


def test_a_publisher_follows_every_root(world: World) -> None:
    rotate_root(world, MAX_ROTATIONS + 1)
    world.rotate("timestamp", signer_of(44), lost=True)
    assert world.release(b"second").changed
    assert load(world.backend, CHANNEL).root.version == 3 + MAX_ROTATIONS


@pytest.mark.parametrize("told", ["\x1b[2J", "0" * 17, 7, None])
def test_a_key_with_another_name_than_an_id_is_named_by_its_bytes(told: object) -> None:
    key = role_key(signer_of(1).public)
    assert key_name(key) == "0101010101010101"
    key.unrecognized_fields["x-bitproof-key-id"] = told
    assert key_name(key) == signer_of(1).public.point.hex()
