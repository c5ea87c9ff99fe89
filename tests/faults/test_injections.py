"""A command that is disturbed at a system call leaves the old state or the new one, and the next run mends the rest."""

import pytest

from tests.faults.campaign import EIO, EXDEV, KILL, KINDS, LOST, SHORT, Kind, campaign
from tests.faults.cases import CASES, Case
from tests.faults.checks import Laboratory
from tests.faults.conftest import QUICK_CASES


@pytest.mark.parametrize("case", QUICK_CASES)
@pytest.mark.parametrize("kind", [KILL, EIO], ids=lambda kind: kind.name)
def test_a_kill_or_an_error_at_any_change_leaves_the_old_state_or_the_new_one(
    bench: Laboratory, case: Case, kind: Kind
) -> None:
    result = campaign(bench.expected(case), kind, bench.zygote)
    assert result.bad == []
    assert result.injected >= len(bench.expected(case).new.keys() ^ bench.expected(case).old.keys())
    assert result.injected > 0


@pytest.mark.parametrize("case", QUICK_CASES)
def test_bytes_that_the_system_loses_or_takes_later_are_noticed(bench: Laboratory, case: Case) -> None:
    results = [campaign(bench.expected(case), kind, bench.zygote) for kind in (SHORT, LOST, EXDEV)]
    assert [result.bad for result in results] == [[], [], []]
    assert sum(result.injected for result in results) > 0 or case.command == "cleanup"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_fault_at_every_single_call_leaves_the_old_state_or_the_new_one(
    bench: Laboratory, case: Case, kind: Kind
) -> None:
    assert campaign(bench.expected(case), kind, bench.zygote, every=True).bad == []
