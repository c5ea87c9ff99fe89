"""The simulation itself: a real file system's life, cut off at a thousand places and more."""

from pathlib import Path

import pytest

from tests.powercuts.mutants import DYING, MUTANTS, Mutant, planted
from tests.powercuts.run import KINDS, need_root, simulated

MARKS = {kind: pytest.mark.xdist_group(f"powercuts-{kind}") for kind in KINDS}
EACH_KIND = pytest.mark.parametrize("kind", [pytest.param(kind, marks=MARKS[kind]) for kind in KINDS])
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def judged(kind: str, count: int, room: Path) -> None:
    """No state is bad, and as many are different as were asked for."""
    need_root()
    found = simulated(kind, count, room=room)
    assert "\n".join(found.faults) == ""
    assert found.bad == 0
    assert found.images == count <= found.states
    assert found.flushes > 2 * found.commands


def noticed(kind: str, mutant: Mutant, tmp_path: Path) -> None:
    """The simulation finds a bad state of this mutant."""
    need_root()
    room, package = tmp_path / "room", tmp_path / "package"
    room.mkdir()
    assert simulated(kind, 300, room=room, package=planted(mutant, package), first=True).bad


@EACH_KIND
def test_no_power_cut_loses_what_was_acknowledged_or_tears_a_file(kind: str, tmp_path: Path) -> None:
    judged(kind, 1000, tmp_path)


@pytest.mark.slow
@EACH_KIND
def test_no_power_cut_of_many_more_does(kind: str, tmp_path: Path) -> None:
    judged(kind, 10_000, tmp_path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param("ext4", "an asset is not synced", marks=MARKS["ext4"]),
        pytest.param("xfs", "a directory is not synced", marks=MARKS["xfs"]),
    ],
)
def test_a_missing_sync_is_noticed(kind: str, name: str, tmp_path: Path) -> None:
    noticed(kind, BY_NAME[name], tmp_path)


@pytest.mark.parametrize("mutant", [*MUTANTS, DYING], ids=lambda mutant: mutant.name)
def test_every_mutant_is_still_one(mutant: Mutant, tmp_path: Path) -> None:
    assert planted(mutant, tmp_path) == tmp_path


@pytest.mark.slow
@EACH_KIND
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_noticed(kind: str, mutant: Mutant, tmp_path: Path) -> None:
    noticed(kind, mutant, tmp_path)
