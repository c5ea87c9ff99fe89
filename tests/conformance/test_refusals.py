"""What the adaptor refuses: exit code 1, a sentence, and nothing kept but what was proved before that."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile

from .conftest import Machine
from .repository import FUTURE, ONLINE, PAST, Repository

OLDER = "the channel's {} is older than what this machine has seen, or not the one that belongs to the rest"
UNSIGNED = "the channel's {} is not signed by enough trusted keys"
EXPIRED = f"it expired at {PAST:%Y-%m-%d %H:%M:%S} UTC"

Attack = Callable[[Repository], None]


def rolled_back(role: str) -> Attack:
    """Its first version again, under newer ones of the roles above it."""

    def attack(repository: Repository) -> None:
        getattr(repository, role).version = 0
        repository.publish(*ONLINE[ONLINE.index(role) :])

    return attack


def expired(role: str) -> Attack:
    def attack(repository: Repository) -> None:
        getattr(repository, role).expires = PAST
        repository.publish(*(("root",) if role == "root" else ONLINE))

    return attack


def unsigned(role: str) -> Attack:
    """New versions of all, one of which somebody else has signed."""

    def attack(repository: Repository) -> None:
        repository.signers[role] = [CryptoSigner.generate_ed25519()]
        repository.publish("root", *ONLINE)

    return attack


def lists_no_targets(repository: Repository) -> None:
    repository.snapshot.meta.clear()
    repository.publish("snapshot", "timestamp")


def a_snapshot_for_a_timestamp(repository: Repository) -> None:
    repository.signers["snapshot"] = repository.signers["timestamp"]
    repository.publish("snapshot")
    repository.path("timestamp").write_bytes(repository.path("snapshot").read_bytes())


def a_root_in_the_place_of_another(repository: Repository) -> None:
    repository.root.version = 3
    repository.write("root", version=2)


def targets_of_another_version(repository: Repository) -> None:
    """Bound by a number alone, as TUF allows."""
    repository.publish("targets")
    repository.path("targets").rename(repository.path("targets", 4))
    repository.snapshot.meta["targets.json"] = MetaFile(4)
    repository.publish("snapshot", "timestamp")


def missing(role: str) -> Attack:
    def attack(repository: Repository) -> None:
        repository.publish(*ONLINE)
        repository.path(role).unlink()

    return attack


CASES: dict[str, tuple[Attack, str, set[str]]] = {
    "timestamp rolled back": (
        rolled_back("timestamp"),
        f"{OLDER.format('timestamp')}: New timestamp version 1 must be >= 2",
        set(),
    ),
    "snapshot rolled back": (
        rolled_back("snapshot"),
        f"{OLDER.format('timestamp')}: New snapshot version must be >= 2, got version 1",
        set(),
    ),
    "targets rolled back": (
        rolled_back("targets"),
        f"{OLDER.format('snapshot')}: Expected targets.json version 1, got 2.",
        {"timestamp"},
    ),
    "timestamp frozen": (expired("timestamp"), f"the channel's timestamp has expired: {EXPIRED}", set()),
    "snapshot expired": (expired("snapshot"), f"the channel's snapshot has expired: {EXPIRED}", {"timestamp"}),
    "targets expired": (
        expired("targets"),
        "the channel's targets has expired: it has expired",
        {"timestamp", "snapshot"},
    ),
    "root expired": (expired("root"), f"the channel's root has expired: {EXPIRED}", {"root"}),
    "root unsigned": (unsigned("root"), f"{UNSIGNED.format('root')}: root was signed by 0/1 keys", set()),
    "timestamp unsigned": (
        unsigned("timestamp"),
        f"{UNSIGNED.format('timestamp')}: timestamp was signed by 0/1 keys",
        {"root"},
    ),
    "snapshot unsigned": (
        unsigned("snapshot"),
        f"{UNSIGNED.format('snapshot')}: snapshot was signed by 0/1 keys",
        {"root", "timestamp"},
    ),
    "targets unsigned": (
        unsigned("targets"),
        f"{UNSIGNED.format('targets')}: targets was signed by 0/1 keys",
        {"root", "timestamp", "snapshot"},
    ),
    "root of another version": (
        a_root_in_the_place_of_another,
        f"{OLDER.format('root')}: Expected root version 2 instead got version 3",
        set(),
    ),
    "targets of another version": (
        targets_of_another_version,
        f"{OLDER.format('targets')}: Expected targets v4, got v3.",
        {"timestamp", "snapshot"},
    ),
    "no targets listed": (
        lists_no_targets,
        "the channel's snapshot is not usable: New snapshot is missing info for 'targets.json'",
        {"timestamp"},
    ),
    "another type": (
        a_snapshot_for_a_timestamp,
        "the channel's timestamp is not usable: Expected 'timestamp', got 'snapshot'",
        set(),
    ),
    "no timestamp": (missing("timestamp"), "the channel has no timestamp", set()),
    "no snapshot": (missing("snapshot"), "the channel has no snapshot", {"timestamp"}),
    "no targets": (missing("targets"), "the channel has no targets", {"timestamp", "snapshot"}),
}


@pytest.fixture
def current(machine: Machine, repository: Repository) -> Machine:
    """A machine that believes version 2 of every role but the root, and has a file."""
    repository.add("file.txt", b"the bytes")
    repository.publish(*ONLINE)
    assert machine.download("file.txt") == (0, "")
    return machine


@pytest.mark.parametrize(("attack", "said", "kept"), CASES.values(), ids=list(CASES))
def test_refresh_refuses(current: Machine, repository: Repository, attack: Attack, said: str, kept: set[str]) -> None:
    before = current.kept()
    attack(repository)
    assert current.spawning.refresh() == (1, said)
    after = current.kept()
    assert after.keys() == before.keys()
    assert {Path(name).stem for name in after if after[name] != before[name]} == kept
    assert current.files() == [b"the bytes"]


@pytest.mark.parametrize("role", ["snapshot", "targets"])
@pytest.mark.parametrize(
    ("served", "said"),
    [
        (lambda data: data.replace(b'"version":3', b'"version":4'), "the channel's {} does not belong to the rest"),
        (lambda data: data + b" ", "the server sends more than it may: "),
        (lambda data: data[:-1], "the channel's {} does not belong to the rest"),
    ],
    ids=["other bytes", "more bytes", "fewer bytes"],
)
def test_metadata_that_is_not_what_was_bound(
    current: Machine, repository: Repository, role: str, served: Callable[[bytes], bytes], said: str
) -> None:
    before = current.kept()[f"{role}.json"]
    repository.publish(*ONLINE)
    path = repository.path(role)
    path.write_bytes(served(path.read_bytes()))
    code, told = current.refresh()
    assert (code, told.startswith(said.format(role))) == (1, True), told
    assert current.kept()[f"{role}.json"] == before


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (b"the BYTES", "the channel's file.txt is not what was signed: "),
        (b"the byte", "the channel's file.txt is not what was signed: "),
        (b"the bytes, and more", "the server sends more than it may: 19 bytes"),
        (None, "the channel lacks a file that it has signed"),
    ],
    ids=["other bytes", "fewer bytes", "more bytes", "none"],
)
def test_download_refuses(current: Machine, repository: Repository, served: bytes | None, said: str) -> None:
    path = repository.add("file.txt", b"new bytes")
    repository.publish(*ONLINE)
    assert current.refresh() == (0, "")
    before = current.kept()
    path.unlink()
    if served is not None:
        path.write_bytes(served)
    code, told = current.spawning.download("file.txt")
    assert (code, told.startswith(said)) == (1, True), told
    assert current.files() == [b"the bytes"]
    assert current.kept() == before


def test_without_init(machine: Machine) -> None:
    (machine.metadata / "root.json").unlink()
    assert machine.spawning.refresh() == (1, "there is no root to trust")
    assert machine.asked() == []


def test_an_honest_repository_is_believed_after_a_refusal(current: Machine, repository: Repository) -> None:
    expired("snapshot")(repository)
    assert current.refresh().code == 1
    repository.snapshot.expires = FUTURE + timedelta(days=1)
    repository.publish(*ONLINE)
    assert current.refresh() == (0, "")
    assert current.trusted() == {"root": 1, "snapshot": 4, "targets": 4, "timestamp": 4}
