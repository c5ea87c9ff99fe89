"""The adaptor's contract: what the suite expects of init, refresh and download when all is well."""

from collections.abc import Callable

import pytest
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile

from .conftest import Machine
from .repository import ONLINE, PAST, ROLES, Repository

FIRST = ["/metadata/2.root.json", "/metadata/timestamp.json", "/metadata/1.snapshot.json", "/metadata/1.targets.json"]


def test_init_keeps_the_root_and_asks_nobody(machine: Machine) -> None:
    (machine.metadata / "root.json").unlink()
    assert machine.spawning.init(machine.first_root.read_bytes()) == (0, "")
    assert machine.kept() == {"root.json": machine.first_root.read_bytes()}
    assert machine.asked() == []


def test_refresh_keeps_what_it_was_served_byte_for_byte(machine: Machine, repository: Repository) -> None:
    timestamp = repository.path("timestamp")
    timestamp.write_bytes(timestamp.read_bytes() + b" ")
    assert machine.spawning.refresh() == (0, "")
    assert machine.asked() == FIRST
    assert machine.kept() == {f"{role}.json": repository.path(role).read_bytes() for role in ROLES}


def test_refresh_asks_for_no_more_than_is_new(fresh: Machine, repository: Repository) -> None:
    repository.publish("timestamp")
    assert fresh.refresh() == (0, "")
    assert fresh.asked() == [*FIRST, *FIRST[:2]]
    assert fresh.trusted() == {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 2}


def test_download_refreshes_first(machine: Machine) -> None:
    found = "the repository lists no such file: nonexistent artifact"
    assert machine.spawning.download("nonexistent artifact") == (1, found)
    assert machine.asked() == FIRST
    assert machine.trusted() == dict.fromkeys(sorted(ROLES), 1)
    assert machine.files() == []


@pytest.mark.parametrize("name", ["file.txt", "path/to/a/file.txt", "a space, 100 %, a %2F", "../outside", ".."])
def test_download_gets_a_file_once_and_puts_it_into_its_directory(
    machine: Machine, repository: Repository, name: str
) -> None:
    repository.add(name, b"the bytes")
    repository.publish(*ONLINE)
    assert machine.download(name) == (0, "")
    assert machine.download(name) == (0, "")
    assert machine.files() == [b"the bytes"]
    assert len([path for path in machine.asked() if not path.startswith("/metadata/")]) == 1
    assert sorted(path.name for path in machine.downloads.parent.iterdir()) == [
        "downloads",
        "initial_root.json",
        "metadata",
    ]


def test_download_replaces_a_file_that_has_changed(machine: Machine, repository: Repository) -> None:
    for data in (b"first", b"second, and longer"):
        repository.add("file.txt", data)
        repository.publish(*ONLINE)
        assert machine.spawning.download("file.txt") == (0, "")
        assert machine.files() == [data]


def test_a_machine_that_was_off_follows_roots_keys_and_lists_at_once(fresh: Machine, repository: Repository) -> None:
    for number in range(5):
        before = repository.signers["root"]
        for role in ROLES:
            repository.rotate(role, CryptoSigner.generate_ed25519())
        repository.signers["root"] += before
        repository.root.unrecognized_fields["x-field"] = {"number": number}
        repository.publish("root", *ONLINE)
    repository.add("file.txt", b"the bytes")
    repository.publish(*ONLINE)
    assert fresh.download("file.txt") == (0, "")
    assert fresh.trusted() == {"root": 6, "snapshot": 7, "targets": 7, "timestamp": 7}


def test_roots_that_have_expired_on_the_way(machine: Machine, repository: Repository) -> None:
    later = repository.root.expires
    repository.root.expires = PAST
    repository.publish("root")
    repository.root.expires = later
    repository.publish("root")
    assert machine.refresh() == (0, "")
    assert machine.trusted()["root"] == 3


def test_metadata_that_is_bound_by_its_version_alone(machine: Machine, repository: Repository) -> None:
    for role in ONLINE:
        repository.publish(role)
        repository.snapshot.meta["targets.json"] = MetaFile(2)
        repository.timestamp.snapshot_meta = MetaFile(2)
    assert machine.refresh() == (0, "")
    assert machine.trusted() == {"root": 1, "snapshot": 2, "targets": 2, "timestamp": 2}


@pytest.mark.parametrize("key", [CryptoSigner.generate_ecdsa, CryptoSigner.generate_rsa])
def test_keys_of_other_kinds(machine: Machine, repository: Repository, key: Callable[[], Signer]) -> None:
    for role in ONLINE:
        repository.rotate(role, key())
    repository.publish(*ROLES)
    assert machine.refresh() == (0, "")
    assert machine.trusted() == dict.fromkeys(sorted(ROLES), 2)


def test_fast_forward_is_undone_by_other_keys(machine: Machine, repository: Repository) -> None:
    repository.timestamp.version = repository.snapshot.version = repository.targets.version = 99_999
    repository.publish(*ONLINE)
    assert machine.refresh() == (0, "")
    for role in ("snapshot", "timestamp"):
        repository.rotate(role, CryptoSigner.generate_ed25519())
    repository.publish("root")
    repository.timestamp.version = repository.snapshot.version = repository.targets.version = 1
    repository.publish(*ONLINE)
    assert machine.refresh() == (0, "")
    assert machine.trusted() == dict.fromkeys(sorted(ROLES), 2)


def test_what_bitproof_leaves_out_is_refused(machine: Machine, repository: Repository) -> None:
    repository.add("file.txt", b"the bytes", "sha512")
    keys = CryptoSigner.generate_ed25519().public_key
    role = DelegatedRole("other", [keys.keyid], 1, terminating=False, paths=["*"])
    repository.targets.delegations = Delegations({keys.keyid: keys}, {"other": role})
    repository.publish(*ONLINE)
    assert machine.download("file.txt") == (1, "the file has no usable SHA-256: not 64 hex digits: ''")
    assert machine.download("other.txt") == (1, "the repository lists no such file: other.txt")
    assert machine.files() == []
