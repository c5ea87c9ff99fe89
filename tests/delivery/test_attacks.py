"""What a place, or whoever is on the way to it, may try: refused with its sentence, and the old release stands."""

import pytest

from bitproof.assets.verify import verify
from bitproof.channel.opening import opened
from bitproof.channel.roles import Duty, renewed, sign
from bitproof.delivery.signers import role_signer
from bitproof.errors import InputError, IntegrityError, UnavailableError

from .conftest import ARCH, World, metadata, refused, signer_of


def test_rollback_of_the_timestamp(world: World) -> None:
    old = metadata(world.backend, "timestamp.json").read_bytes()
    world.release(b"second")
    world.update()
    metadata(world.backend, "timestamp.json").write_bytes(old)
    error = refused(world, IntegrityError)
    assert error.what == (
        "the channel's timestamp is older than what this machine has seen, or not the one that belongs to the rest"
    )


@pytest.mark.parametrize(("days", "role"), [(8, "timestamp"), (400, "root")])
def test_freeze(world: World, days: int, role: str) -> None:
    world.later(days=days)
    error = refused(world, IntegrityError)
    assert error.what == f"the channel's {role} has expired"
    assert "clock" in error.fix


def test_freeze_of_the_snapshot_under_a_fresh_timestamp(world: World) -> None:
    world.later(days=31)
    with opened(world.backend, "stable") as repository:
        repository.renew(world.signers, world.now, ("timestamp",))
    assert refused(world, IntegrityError).what == "the channel's snapshot has expired"


def test_mix_and_match(world: World) -> None:
    first = metadata(world.backend, "2.snapshot.json").read_bytes()
    world.release(b"second")
    metadata(world.backend, "3.snapshot.json").write_bytes(first)
    assert refused(world, IntegrityError).what == "the channel's snapshot does not belong to the rest of its metadata"


def test_fast_forward_by_a_stolen_timestamp_key_is_undone_by_rotating_it(world: World) -> None:
    with opened(world.backend, "stable") as repository:
        repository.edition.timestamp.version = 1 << 31
        repository.renew(world.signers, world.now, ("timestamp",))
    world.update()
    world.release(b"second")
    fresh = (role_signer(signer_of(99)),)
    with opened(world.backend, "stable") as repository:
        duty = Duty(tuple(signer.public_key for signer in fresh))
        repository.write_root(repository.next_root("timestamp", duty, world.signers["root"], world.now))
        repository.edition.timestamp.version = 10
        repository.renew({**world.signers, "timestamp": fresh}, world.now, ("timestamp",))
    assert world.update().version == "2026.0415.2"


@pytest.mark.parametrize("name", ["timestamp.json", "3.snapshot.json", "3.targets.json"])
def test_endless_data(world: World, name: str) -> None:
    world.release(b"second")
    path = metadata(world.backend, name)
    path.write_bytes(path.read_bytes() + b" " * 6_000_000)
    assert refused(world, IntegrityError).what == "the file is larger than it may be"


def test_other_bytes_in_a_blob(world: World) -> None:
    world.release(b"second")
    (blob,) = (path for path in (world.place / "blobs").iterdir() if path.read_bytes() == b"second")
    blob.write_bytes(b"SECOND")
    assert refused(world, IntegrityError).what == "the place serves other bytes"
    assert list((world.base / ".bitproof-channel" / "downloads").iterdir()) == []


def test_a_truncated_blob(world: World) -> None:
    world.release(b"second")
    (blob,) = (path for path in (world.place / "blobs").iterdir() if path.read_bytes() == b"second")
    blob.write_bytes(b"sec")
    assert refused(world, IntegrityError).what == "the blob has another size"


def test_other_bytes_in_a_manifest(world: World) -> None:
    published = set((world.place / "stable" / "targets").iterdir())
    world.release(b"second")
    (path,) = set((world.place / "stable" / "targets").iterdir()) - published
    path.write_bytes(path.read_bytes().replace(b"x86_64", b"x86_65"))
    assert refused(world, IntegrityError).what == "the channel's manifest.json is not what was signed"


def test_a_lying_chunk_index_costs_a_full_download_and_nothing_else(world: World) -> None:
    known = set((world.place / "blobs").iterdir())
    world.release(b"first " * 2000 + b"and more")
    for path in set((world.place / "blobs").iterdir()) - known:
        if b"and more" not in path.read_bytes():
            path.write_bytes(path.read_bytes()[:-1] + b"\0")
    done = world.update()
    assert (done.version, done.reused) == ("2026.0415.2", 0)
    assert verify(world.base, (ARCH,)).ok


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_key_that_is_not_the_roles_signs_nothing(world: World, role: str) -> None:
    world.keys[role] = (signer_of(77),)
    before = world.files(of_channel=True)
    world.build(b"second")
    with pytest.raises(InputError, match=f"these keys cannot sign the channel's {role}"):
        world.publish()
    assert world.files(of_channel=True) == before


def test_metadata_that_is_signed_by_another_key(world: World) -> None:
    with opened(world.backend, "stable") as repository:
        edition = repository.edition
        forged = sign(renewed(edition.timestamp, edition.root, world.now), (role_signer(signer_of(77)),))
    metadata(world.backend, "timestamp.json").write_bytes(forged)
    assert refused(world, IntegrityError).what == "the channel's timestamp is not signed by enough trusted keys"


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 10_000, b'{"signed": 1e999}', b"\xff\xfe", b"null"])
def test_metadata_that_is_none(world: World, data: bytes) -> None:
    metadata(world.backend, "timestamp.json").write_bytes(data)
    assert refused(world, IntegrityError).what == "the channel's timestamp is not usable"


def test_a_root_that_the_old_keys_did_not_sign(world: World) -> None:
    with opened(world.backend, "stable") as repository:
        forged = repository.next_root("root", None, (role_signer(signer_of(77)),), world.now)
    metadata(world.backend, "2.root.json").write_bytes(forged)
    timestamp = metadata(world.backend, "timestamp.json")
    timestamp.write_bytes(timestamp.read_bytes() + b" ")  # so that there is more to ask than one question
    assert refused(world, IntegrityError).what == "the channel's root is not signed by enough trusted keys"


def test_another_root_than_the_one_that_is_trusted(world: World) -> None:
    world.release(b"second")
    error = refused(world, InputError, lambda: world.update(root=b"{}"))
    assert error.what == "this store trusts another root"


def test_a_clock_that_has_gone_back(world: World) -> None:
    world.later(days=-400)
    assert refused(world, UnavailableError).what == "this machine's clock has gone back"


def test_a_clock_that_is_years_ahead(world: World) -> None:
    world.later(days=5000)
    assert "clock" in refused(world, IntegrityError).fix


def test_an_unsigned_manifest_after_a_signed_one(world: World) -> None:
    world.build(b"second")
    key = world.sign()
    world.publish(key)
    world.update(keys=(key,))
    (world.root / "assets" / "manifest.json.minisig").unlink()
    world.release(b"third")
    assert refused(world, IntegrityError).what == "an unsigned manifest would take the place of a signed one"


def test_a_manifest_that_another_key_signed(world: World) -> None:
    world.build(b"second")
    world.publish(world.sign())
    error = refused(world, IntegrityError, lambda: world.update(keys=(signer_of(61).public,)))
    assert error.what == "the signature is by a key that is not trusted here"


def test_a_signature_that_nobody_can_check_is_not_published(world: World) -> None:
    world.build(b"second")
    world.sign()
    with pytest.raises(InputError, match="there is no key to check the manifest's signature by"):
        world.publish()


def test_a_stale_signature_is_not_published(world: World) -> None:
    world.build(b"second")
    key = world.sign()
    world.build(b"third")
    with pytest.raises(IntegrityError, match="the signature does not verify"):
        world.publish(key)
