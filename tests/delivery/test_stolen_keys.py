"""What a thief of keys can do, and how the holders of the root end it.

A thief serves a mirror: a copy of the place, in which it signs with what it has stolen. What it could sign is believed
and kept, so that the place has to come to higher versions than the thief's before machines take anything from it again.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree

import pytest

from bitproof.channel.opening import load
from bitproof.channel.repository import Repository
from bitproof.channel.roles import Signers, changed_root, next_targets, sign
from bitproof.delivery.signers import role_signers
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.trust.secret_key import SecretKey

from .conftest import CHANNEL, KEYS, World, begun, metadata, refused, signer_of

OLDER = "the channel's {} is older than what this machine has seen, or not the one that belongs to the rest"
UNSIGNED = "the channel's {} is not signed by enough trusted keys"
MIXED = "the channel's {} does not belong to the rest of its metadata"
ONLINE = ("targets", "snapshot", "timestamp")
FIRST, SECOND, THIRD = "2026.0415.1", "2026.0415.2", "2026.0415.3"
THREE = (signer_of(21), signer_of(22), signer_of(23))
STRANGER = (signer_of(77),)


class Forger(Repository):
    """Changes a channel with whatever keys there are."""

    def __init__(self, mirror: World) -> None:
        super().__init__(mirror.backend, CHANNEL, load(mirror.backend, CHANNEL))
        self.now = mirror.now

    def check(self, signers: Signers, roles: Sequence[str]) -> None:
        """Nobody is asked."""

    def forge(self, keys: Mapping[str, tuple[SecretKey, ...]], *roles: str) -> None:
        """New versions of these roles and those above them, of the same content."""
        self.renew({role: role_signers(owned) for role, owned in keys.items()}, self.now, roles)


def refused_from(mirror: World, world: World, kind: type[IntegrityError | UnavailableError] = IntegrityError) -> str:
    """What a machine says of a mirror, and what it found there."""
    error = refused(world, kind, lambda: world.update(reader=mirror.backend))
    return f"{error.what}: {error.found}" if error.found else error.what


def rotate_online(world: World, *roles: str) -> None:
    """What the holders of the root do about stolen keys."""
    for role in roles:
        world.rotate(role, signer_of(40 + ONLINE.index(role)), lost=True)


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


@pytest.mark.parametrize("role", ONLINE)
def test_one_of_three_keys_where_two_have_to_sign(tmp_path: Path, role: str) -> None:
    world = begun(tmp_path, {**KEYS, role: THREE}, threshold=2)
    mirror = world.mirror()
    Forger(mirror).forge({**KEYS, role: THREE[1:2]}, *ONLINE)
    assert refused_from(mirror, world) == f"{UNSIGNED.format(role)}: {role} was signed by 1/2 keys"
    world.release(b"second")
    world.release(b"third")
    assert world.update().version == THIRD


def test_one_of_three_root_keys_where_two_have_to_sign(tmp_path: Path) -> None:
    world = begun(tmp_path, {**KEYS, "root": THREE}, threshold=2)
    mirror = world.mirror()
    forger = Forger(mirror)
    forged = changed_root(forger.edition.root, "root", None, mirror.now)
    metadata(mirror.backend, "2.root.json").write_bytes(sign(forged, role_signers(THREE[:1])))
    forger.forge(KEYS, "timestamp")
    assert refused_from(mirror, world) == f"{UNSIGNED.format('root')}: root was signed by 1/2 keys"
    world.release(b"second")
    assert world.update().version == SECOND


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("its own", "the channel's timestamp is not usable: Failed to deserialize JSON"),
        ("another's", f"{UNSIGNED.format('timestamp')}: timestamp was signed by 1/2 keys"),
    ],
)
def test_one_key_that_signs_twice(tmp_path: Path, name: str, said: str) -> None:
    world = begun(tmp_path, {**KEYS, "timestamp": THREE}, threshold=2)
    mirror = world.mirror()
    Forger(mirror).forge({**KEYS, "timestamp": THREE[:1]}, "timestamp")
    path = metadata(mirror.backend, "timestamp.json")
    document = json.loads(path.read_bytes())
    own, others = role_signers(THREE[:2])
    named = own if name == "its own" else others
    document["signatures"].append({**document["signatures"][0], "keyid": named.public_key.keyid})
    path.write_text(json.dumps(document))
    assert refused_from(mirror, world) == said
    world.release(b"second")
    assert world.update().version == SECOND


def test_enough_targets_keys_alone_show_nobody_anything(tmp_path: Path) -> None:
    world = begun(tmp_path, {**KEYS, "targets": THREE}, threshold=2)
    mirror = world.mirror()
    forger = Forger(mirror)
    forged = next_targets(forger.edition, (), mirror.now)
    metadata(mirror.backend, "3.targets.json").write_bytes(sign(forged, role_signers(THREE[:2])))
    before = world.files()
    assert world.update(reader=mirror.backend).version == FIRST
    assert world.files() == before

    forger.forge({**KEYS, "targets": THREE[:2], "snapshot": STRANGER}, "targets")
    assert refused_from(mirror, world) == f"{UNSIGNED.format('snapshot')}: snapshot was signed by 0/1 keys"
    world.release(b"second")
    world.release(b"third")
    assert world.update().version == THIRD


def test_enough_targets_keys_alone_put_nothing_under_a_snapshot(tmp_path: Path) -> None:
    world = begun(tmp_path, {**KEYS, "targets": THREE}, threshold=2)
    edition = load(world.backend, CHANNEL)
    world.release(b"second")
    mirror = world.mirror()
    forged = sign(next_targets(edition, (), world.now), role_signers(THREE[:2]))
    path = metadata(mirror.backend, "3.targets.json")
    honest = path.read_bytes()
    path.write_bytes(forged + b" " * (len(honest) - len(forged)))
    assert refused_from(mirror, world).startswith(f"{MIXED.format('targets')}: Observed hash ")
    assert world.update().version == SECOND


def test_snapshot_and_timestamp_keys_bring_no_file(world: World) -> None:
    mirror = world.mirror()
    Forger(mirror).forge({**KEYS, "targets": STRANGER}, "targets")
    assert refused_from(mirror, world) == f"{UNSIGNED.format('targets')}: targets was signed by 0/1 keys"
    world.release(b"second")
    world.release(b"third")
    assert world.update().version == THIRD


def test_snapshot_and_timestamp_keys_hold_machines_back_until_the_root_names_others(world: World) -> None:
    mirror = world.mirror()
    world.release(b"second")
    before = world.files()
    for _ in range(3):
        world.later(days=29)
        mirror.now = world.now
        Forger(mirror).forge(KEYS, "snapshot")
        assert world.update(reader=mirror.backend).version == FIRST
        assert world.files() == before

    rotate_online(world, "snapshot", "timestamp")
    assert world.update().version == SECOND
    assert refused_from(mirror, world) == f"{UNSIGNED.format('timestamp')}: timestamp was signed by 0/1 keys"


def test_fast_forward_of_every_version_is_undone_by_rotating_both_keys(world: World) -> None:
    mirror = world.mirror()
    forger = Forger(mirror)
    edition = forger.edition
    edition.timestamp.version = edition.snapshot.version = edition.snapshot.meta["targets.json"].version = 1 << 31
    forger.forge(KEYS, "snapshot")
    assert refused_from(mirror, world, UnavailableError) == "the channel has no targets"
    world.release(b"second")
    found = "New timestamp version 3 must be >= 2147483649"
    assert refused_from(world, world) == f"{OLDER.format('timestamp')}: {found}"
    rotate_online(world, "snapshot", "timestamp")
    assert world.update().version == SECOND


def test_all_online_keys_bring_any_release_until_the_root_names_others(world: World) -> None:
    mirror = world.mirror()
    mirror.release(b"stolen")
    assert world.update(reader=mirror.backend).version == SECOND
    assert b"stolen" in world.files().values()

    rotate_online(world, *ONLINE)
    world.release(b"second")
    world.release(b"third")
    assert world.update().version == THIRD
    mirror.release(b"stolen again")
    assert refused_from(mirror, world) == f"{UNSIGNED.format('timestamp')}: timestamp was signed by 0/1 keys"


def test_all_online_keys_do_not_sign_a_manifest(world: World) -> None:
    world.build(b"second")
    key = world.sign()
    world.publish(key)
    world.update(keys=(key,))
    mirror = world.mirror()
    (mirror.root / "assets" / "manifest.json.minisig").unlink()
    mirror.release(b"stolen")
    said = "an unsigned manifest would take the place of a signed one: no manifest.json.minisig beside it"
    assert refused_from(mirror, world) == said
    world.build(b"third")
    world.publish(world.sign())
    world.later(days=1)
    world.publish(world.sign())
    assert world.update(keys=(key,)).version == THIRD


def test_root_keys_take_machines_away_until_they_are_given_the_root_anew(world: World) -> None:
    mirror = world.mirror()
    rotate_online(mirror, *ONLINE)
    mirror.release(b"stolen")
    assert world.update(reader=mirror.backend).version == SECOND
    world.release(b"second")
    world.release(b"third")
    assert refused_from(world, world) == f"{UNSIGNED.format('timestamp')}: timestamp was signed by 0/1 keys"
    rmtree(world.base / ".bitproof-channel")
    assert world.update().version == THIRD


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
