import json

import pytest

from bitproof.errors import InputError
from bitproof.model.names import hash_name
from bitproof.model.selection import Held, Selection, Why, check_listed, held_names
from bitproof.model.version import Version
from tests.evidence import refusal
from tests.model.samples import FIRST, NAMES, release, sample

OLD, NEW, NEWEST = (Version(text) for text in ("2026.0415.1", "2026.0416.1", "2026.0417.1"))
FIX = "  fix:      remove it, and pin again what is to be held: bitproof pin VERSION"


def read(document: object) -> Selection:
    return Selection.parse(json.dumps(document).encode(), "file")


def test_a_selection_is_written_as_it_is_read() -> None:
    selection = Selection().with_pin(NEW, "web").with_pin(OLD, "db").rolled_back(OLD, NEW)
    assert selection.to_bytes().decode() == (
        "{\n"
        '  "format": 1,\n'
        '  "machine": {\n'
        '    "version": "2026.0415.1",\n'
        '    "why": "rollback",\n'
        '    "from": "2026.0416.1"\n'
        "  },\n"
        '  "vms": {\n'
        '    "db": "2026.0415.1",\n'
        '    "web": "2026.0416.1"\n'
        "  }\n"
        "}\n"
    )
    again = Selection.parse(selection.to_bytes(), "file")
    assert again.to_bytes() == selection.to_bytes()
    assert again.machine == Held(OLD, Why.ROLLBACK, NEW)
    assert [str(held) for held in again.every()] == [
        "this machine was rolled back to assets 2026.0415.1 from 2026.0416.1",
        "VM db is pinned to assets 2026.0415.1",
        "VM web is pinned to assets 2026.0416.1",
    ]


def test_an_empty_selection_holds_nothing() -> None:
    assert (read({"format": 1}), read({"format": 1, "vms": {}})) == (Selection(), Selection(vms={}))
    assert (Selection().held(), Selection().held("web"), Selection().every()) == (None, None, ())


def test_a_vm_has_its_own_pin_else_the_machines() -> None:
    selection = Selection().with_pin(OLD).with_pin(NEW, "web")
    found = [selection.held(), selection.held("db"), selection.held("web")]
    assert found == [Held(OLD), Held(OLD), Held(NEW, vm="web")]
    assert selection.without("web").held("web") == Held(OLD)
    assert selection.without().held() is None
    assert selection.without().held("web") == Held(NEW, vm="web")


def test_a_held_release_as_json_and_what_to_do_about_it() -> None:
    assert Held(OLD, vm="web").document() == {"version": FIRST, "why": "pin", "vm": "web"}
    assert Held(OLD, Why.ROLLBACK, NEW).document() == {"version": FIRST, "why": "rollback", "from": "2026.0416.1"}
    assert Held(OLD).remedy == "hold it at another release: bitproof pin VERSION; or at none: bitproof pin --remove"
    assert Held(OLD, vm="web").remedy == (
        "hold it at another release: bitproof pin VERSION --vm web; or at none: bitproof pin --remove --vm web"
    )


def test_a_rollback_remembers_the_newest_release_that_was_turned_away_from() -> None:
    once = Selection().rolled_back(NEW, NEWEST)
    assert once.rolled_back(OLD, NEW).machine == Held(OLD, Why.ROLLBACK, NEWEST)
    assert once.rolled_back(OLD, Version("2027")).machine == Held(OLD, Why.ROLLBACK, Version("2027"))


def test_an_update_ends_a_rollback_only_with_something_newer_and_never_a_pin() -> None:
    back = Selection().rolled_back(OLD, NEW).with_pin(OLD, "web")
    assert (back.after_update(OLD), back.after_update(NEW)) == (back, back)
    assert back.after_update(NEWEST) == Selection().with_pin(OLD, "web")
    assert Selection().with_pin(OLD).after_update(NEWEST) == Selection().with_pin(OLD)
    assert Selection().after_update(NEWEST) == Selection()


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({}, ["format: missing: expected an integer"]),
        ({"format": 2}, ["format: out of range: expected 1 to 1, found 2"]),
        ({"format": 1, "vm": {}}, ["vm: not a known key: expected 'vms'"]),
        ({"format": 1, "vms": None}, ["vms: the wrong type: expected a table, found null, None"]),
        (
            {"format": 1, "machine": {}},
            ["machine.why: missing: expected a string", "machine.version: missing: expected a string"],
        ),
        (
            {"format": 1, "machine": {"version": "../x", "why": "mood", "x": 1}},
            [
                "machine.x: not a known key: expected one of from, version, why",
                "machine.why: not a known value: expected pin or rollback, found 'mood'",
                "machine.version: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found '../x'",
            ],
        ),
        ({"format": 1, "machine": {"version": "1", "why": "rollback"}}, ["machine.from: missing: expected a string"]),
        (
            {"format": 1, "machine": {"version": "1", "why": "pin", "from": "2"}},
            ["machine.from: only a rollback has it"],
        ),
        (
            {"format": 1, "vms": {"a/b": "1", "c": 1}},
            [
                "vms[\"a/b\"]: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found 'a/b'",
                "vms.c: the wrong type: expected a string, found an integer, 1",
            ],
        ),
    ],
)
def test_a_bad_selection_is_refused_with_every_problem(document: object, problems: list[str]) -> None:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    sentence = f"the selection is not usable\n  where:    file\n{lines}\n{FIX}"
    assert refusal(InputError, lambda: read(document)) == sentence


def test_a_selection_that_names_what_the_manifest_lacks_is_refused() -> None:
    selection = Selection().with_pin(NEW).with_pin(OLD, "db").with_pin(NEWEST, "web")
    check_listed(selection.without().without("web"), sample(), "file")
    assert refusal(InputError, lambda: check_listed(selection, sample(), "file")) == (
        "the selection is not usable\n"
        "  where:    file\n"
        "  - machine: the manifest has no such release: found 2026.0416.1\n"
        "  - vms.web: the manifest has no such release: found 2026.0417.1\n"
        "  fix:      end what is held there: bitproof pin --remove, with --vm NAME for a VM; "
        "until then nothing is removed"
    )


def test_the_files_of_what_is_held_say_by_what() -> None:
    manifest = sample({FIRST: release("a"), str(NEW): release("b")})
    names = held_names(Selection().with_pin(OLD).with_pin(OLD, "web").with_pin(NEW, "db"), manifest)
    assets = {version: manifest.releases[version].arches["x86_64"] for version in (OLD, NEW)}
    assert names == {
        **{hash_name(name, assets[OLD][name].digest): "this machine is pinned to assets 2026.0415.1" for name in NAMES},
        **{hash_name(name, assets[NEW][name].digest): "VM db is pinned to assets 2026.0416.1" for name in NAMES},
    }
