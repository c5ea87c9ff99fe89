"""``pin``, ``rollback`` and ``history``."""

import json
import re
from pathlib import Path

import pytest

from bitproof.assets.history import append
from bitproof.model.history import Entry, Event
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest

from .conftest import ARCH, BINARY, VERSION, Run, tree, write_layout

NEW = "2026.0415.2"
SELECTION = ".bitproof-selection.json"


@pytest.fixture
def two(layout: Path, store: Path, run: Run) -> Path:
    """A store of two releases."""
    write_layout(layout, initrd=b"another initrd")
    assert run("assets", "manifest").code == 0
    assert run("assets", "install").code == 0
    return store


def test_a_machine_is_pinned_shown_and_let_go(two: Path, run: Run) -> None:
    assert run("pin").out == "nothing is pinned\n"
    assert run("pin", VERSION).out == f"{two}: this machine is pinned to assets {VERSION}\n"
    assert run("pin").out == f"this machine is pinned to assets {VERSION}\n"
    done = run("assets", "resolve", "--explain")
    assert f"release   {VERSION}: this machine is pinned to assets {VERSION}\n" in done.err
    assert done.out.startswith(f"assets   {VERSION}\n")
    assert run("pin", "--remove").out == f"{two}: this machine is pinned to assets {VERSION}: that is over\n"
    assert run("pin", "--remove").out == f"{two}: this machine is not pinned\n"
    assert run("assets", "resolve").out.startswith(f"assets   {NEW}\n")
    assert not (two / SELECTION).exists()


def test_a_vm_is_pinned_apart_from_the_machine(two: Path, run: Run) -> None:
    assert run("pin", VERSION, "--vm", "web").out == f"{two}: VM web is pinned to assets {VERSION}\n"
    assert run("pin", "--vm", "web").out == f"VM web is pinned to assets {VERSION}\n"
    assert run("pin", "--vm", "db").out == "nothing is pinned\n"
    assert run("assets", "resolve", "--json").document["asset_version"] == NEW
    assert run("assets", "resolve", "--vm", "db", "--json").document["asset_version"] == NEW
    found = run("assets", "resolve", "--vm", "web", "--json").document
    assert (found["asset_version"], found["held"]) == (VERSION, {"version": VERSION, "why": "pin", "vm": "web"})
    assert run("pin", "--remove", "--vm", "web").out == f"{two}: VM web is pinned to assets {VERSION}: that is over\n"
    assert run("pin", "--remove", "--vm", "web").out == f"{two}: VM web is not pinned\n"


def test_a_pin_as_json(two: Path, run: Run) -> None:
    held = [{"version": VERSION, "why": "pin"}]
    base = {"ok": True, "base": str(two)}
    assert run("pin", VERSION, "--dry-run", "--json").document == {**base, "dry_run": True, "changed": True, "held": []}
    assert run("pin", VERSION, "--json").document == {**base, "dry_run": False, "changed": True, "held": held}
    assert run("pin", VERSION, "--json").document == {**base, "dry_run": False, "changed": False, "held": held}
    assert run("pin", "--json").document == {**base, "held": held}


def test_a_dry_pin_says_what_it_would_do(two: Path, run: Run) -> None:
    assert run("pin", VERSION, "--dry-run").out == f"{two}: this machine would be pinned to assets {VERSION}\n"
    run("pin", VERSION)
    told = run("pin", "--remove", "--dry-run").out
    assert told == f"{two}: this machine is pinned to assets {VERSION}: that would end\n"
    assert run("pin").out == f"this machine is pinned to assets {VERSION}\n"


def test_what_contradicts_itself_or_is_no_name_is_refused(two: Path, run: Run) -> None:
    before = tree(two)
    done = run("pin", VERSION, "--remove")
    assert (done.code, done.err) == (
        2,
        "error: a version and --remove contradict each other\n  fix:      leave one of them out\n",
    )
    for words in (("pin", VERSION, "--vm", "../x"), ("assets", "resolve", "--vm", ""), ("vm", "boot", "--vm", "a b")):
        done = run(*words)
        assert done.code == 2
        assert done.err.startswith("error: invalid value for '--vm': not a name: expected 1 to 128 characters")
    assert tree(two) == before


def test_cleanup_says_what_a_pin_keeps_when_asked(layout: Path, two: Path, run: Run) -> None:
    assert layout.is_dir()
    run("pin", VERSION)
    run("assets", "deprecate", VERSION, "--manifest", two / "manifest.json")
    done = run("assets", "cleanup", "-v")
    assert (done.code, done.out) == (0, f"{two}: removed 0 files, 0 B\n")
    assert re.fullmatch(
        rf"kept initrd-[0-9a-f]{{16}}\.img: this machine is pinned to assets {re.escape(VERSION)}\n", done.err
    )
    assert run("assets", "cleanup").err == ""
    assert [one["path"][:7] for one in run("assets", "cleanup", "--json").document["selected"]] == ["initrd-"]


def test_a_store_that_is_not_there_says_so(project: Path, run: Run) -> None:
    assert project.is_dir()
    for words in (("pin",), ("pin", "1"), ("rollback", "1"), ("history",)):
        done = run(*words, "--base", "nowhere")
        assert (done.code, done.err.splitlines()[:2]) == (
            3,
            ["error: the store cannot be opened", "  where:    nowhere"],
        )


def test_why_agrees_with_resolve(two: Path, run: Run) -> None:
    assert two.is_dir()
    run("pin", VERSION)
    told = run("assets", "why", BINARY).out
    assert f"fits      {NEW}: this machine is pinned to assets {VERSION}; it fits too\n" in told
    assert f"taken     {VERSION}: this machine is pinned to assets {VERSION}\n" in told


def test_a_revoked_release_is_marked_and_named_with_its_reason(two: Path, run: Run) -> None:
    path = two / "manifest.json"
    document = json.loads(path.read_bytes())
    document["assets"]["releases"][NEW] |= {"revoked": "it leaks keys", "revoked_date": "2026-04-16"}
    path.write_text(json.dumps(document))
    told = run("assets", "list", path).out
    assert re.search(rf"^{re.escape(NEW)} .* current, revoked ", told, re.MULTILINE)
    assert f"\n{NEW} is revoked: it leaks keys\n" in told
    assert "c+r: the current one, and revoked" in told
    assert f"rejected  {NEW}: revoked: it leaks keys\n" in run("assets", "why", BINARY).out
    assert run("assets", "resolve", "--json").document["asset_version"] == VERSION
    document["assets"]["releases"][VERSION]["revoked"] = "this one too"
    path.write_text(json.dumps(document))
    done = run("assets", "check", path)
    assert (done.code, f"FAILED   binary {BINARY} {ARCH}\n" in done.out) == (1, True)
    assert run("assets", "resolve").code == 2


def test_a_rollback_and_its_history(two: Path, run: Run) -> None:
    with Directory(two) as opened:
        for when, version in enumerate((VERSION, NEW)):
            append(opened, Entry(Version(version), when, Event.INSTALLED, bytes_digest(b"x")))
    dry = run("rollback", "--dry-run")
    assert dry.out == f"{two}: assets {VERSION}, would be rolled back from {NEW}\n"
    done = run("rollback")
    told = f"{re.escape(str(two))}: assets {VERSION}, rolled back from {NEW}\n  verified 3 files, 25 B, in \\d+ ms\n"
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(told, done.out)
    assert run("assets", "resolve", "--json").document["asset_version"] == VERSION
    assert run("pin").out == f"this machine was rolled back to assets {VERSION} from {NEW}\n"
    digest, now = bytes_digest((two / "manifest.json").read_bytes()).value, bytes_digest(b"x").value
    assert run("history").out.splitlines() == [
        f"History of {two}",
        "when                     event        assets       vm  manifest",
        f"2026-04-15 16:11:19 UTC  rolled back  {VERSION}      {digest}",
        f"1970-01-01 00:00:01 UTC  installed    {NEW}      {now}",
        f"1970-01-01 00:00:00 UTC  installed    {VERSION}      {now}",
    ]
    entries = run("history", "--json").document["entries"]
    assert entries[0] == {"version": VERSION, "when": 1776269479, "event": "rolled back", "manifest": digest}
    run("pin", "--remove")
    assert run("assets", "resolve", "--json").document["asset_version"] == NEW


def test_a_rollback_as_json(two: Path, run: Run) -> None:
    done = run("rollback", VERSION, "--json").document
    assert done.pop("milliseconds") >= 0
    assert done == {
        "ok": True,
        "dry_run": False,
        "base": str(two),
        "asset_version": VERSION,
        "before": NEW,
        "verified": 25,
    }


def test_a_store_without_history_says_so(two: Path, run: Run) -> None:
    assert run("history").out == f"{two}: nothing is known of what ran here\n"
    assert run("history", "--json").document == {"ok": True, "base": str(two), "entries": []}
