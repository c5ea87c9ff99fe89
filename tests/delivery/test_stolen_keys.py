"""What a thief of keys can do, and how the holders of the root end it.

A thief serves a mirror: a copy of the place, in which it signs with what it has stolen. What it could sign is believed
and kept, so that the place has to come to higher versions than the thief's before machines take anything from it again.
"""

import json
from pathlib import Path
from shutil import rmtree

import pytest

from bitproof.channel.opening import load
from bitproof.channel.roles import changed_root, next_targets, sign
from bitproof.delivery.signers import role_signers

from .conftest import CHANNEL, KEYS, World, begun, metadata, signer_of
from .forging import FIRST, MIXED, ONLINE, SECOND, THIRD, UNSIGNED, Forger, refused_from, rotate_online

THREE = (signer_of(21), signer_of(22), signer_of(23))
STRANGER = (signer_of(77),)


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
