"""``state.json``: what a store remembers of the channel that it is updated from."""

import json

import pytest

from bitproof.errors import InputError
from bitproof.model.client_state import ClientState, shown_time

ANCHOR = "ab" * 32


def test_what_is_printed_is_read_back() -> None:
    state = ClientState(
        channel="stable", places=("a", "b"), anchor=ANCHOR, complete=ANCHOR, expires=7, seen=5, health={"a": {"n": 1}}
    )
    assert ClientState.parse(state.to_bytes(), "state.json") == state


def test_every_problem_is_told() -> None:
    data = json.dumps({"format": 2, "channel": "../x", "places": [1], "anchor": "ab", "seen": -1}).encode()
    with pytest.raises(InputError, match="the state of updates is not usable") as caught:
        ClientState.parse(data, "state.json")
    assert [problem.where for problem in caught.value.problems] == ["format", "channel", "places[0]", "anchor", "seen"]
    assert "bitproof update --root" in caught.value.fix


def test_a_time_is_shown_in_utc() -> None:
    assert shown_time(1776211200) == "2026-04-15 00:00:00 UTC"
