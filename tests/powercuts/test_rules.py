"""The rules notice what a power cut may do, on plain directories."""

from pathlib import Path

import pytest

from tests.assets.layouts import installed, recorded, stored
from tests.powercuts.rules import LAYOUT, STORE, Step, judge, look

INITRD = f"{STORE}/{stored('a')[0]}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A disk with one release, installed."""
    installed(tmp_path / LAYOUT, tmp_path / STORE)
    return tmp_path


@pytest.fixture
def steps(root: Path) -> list[Step]:
    """The start, and a next command that installs another release."""
    start = Step("start", look(root))
    other = root / "other"
    installed(other / LAYOUT, other / STORE)
    installed(other / LAYOUT, other / STORE, "b")
    new = {path: state for path, state in look(other).items() if path.startswith(STORE)}
    return [start, Step("install", {**start.world, **new})]


def faults(root: Path, steps: list[Step], acknowledged: int = 0) -> list[str]:
    return list(judge(root, steps, acknowledged))


def test_a_disk_as_the_last_command_left_it_is_good(root: Path, steps: list[Step]) -> None:
    assert faults(root, steps) == []


def test_a_torn_file_is_a_fault(root: Path, steps: list[Step]) -> None:
    before = steps[0].world[INITRD]
    (root / INITRD).chmod(0o644)
    (root / INITRD).write_bytes(b"")
    assert faults(root, steps) == [f"{INITRD}: expected {before}, found {look(root)[INITRD]}"]


def test_a_lost_file_is_a_fault(root: Path, steps: list[Step]) -> None:
    (root / INITRD).unlink()
    assert faults(root, steps) == [f"{INITRD}: expected {steps[0].world[INITRD]}, found no file"]


def test_a_file_of_no_command_is_a_fault(root: Path, steps: list[Step]) -> None:
    (root / STORE / "x").touch(0o644)
    assert faults(root, steps) == [f"{STORE}/x: expected no file, found {look(root)[f'{STORE}/x']}"]


def test_a_manifest_before_its_files_is_a_fault(root: Path, steps: list[Step]) -> None:
    name = "manifest.json"
    (root / STORE / name).write_bytes((root / "other" / STORE / name).read_bytes())
    assert faults(root, steps) == [
        f"{STORE}/{new}: expected {steps[1].world[f'{STORE}/{new}']}, as its manifest is there already"
        for new in stored("b")
    ]


def test_what_was_acknowledged_may_not_be_missing(root: Path, steps: list[Step]) -> None:
    found = faults(root, steps, acknowledged=1)
    assert [fault.partition(":")[0] for fault in found] == [
        *sorted(f"{STORE}/{new}" for new in ("manifest.json", *stored("b"))),
    ]


def test_a_command_that_fails_afterwards_is_a_fault(root: Path) -> None:
    recorded(root / LAYOUT, "b")
    (root / STORE / "manifest.json").write_bytes(b"{}")
    (found,) = faults(root, [Step("start", look(root))])
    assert found.startswith("the manifest")
