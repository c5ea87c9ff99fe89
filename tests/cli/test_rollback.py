"""``pin``, ``rollback`` and ``history`` on a machine that follows a channel: a refusal changes nothing."""

from pathlib import Path

import pytest

from bitproof.assets.history import append
from bitproof.model.history import Entry, Event
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest

from .channels import KEYS, refusal, said
from .conftest import ARCH, CONTENTS, VERSION, Run, digest, stored, tree, write_layout

NEW = "2026.0415.2"
NEWER = "2026.0415.3"
BASE = ("--base", "home")
NEXT = "choose another release: bitproof assets list"


def release(run: Run, rootfs: bytes) -> None:
    """Publish a release whose rootfs has these bytes, and update to it."""
    write_layout(Path("assets"), rootfs=rootfs)
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    assert run("update", *BASE).code == 0


@pytest.fixture
def machine(site: Path, run: Run) -> Path:
    """A store that has had two releases of the channel."""
    assert run("update", "--from", "site", "--root", "root.json", *BASE).code == 0
    release(run, b"another rootfs")
    return site.parent / "home"


def booted(machine: Path, version: str) -> None:
    """As if a VM had run a release there."""
    with Directory(machine) as store:
        append(store, Entry(Version(version), 1776269479, Event.BOOTED, bytes_digest(b"")))


def assert_refused(run: Run, machine: Path, words: tuple[str, ...], told: str, code: int = 2) -> None:
    """With its sentence, with or without ``--dry-run``, and not a byte of the store is another one."""
    before = tree(machine)
    for more in ((), ("--dry-run",)):
        done = run(*words, *more, *BASE)
        assert (done.code, done.out, done.err) == (code, "", told), more
    assert tree(machine) == before


def test_back_and_on_again_when_something_newer_comes(machine: Path, run: Run) -> None:
    before = tree(machine)
    size = sum(len(data) for data in CONTENTS.values())
    dry = run("rollback", *BASE, "--dry-run", "--json").document
    assert (dry.pop("milliseconds") >= 0, dry) == (
        True,
        {"ok": True, "dry_run": True, "base": "home", "asset_version": VERSION, "before": NEW, "verified": 0},
    )
    assert tree(machine) == before
    done = run("rollback", *BASE, "--json").document
    assert (done["asset_version"], done["before"], done["verified"]) == (VERSION, NEW, size)
    assert run("update", *BASE).out == f"home: assets {VERSION}, nothing new\n", "that is what was turned away from"
    assert run("assets", "resolve", *BASE, "--json").document["held"] == {
        "version": VERSION,
        "why": "rollback",
        "from": NEW,
    }
    release(run, b"a third rootfs")
    assert run("assets", "resolve", *BASE, "--json").document["asset_version"] == NEWER
    assert run("pin", *BASE).out == "nothing is pinned\n"
    told = run("history", *BASE, "--json").document["entries"]
    assert [(entry["version"], entry["event"]) for entry in told] == [
        (NEWER, "installed"),
        (VERSION, "rolled back"),
        (NEW, "installed"),
        (VERSION, "installed"),
    ]


@pytest.mark.parametrize("command", ["pin", "rollback"])
def test_a_release_that_nobody_knows_is_refused(machine: Path, run: Run, command: str) -> None:
    what, facts = (
        "the store's manifest has no such asset release",
        {"expected": f"one of {VERSION}, {NEW}", "found": "9"},
    )
    assert_refused(run, machine, (command, "9"), said(what, **facts))
    assert run(command, "9", *BASE, "--json").document == refusal("input", what, **facts)
    done = run(command, "no/version", *BASE)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: invalid value for '[VERSION]': not a name: expected 1 to 128 characters")


@pytest.mark.parametrize("command", ["pin", "rollback"])
def test_a_release_that_the_channel_revoked_is_refused_with_its_reason(machine: Path, run: Run, command: str) -> None:
    assert run("channel", "revoke", VERSION, "--reason", "it leaks keys", *KEYS).code == 0
    booted(machine, VERSION)
    if command == "rollback":
        assert run("rollback", VERSION, *BASE, "--dry-run").code == 0, "it has not heard of it yet"
    assert run("update", *BASE).code == 0
    told = said(f"assets {VERSION} is revoked", found="it leaks keys", fix=NEXT)
    assert_refused(run, machine, (command, VERSION), told)


def test_a_rollback_to_what_is_revoked_meanwhile_ends_with_the_update_that_says_so(machine: Path, run: Run) -> None:
    assert run("rollback", *BASE).code == 0
    assert run("channel", "revoke", VERSION, "--reason", "it leaks keys", *KEYS).code == 0
    done = run("update", *BASE)
    assert (done.code, done.out.splitlines()[0]) == (0, f"home: assets {NEW}, before {VERSION}")
    assert run("assets", "resolve", *BASE, "--json").document["asset_version"] == NEW
    assert machine.is_dir()


def test_a_pin_at_what_is_revoked_meanwhile_is_for_its_owner_to_lift(machine: Path, run: Run) -> None:
    assert run("pin", VERSION, *BASE).code == 0
    assert run("channel", "revoke", VERSION, "--reason", "it leaks keys", *KEYS).code == 0
    assert run("update", *BASE).code == 0
    done = run("assets", "resolve", *BASE)
    assert (done.code, done.out) == (2, "")
    assert done.err == said(
        f"this machine is pinned to assets {VERSION}, which cannot be used",
        expected=f"a release for binary 1.0.1776269479 on {ARCH}",
        found=f"{VERSION}: revoked: it leaks keys",
        fix="hold it at another release: bitproof pin VERSION; or at none: bitproof pin --remove",
    )
    assert run("pin", "--remove", *BASE).code == 0
    assert run("assets", "resolve", *BASE, "--json").document["asset_version"] == NEW
    assert machine.is_dir()


def test_a_rollback_goes_to_what_was_booted_or_is_offered_and_nowhere_else(machine: Path, run: Run) -> None:
    assert run("channel", "deprecate", VERSION, *KEYS).code == 0
    assert run("update", *BASE).code == 0
    told = said(
        f"assets {VERSION} is deprecated, and this machine has never booted it",
        expected="a release that this machine has booted, or that is still offered",
        fix="choose another release: bitproof history; or hold this one on purpose: bitproof pin",
    )
    assert_refused(run, machine, ("rollback", VERSION), told)
    booted(machine, VERSION)
    assert run("rollback", VERSION, *BASE).code == 0


def test_a_rollback_does_not_end_a_pin_by_the_way(machine: Path, run: Run) -> None:
    assert run("pin", NEW, *BASE).code == 0
    told = said(
        f"this machine is pinned to assets {NEW}, and a rollback would end that",
        where=machine,
        fix=f"pin it to that release: bitproof pin {VERSION}; or end the pin first: bitproof pin --remove",
    )
    assert_refused(run, machine, ("rollback", VERSION), told)


def test_a_rollback_has_somewhere_to_go(machine: Path, run: Run) -> None:
    told = said(
        f"assets {NEW} is what this machine gets already", where=machine, fix=f"to hold it there: bitproof pin {NEW}"
    )
    assert_refused(run, machine, ("rollback", NEW), told)
    assert run("rollback", *BASE).code == 0
    told = said(
        "nothing is known of a release before the present one",
        where=machine,
        expected="an earlier release in the history of this store",
        found=f"the present one, {VERSION}",
        fix="name the release to go back to: bitproof rollback VERSION; see bitproof assets list",
    )
    assert_refused(run, machine, ("rollback",), told)
    told = said(
        f"this machine was rolled back to assets {VERSION} from {NEW}, and not to return by another rollback",
        where=machine,
        fix="end the rollback: bitproof pin --remove",
    )
    assert_refused(run, machine, ("rollback", NEW), told)


def test_a_release_whose_files_are_gone_cannot_be_gone_back_to(machine: Path, run: Run) -> None:
    rootfs = machine / stored("rootfs.squashfs")
    rootfs.unlink()
    told = said(
        "an asset is missing",
        where=rootfs,
        fix="choose a release that is still here: bitproof history; "
        "an update brings the newest one, when nothing holds the machine",
    )
    assert_refused(run, machine, ("rollback",), told, 3)
    assert_refused(run, machine, ("pin", VERSION), told, 3)


def test_a_release_whose_files_are_others_cannot_be_gone_back_to(machine: Path, run: Run) -> None:
    rootfs = machine / stored("rootfs.squashfs")
    rootfs.chmod(0o644)
    rootfs.write_bytes(b"A rootfs")
    before = tree(machine)
    done = run("rollback", *BASE)
    assert (done.code, done.out, tree(machine)) == (1, "", before)
    assert done.err == (
        f"error: assets {VERSION} cannot be gone back to: its files are not what the manifest says\n"
        f"  - {rootfs}: same size: changed or rotten: expected blake3:{digest(b'a rootfs')}, "
        f"found blake3:{digest(b'A rootfs')}\n"
        "  fix:      choose another release: bitproof history\n"
    )
    assert run("assets", "resolve", *BASE, "--json").document["asset_version"] == NEW


def test_a_cleanup_keeps_what_is_pinned_or_rolled_back_to(machine: Path, run: Run) -> None:
    assert run("pin", VERSION, *BASE).code == 0
    assert run("channel", "deprecate", VERSION, *KEYS).code == 0
    assert run("update", *BASE).code == 0
    assert run("assets", "cleanup", *BASE).code == 0
    assert (machine / stored("rootfs.squashfs")).exists()
    assert run("assets", "resolve", *BASE, "--json").document["asset_version"] == VERSION
    assert run("pin", "--remove", *BASE).code == 0
    assert run("assets", "cleanup", *BASE).code == 0
    assert not (machine / stored("rootfs.squashfs")).exists()
    assert run("assets", "verify", *BASE).code == 0


def test_a_history_that_is_bad_is_an_error_where_it_counts(machine: Path, run: Run) -> None:
    path = machine / ".bitproof-channel/history.json"
    path.write_text("{}")
    for words in (("history",), ("rollback",), ("rollback", VERSION)):
        done = run(*words, *BASE)
        assert (done.code, done.out) == (2, "")
        assert f"  where:    {path}\n" in done.err
    assert run("assets", "resolve", *BASE).code == 0
    assert path.read_text() == "{}"
