import json

import pytest

from bitproof.errors import InputError
from bitproof.model.digest import Digest
from bitproof.model.history import MAX_ENTRIES, MAX_HISTORY, Entry, Event, History
from bitproof.model.version import Version
from tests.evidence import refusal
from tests.model.samples import hex_of

A, B, C = (Version(text) for text in ("2026.0415.1", "2026.0416.1", "2026.0417.1"))
MANIFEST = Digest("blake3", hex_of("m"))
INSTALLED, BACK, BOOTED = Event.INSTALLED, Event.ROLLED_BACK, Event.BOOTED


def entry(version: Version, event: Event = INSTALLED, when: int = 0, vm: str = "") -> Entry:
    return Entry(version, when, event, MANIFEST, vm)


def of(*entries: Entry) -> History:
    history = History()
    for number, one in enumerate(entries):
        history = history.after(one._replace(when=number))
    return history


def test_a_history_is_written_as_it_is_read() -> None:
    history = of(entry(A), entry(B, BOOTED, vm="web"))
    document = json.loads(history.to_bytes())
    assert document == {
        "format": 1,
        "entries": [
            {"version": "2026.0415.1", "when": 0, "event": "installed", "manifest": MANIFEST.value},
            {"version": "2026.0416.1", "when": 1, "event": "booted", "manifest": MANIFEST.value, "vm": "web"},
        ],
    }
    assert History.parse(history.to_bytes(), "file") == history
    assert history.entries[1]._replace(when=1776269479).time == "2026-04-15 16:11:19 UTC"


def test_boots_of_one_release_are_one_entry_the_last_ones() -> None:
    history = of(entry(A), entry(A, BOOTED), entry(A, BOOTED, vm="web"), entry(A, BOOTED), entry(A, BOOTED, vm="web"))
    assert [(one.event, one.vm, one.when) for one in history.entries] == [
        (INSTALLED, "", 0),
        (BOOTED, "", 3),
        (BOOTED, "web", 4),
    ]


def test_boots_that_something_lies_between_are_entries_of_their_own() -> None:
    assert len(of(entry(A, BOOTED), entry(B), entry(A, BOOTED)).entries) == 3
    assert len(of(entry(A, BOOTED), entry(B, BOOTED), entry(A, BOOTED)).entries) == 3
    other = entry(A, BOOTED)._replace(manifest=Digest("blake3", hex_of("n")))
    assert len(of(entry(A, BOOTED), other).entries) == 2


def test_the_newest_entries_are_kept_and_can_be_read_again() -> None:
    long = Version("1." * 63 + "1")
    history = of(*(entry(long, event, vm="v" * 128) for _ in range(MAX_ENTRIES) for event in (INSTALLED, BACK)))
    assert [one.when for one in history.entries] == list(range(MAX_ENTRIES, 2 * MAX_ENTRIES))
    assert len(history.to_bytes()) < MAX_HISTORY
    assert History.parse(history.to_bytes(), "file") == history


def test_what_was_booted_is_known_whoever_booted_it() -> None:
    history = of(entry(A, BOOTED, vm="web"), entry(B, BOOTED), entry(C))
    assert [history.has_booted(version) for version in (A, B, C)] == [True, True, False]


def test_where_the_machine_was_brought_last_is_no_boot_and_no_vms() -> None:
    assert History().at is None
    assert of(entry(A), entry(B, BACK), entry(C, BOOTED), entry(C, vm="web")).at == B


@pytest.mark.parametrize(
    ("entries", "present", "before"),
    [
        ([], A, None),
        ([entry(A)], A, None),
        ([entry(A), entry(B)], B, A),
        ([entry(A, BOOTED), entry(B), entry(B, BOOTED)], B, A),
        ([entry(A), entry(B), entry(A, BACK)], A, None),
        ([entry(A), entry(B), entry(A, BACK), entry(C)], C, A),
        ([entry(A), entry(B), entry(C), entry(B, BACK)], B, A),
        ([entry(A), entry(C, BOOTED, vm="web"), entry(B)], B, A),
        ([entry(A), entry(B)], C, B),
    ],
)
def test_the_release_before_one_is_what_ran_before_it_first_came(
    entries: list[Entry], present: Version, before: Version | None
) -> None:
    assert of(*entries).before(present) == before


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({}, ["format: missing: expected an integer", "entries: missing: expected an array"]),
        ({"format": 1, "entries": [1]}, ["entries[0]: the wrong type: expected a table, found an integer, 1"]),
        (
            {
                "format": 1,
                "entries": [{"version": "", "when": -1, "event": "sold", "manifest": "x", "vm": "/", "y": 1}],
            },
            [
                "entries[0].y: not a known key: expected one of event, manifest, version, vm, when",
                "entries[0].version: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found ''",
                "entries[0].when: out of range: expected 0 to 253402300799, found -1",
                "entries[0].event: not a known value: expected installed or rolled back or booted, found 'sold'",
                "entries[0].manifest: not 64 hex digits: 'x'",
                "entries[0].vm: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found '/'",
            ],
        ),
    ],
)
def test_a_bad_history_is_refused_with_every_problem(document: object, problems: list[str]) -> None:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    assert refusal(InputError, lambda: History.parse(json.dumps(document).encode(), "file")) == (
        f"the history is not usable\n  where:    file\n{lines}\n"
        "  fix:      remove it; then nothing is known of what ran here"
    )
