"""A machine's clock that is wrong by years, whichever role would notice it."""

from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest

from bitproof.channel.roles import MAX_DAYS, ROLES
from bitproof.errors import IntegrityError, UnavailableError

from .conftest import BEGAN, RENEW, World, begun, refused

SECOND = "2026.0415.2"
YEARS = timedelta(days=5 * 365)


@pytest.fixture
def lasting(tmp_path: Path, role: str) -> World:
    """A channel of which one role alone expires within these years, with a release that the machine does not have."""
    world = begun(tmp_path, days={**dict.fromkeys(ROLES, MAX_DAYS), role: 30})
    world.release(b"second")
    return world


@pytest.mark.parametrize("role", ROLES)
def test_a_clock_that_is_years_ahead(lasting: World, role: str) -> None:
    lasting.now = BEGAN + YEARS
    error = refused(lasting, IntegrityError)
    found = "it has expired" if role == "targets" else "it expired at 2026-05-15 12:00:00 UTC"
    assert str(error).splitlines() == [
        f"the channel's {role} has expired",
        f"  where:    {lasting.place} channel stable",
        "  expected: one that holds at 2031-04-14 12:00:00 UTC, this machine's time",
        f"  found:    {found}",
        f"  fix:      {RENEW}",
    ]
    lasting.now = BEGAN
    assert lasting.update().version == SECOND


@pytest.mark.parametrize("role", ROLES)
def test_a_clock_that_is_years_behind_does_not_make_what_has_expired_fresh(lasting: World, role: str) -> None:
    lasting.now = BEGAN - YEARS
    error = refused(lasting, UnavailableError)
    assert str(error).splitlines() == [
        "this machine's clock has gone back",
        "  expected: a time after 2026-04-15 12:00:00 UTC, when this store was last updated",
        "  found:    2021-04-16 12:00:00 UTC",
        "  fix:      set the clock; expired metadata would be taken for fresh",
    ]
    lasting.now = BEGAN + timedelta(days=31)
    assert refused(lasting, IntegrityError).what == f"the channel's {role} has expired"
    lasting.now = BEGAN
    assert lasting.update().version == SECOND


@pytest.mark.parametrize("role", ROLES)
def test_a_clock_that_was_behind_at_the_first_update_is_noticed_once_it_is_right(lasting: World, role: str) -> None:
    rmtree(lasting.base)
    lasting.now = BEGAN - YEARS
    assert lasting.update().version == SECOND
    lasting.now = BEGAN + YEARS
    assert refused(lasting, IntegrityError).what == f"the channel's {role} has expired"
