from pathlib import Path

import pytest

from tests.caps.shelf import SHA, Shelf, cap, sha256
from tests.cli.products import Terminal, Told, entry, lay_out


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return lay_out(tmp_path, entry("one"), entry("two"))


@pytest.fixture
def bitproof(shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(shelf.roots.own, capsys, monkeypatch)


def plan(shelf: Shelf, text: str, mode: int = 0o644) -> None:
    path = shelf.roots.own / "plan"
    path.write_text(text)
    path.chmod(mode)


STRUCTURE = "OK       structure  2 caps, every field as it should be\n"
BOTH_WAYS = (
    STRUCTURE
    + """MISSING  plan: three
  expected: a cap with this id
  why:      only the plan has it
MISSING  plan: two
  expected: this id in the plan
  why:      only the manifest has it
"""
)


def test_a_sound_manifest_passes(bitproof: Terminal) -> None:
    assert bitproof("check") == Told(0, STRUCTURE, "1 ok\n")


def test_a_bad_manifest_is_exit_2(bitproof: Terminal, shelf: Shelf) -> None:
    (shelf.roots.own / "caps-manifest.toml").write_text("cap = 7")

    told = bitproof("check", "--json")

    assert told.code == 2
    assert told.document["error"]["problems"] == [
        "the composed artifact is not pinned: expected one key <name>_sha256, found none",
        "cap: the wrong type: expected an array, found an integer, 7",
    ]


@pytest.mark.parametrize("text", ["one\ntwo\n", "# ids\r\n\r\n two # second\r\none"])
def test_a_plan_with_the_same_ids_passes(bitproof: Terminal, shelf: Shelf, text: str) -> None:
    plan(shelf, text)

    assert bitproof("check", "--plan", "plan") == Told(0, STRUCTURE + "OK       plan  the same 2 ids\n", "2 ok\n")


def test_a_plan_is_compared_both_ways(bitproof: Terminal, shelf: Shelf) -> None:
    plan(shelf, "one\nthree\n")

    assert bitproof("check", "--plan", "plan") == Told(1, BOTH_WAYS, "1 ok, 2 missing\n")


def test_a_plan_may_be_what_a_command_prints(bitproof: Terminal, shelf: Shelf) -> None:
    plan(shelf, "#!/bin/sh\necho one\necho $1\n", 0o755)

    assert bitproof("check", "--plan", "./plan 'three'").out == BOTH_WAYS
    assert bitproof("check", "--plan", "printf '%s\\n' one two").code == 0


def test_a_plan_may_be_configured(bitproof: Terminal, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    (shelf.roots.own / "bitproof.toml").write_text('[caps]\nplan = "plan"\n')
    plan(shelf, "one\nthree\n")
    (shelf.roots.own / "inner").mkdir()
    monkeypatch.chdir(shelf.roots.own / "inner")

    assert bitproof("check").out == BOTH_WAYS


def test_a_plan_file_may_have_blanks_in_its_name(bitproof: Terminal, shelf: Shelf) -> None:
    plan(shelf, "one\ntwo\n")
    (shelf.roots.own / "plan").rename(shelf.roots.own / "my plan's")

    assert bitproof("check", "--plan", "my plan's").code == 0


def test_an_empty_plan_is_no_pass(bitproof: Terminal, shelf: Shelf) -> None:
    plan(shelf, "")

    assert bitproof("check", "--plan", "plan").code == 1


def test_a_plan_that_cannot_be_had_says_why(bitproof: Terminal) -> None:
    assert bitproof("check", "--plan", "no-such-plan") == Told(
        3,
        "",
        "error: no-such-plan could not be started\n  where:    no-such-plan\n  found:    No such file or directory\n",
    )
    assert bitproof("check", "--plan", "sh -c 'echo no >&2; exit 4'").err == (
        "error: sh failed\n  found:    exit code 4 of sh -c echo no >&2; exit 4\n  | no\n"
    )
    assert bitproof("check", "--plan", "'x") == Told(
        2, "", 'error: quotes that do not match\n  where:    --plan\n  found:    "\'x"\n'
    )


@pytest.mark.parametrize("command", ["check", "compose"])
def test_a_command_of_the_whole_manifest_takes_no_ids(bitproof: Terminal, command: str) -> None:
    assert bitproof(command, "one") == Told(
        2, "", f"error: {command} takes no ids\n  fix:      bitproof caps {command}\n"
    )


def test_list_shows_what_lies_on_disk(bitproof: Terminal, shelf: Shelf) -> None:
    manifest = shelf.roots.own / "caps-manifest.toml"
    more = [entry("later", sha="0" * 40), entry("moved"), entry("linked"), entry("made", more="precomposed = true\n")]
    manifest.write_text(manifest.read_text() + "".join(more))
    shelf.put(cap("one"))
    shelf.at(cap("moved"), "2" * 40)
    shelf.at(cap("linked"), SHA)
    (shelf.roots.git_root / "linked/out").symlink_to("/etc")

    rows = [line.split(maxsplit=4) for line in bitproof("list").out.splitlines()[1:]]

    assert rows == [
        ["id", "repo", "short", "sha", "state"],
        ["one", "https://example.org/one.git", SHA[:12], SHA, "at its pin, built"],
        ["two", "https://example.org/two.git", SHA[:12], SHA, "no checkout"],
        ["later", "https://example.org/later.git", "0" * 12, "0" * 40, "no checkout"],
        ["moved", "https://example.org/moved.git", SHA[:12], SHA, f"at {'2' * 40}, not built"],
        ["linked", "https://example.org/linked.git", SHA[:12], SHA, "a directory on the way is a symlink"],
        ["made", "https://example.org/made.git", SHA[:12], SHA, "precomposed, not built"],
    ]


def test_list_as_json(bitproof: Terminal, shelf: Shelf) -> None:
    assert bitproof("list", "--json", "two").document == {
        "ok": True,
        "caps": [
            {
                "id": "two",
                "repo": "https://example.org/two.git",
                "short_sha": SHA[:12],
                "sha": SHA,
                "sha256": sha256(b"two").value,
                "path": str(shelf.roots.git_root / "two/out/two.wasm"),
                "state": "no checkout",
            }
        ],
    }
