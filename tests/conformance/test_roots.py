"""Roots under the adaptor: the first one, and which may follow it."""

from collections.abc import Callable

import pytest
from securesystemslib.signer import CryptoSigner

from .conftest import Machine
from .repository import Repository

UNSIGNED = "the channel's root is not signed by enough trusted keys"
KEYS = tuple(CryptoSigner.generate_ed25519() for _ in range(6))
ROTATIONS: dict[str, tuple[tuple[str, int], tuple[str, int], str, bool]] = {
    # keys and threshold of the present root, those of the next one, who signs that, whether it is believed
    "another key": (("0", 1), ("1", 1), "01", True),
    "another key, and strangers sign too": (("0", 1), ("1", 1), "40153", True),
    "without the old key": (("0", 1), ("1", 1), "1", False),
    "without the new key": (("0", 1), ("1", 1), "0", False),
    "by strangers": (("0", 1), ("1", 1), "2345", False),
    "others of the same keys": (("01234", 3), ("01234", 3), "124", True),
    "one key of five": (("01234", 3), ("01235", 3), "015", False),
    "one key of five, signed by three of each": (("01234", 3), ("01235", 3), "013", True),
    "all keys": (("012", 2), ("345", 2), "0134", True),
    "all keys, too few of the new ones": (("012", 2), ("345", 2), "013", False),
    "all keys, too few of the old ones": (("012", 2), ("345", 2), "034", False),
    "a higher threshold": (("012", 1), ("012", 2), "12", True),
    "a higher threshold that is not met": (("012", 1), ("012", 2), "1", False),
    "a lower threshold": (("012", 2), ("012", 1), "12", True),
    "a lower threshold that is met too early": (("012", 2), ("012", 1), "1", False),
}


@pytest.mark.parametrize(("old", "new", "signers", "believed"), ROTATIONS.values(), ids=list(ROTATIONS))
def test_rotations_of_the_root(
    machine: Machine, repository: Repository, old: tuple[str, int], new: tuple[str, int], signers: str, believed: bool
) -> None:
    def name(keys: str, threshold: int) -> None:
        repository.rotate("root", *(KEYS[int(key)] for key in keys))
        repository.root.roles["root"].threshold = threshold

    name(*old)
    repository.write("root")
    assert machine.init(repository.path("root").read_bytes()) == (0, "")
    name(*new)
    repository.signers["root"] = [KEYS[int(key)] for key in signers]
    repository.publish("root")
    code, told = machine.refresh()
    assert (code, told.startswith(UNSIGNED)) == ((0, False) if believed else (1, True)), told
    assert machine.kept()["root.json"] == repository.path("root", 2 if believed else 1).read_bytes()
    assert len(machine.kept()) == (4 if believed else 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-2], "the channel's root is not usable: Failed to deserialize JSON"),
        (lambda data: data.replace(b'"version"', b'"Version"'), "the channel's root is not usable: "),
        (lambda data: data.replace(b'"version":1', b'"version":2'), UNSIGNED),
    ],
    ids=["no JSON", "no version", "not what was signed"],
)
def test_an_initial_root_that_is_none(
    machine: Machine, repository: Repository, damage: Callable[[bytes], bytes], said: str
) -> None:
    machine.init(damage(repository.path("root").read_bytes()))
    before = machine.kept()
    code, told = machine.spawning.refresh()
    assert (code, told.startswith(said)) == (1, True), told
    assert machine.kept() == before
    assert machine.asked() == []
