"""What was withdrawn stays withdrawn when a manifest takes the place of a published one."""

import pytest

from bitproof.assets.succession import succession_problems
from tests.model.samples import FIRST, Document, release, sample

NEW = "2026.0416.1"


@pytest.mark.parametrize(
    ("mark", "problems"),
    [
        ({"revoked": "it leaks keys"}, [f"assets {FIRST}: revoked where it is published, and not here"]),
        ({"deprecated": True}, [f"assets {FIRST}: deprecated where it is published, and not here"]),
        ({}, []),
    ],
)
def test_a_withdrawal_may_be_added_and_never_taken_back(mark: Document, problems: list[str]) -> None:
    marked = sample({FIRST: release(**mark), NEW: release("b")}, current=NEW)
    plain = sample({FIRST: release(), NEW: release("b")}, current=NEW)
    assert list(map(str, succession_problems(marked, plain))) == problems
    assert succession_problems(plain, marked) == ()


def test_a_revocation_is_not_refused_for_a_binary_that_is_left_without_a_release() -> None:
    """It forbids; whom it leaves without anything has to know."""
    assert succession_problems(sample(), sample({FIRST: release(revoked="it leaks keys")})) == ()
