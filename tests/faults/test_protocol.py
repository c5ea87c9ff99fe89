"""The order of write, fsync and rename, and what planted links and limits of the system do not change."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.campaign import KILL, Result, campaign
from tests.faults.cases import CASES, Case, case
from tests.faults.checks import Laboratory, again, protocol, undisturbed
from tests.faults.commands import Zygote
from tests.faults.conftest import QUICK_CASES
from tests.faults.damage import CHECKS
from tests.faults.limits import LIMITS, overlaid, read_only, small_files
from tests.faults.oracle import Expected
from tests.faults.planted import PLANTS, planted
from tests.faults.resumed import resumed

ON_OVERLAY = (case("install", "over an older release"), case("cleanup"), case("repack"))
Limit = Callable[[Expected, Zygote], Result]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_acknowledged_was_synced_in_order_and_under_the_lock(bench: Laboratory, case: Case) -> None:
    assert protocol(bench.expected(case), bench.zygote) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.command != "cleanup"], ids=str)
def test_what_a_run_finds_done_is_made_to_last_before_it_is_acknowledged(bench: Laboratory, case: Case) -> None:
    assert again(bench.expected(case), bench.zygote) == []


@pytest.mark.parametrize("case", QUICK_CASES)
def test_what_is_planted_where_a_command_writes_leads_nowhere(bench: Laboratory, case: Case) -> None:
    result = planted(bench.expected(case), bench.zygote)
    assert result.bad == []
    assert result.injected >= 2 * len(PLANTS)


@pytest.mark.parametrize("name", CHECKS)
def test_no_digest_is_taken_on_trust(bench: Laboratory, tmp_path: Path, name: str) -> None:
    assert CHECKS[name](bench.zygote, tmp_path) == []


def test_a_killed_download_is_gone_on_with_and_proved(bench: Laboratory, tmp_path: Path) -> None:
    assert resumed(bench.zygote, tmp_path) == []


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.__name__)
@pytest.mark.parametrize("case", QUICK_CASES)
def test_a_system_at_its_end_leaves_the_old_state_and_exit_3(bench: Laboratory, case: Case, limit: Limit) -> None:
    assert limit(bench.expected(case), bench.zygote).bad == []


@pytest.mark.parametrize("command", ["install", "manifest", "deprecate"])
def test_a_file_that_may_not_grow_further_leaves_the_old_state_and_exit_3(bench: Laboratory, command: str) -> None:
    result = small_files(bench.expected(case(command)), bench.zygote)
    assert result.bad == []
    assert result.injected > 0


def test_a_read_only_store_resolves_verifies_and_boots(bench: Laboratory, tmp_path: Path) -> None:
    assert read_only(bench.zygote, tmp_path).bad == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_overlay_makes_no_difference(bench: Laboratory, case: Case) -> None:
    wanted = bench.expected(case)
    with overlaid(wanted) as run:
        assert undisturbed(wanted, bench.zygote, run) == []


@pytest.mark.parametrize("case", ON_OVERLAY, ids=str)
def test_a_kill_on_an_overlay_leaves_the_old_state_or_the_new_one(bench: Laboratory, case: Case) -> None:
    assert campaign(bench.expected(case), KILL, bench.zygote, place=overlaid).bad == []
