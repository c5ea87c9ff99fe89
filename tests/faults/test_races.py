"""Commands at the same time end well, or are locked out in one sentence; nothing in force is lost or doubled."""

from pathlib import Path

import pytest

from tests.faults.checks import Laboratory
from tests.faults.races import LAYOUTS, late, race

MANY, MOST = 60, 1000


@pytest.mark.parametrize("scenario", LAYOUTS)
@pytest.mark.parametrize("rounds", [MANY, pytest.param(MOST, marks=pytest.mark.slow)])
def test_commands_at_the_same_time_lose_nothing(bench: Laboratory, tmp_path: Path, scenario: str, rounds: int) -> None:
    result = race(scenario, rounds, bench.zygote, tmp_path)
    assert result.bad == []
    assert result.injected >= 2 * rounds


def test_a_command_that_waited_for_the_lock_works_on_what_is_there_then(bench: Laboratory, tmp_path: Path) -> None:
    assert late(bench.zygote, tmp_path) == []
