"""Rollback: where it goes, what it refuses, and that every byte is read before."""

from pathlib import Path

import pytest

from bitproof.assets.history import append, read_history
from bitproof.assets.resolve import resolve
from bitproof.assets.rollback import Plan, Wanted, plan_rollback, rollback
from bitproof.assets.selection import Wanted as Pin
from bitproof.assets.selection import pin, read_selection
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.model.history import Entry, Event
from bitproof.model.names import CHANNEL_STATE, SELECTION
from bitproof.model.selection import Held, Why
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import locked
from tests.assets.layouts import fill, stored, write_manifest
from tests.evidence import names_in, refusal, tree
from tests.model.samples import BINARY, FIRST, Document, boot_set, document, hex_of, release

OLDEST, OLD, NEW = FIRST, "2026.0416.1", "2026.0417.1"
BIN = Version(BINARY)
RELEASES = {OLDEST: release("a"), OLD: release("b"), NEW: release("c")}
NOW = 1776269479


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A store of three releases, the newest of which is the current one; nothing is known of what ran."""
    store = tmp_path / "store"
    offer(store, RELEASES)
    fill(store, "a", "b", "c")
    return store


def offer(store: Path, releases: Document, **fields: Document) -> None:
    write_manifest(store, document(releases, current=NEW, binaries=fields.get("binaries")))


def ran(base: Path, *events: tuple[str, Event]) -> None:
    with Directory(base) as store:
        for when, (version, event) in enumerate(events):
            append(store, Entry(Version(version), when, event, bytes_digest(b"older")))


def wanted(base: Path, version: str | None = None) -> Wanted:
    return Wanted(base, Version(version) if version else None, BIN, "x86_64", NOW)


def back(base: Path, version: str | None = None) -> Plan:
    return rollback(wanted(base, version))


def refused(base: Path, version: str | None = None) -> str:
    before = tree(base)
    message = refusal(InputError, lambda: back(base, version))
    assert tree(base) == before
    return message


def resolved(base: Path) -> str:
    return resolve(base, BIN, "x86_64").asset_version


def test_it_goes_to_the_release_before_the_present_one(base: Path) -> None:
    ran(base, (OLD, Event.INSTALLED), (NEW, Event.INSTALLED), (NEW, Event.BOOTED))
    done = back(base)
    assert (str(done.turned_from), str(done.version), done.size) == (
        NEW,
        OLD,
        sum(len(n) for n in ("vmlinuzb", "initrd.imgb", "rootfs.squashfsb")),
    )
    assert resolved(base) == OLD
    assert read_selection(base).machine == Held(Version(OLD), Why.ROLLBACK, Version(NEW))
    digest = bytes_digest((base / "manifest.json").read_bytes())
    assert read_history(base).entries[-1] == Entry(Version(OLD), NOW, Event.ROLLED_BACK, digest)


def test_it_goes_on_to_what_was_before_that_and_never_back_to_what_was_turned_away_from(base: Path) -> None:
    ran(base, (OLDEST, Event.BOOTED), (OLD, Event.INSTALLED), (NEW, Event.INSTALLED))
    assert [str(back(base).version) for _ in range(2)] == [OLD, OLDEST]
    assert read_selection(base).machine == Held(Version(OLDEST), Why.ROLLBACK, Version(NEW))
    assert refused(base) == (
        "nothing is known of a release before the present one\n"
        f"  where:    {base}\n"
        "  expected: an earlier release in the history of this store\n"
        f"  found:    the present one, {OLDEST}\n"
        "  fix:      name the release to go back to: bitproof rollback VERSION; see bitproof assets list"
    )
    assert refused(base, NEW) == (
        f"this machine was rolled back to assets {OLDEST} from {NEW}, and not to return by another rollback\n"
        f"  where:    {base}\n"
        "  fix:      end the rollback: bitproof pin --remove"
    )


def test_a_release_that_is_offered_needs_no_history(base: Path) -> None:
    assert str(back(base, OLDEST).version) == OLDEST
    assert resolved(base) == OLDEST
    assert [str(one.version) for one in read_history(base).entries] == [OLDEST]


def test_the_same_rollback_again_changes_nothing(base: Path) -> None:
    back(base, OLDEST)
    before = tree(base)
    done = back(base, OLDEST)
    assert (str(done.turned_from), str(done.version)) == (NEW, OLDEST)
    assert tree(base) == before


def test_a_deprecated_release_is_for_those_who_have_booted_it(base: Path) -> None:
    offer(base, {**RELEASES, OLD: release("b", deprecated=True)})
    ran(base, (OLD, Event.INSTALLED), (NEW, Event.INSTALLED))
    assert refused(base) == (
        f"assets {OLD} is deprecated, and this machine has never booted it\n"
        "  expected: a release that this machine has booted, or that is still offered\n"
        "  fix:      choose another release: bitproof history; or hold this one on purpose: bitproof pin"
    )
    ran(base, (OLD, Event.BOOTED), (NEW, Event.BOOTED))
    back(base, OLD)
    assert resolved(base) == OLD


def test_a_revoked_release_is_for_nobody(base: Path) -> None:
    offer(base, {**RELEASES, OLD: release("b", revoked="it leaks keys")})
    ran(base, (OLD, Event.BOOTED), (NEW, Event.BOOTED))
    assert refused(base) == (
        f"assets {OLD} is revoked\n  found:    it leaks keys\n  fix:      choose another release: bitproof assets list"
    )


def test_a_release_that_the_manifest_no_longer_lists_is_refused_though_it_has_booted(base: Path) -> None:
    offer(base, {NEW: release("c")})
    ran(base, (OLD, Event.BOOTED), (NEW, Event.BOOTED))
    assert refused(base) == (
        f"the store's manifest has no such asset release\n  expected: one of {NEW}\n  found:    {OLD}"
    )


def test_a_release_that_does_not_fit_the_binary_is_refused(base: Path) -> None:
    offer(base, RELEASES, binaries={BINARY: {"min_assets": NEW}})
    assert refused(base, OLD) == (
        f"assets {OLD} does not fit this binary\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        f"  found:    older than the binary's min_assets {NEW}\n"
        "  fix:      choose another release: bitproof assets why"
    )


def test_a_release_without_the_arch_is_refused(base: Path) -> None:
    offer(base, {**RELEASES, OLD: {"arches": {"x86_64": boot_set("b", "vmlinuz")}}})
    assert refused(base, OLD) == (
        f"assets {OLD} has no complete boot set for x86_64\n  fix:      choose another release"
    )


def test_to_where_it_is_already_there_is_no_way(base: Path) -> None:
    assert refused(base, NEW) == (
        f"assets {NEW} is what this machine gets already\n"
        f"  where:    {base}\n"
        f"  fix:      to hold it there: bitproof pin {NEW}"
    )


def test_a_pin_is_not_ended_by_the_way(base: Path) -> None:
    pin(Pin(base, Version(OLD), "x86_64"))
    assert refused(base, OLDEST) == (
        f"this machine is pinned to assets {OLD}, and a rollback would end that\n"
        f"  where:    {base}\n"
        f"  fix:      pin it to that release: bitproof pin {OLDEST}; or end the pin first: bitproof pin --remove"
    )


def test_a_machine_that_gets_nothing_any_more_can_go_back(base: Path) -> None:
    """The present release is revoked, and what is older is deprecated."""
    offer(base, {OLD: release("b", deprecated=True), NEW: release("c", revoked="it leaks keys")})
    ran(base, (OLD, Event.BOOTED), (NEW, Event.BOOTED), (OLD, Event.BOOTED))
    done = back(base)
    assert (str(done.turned_from), str(done.version), resolved(base)) == (NEW, OLD, OLD)


def test_without_any_history_and_any_release_that_fits_it_says_so(base: Path) -> None:
    offer(base, {NEW: release("c", revoked="it leaks keys")})
    assert "  found:    no release that fits\n" in refused(base)


def test_missing_files_are_named_at_once(base: Path) -> None:
    initrd, rootfs, _ = stored("b")
    (base / initrd).unlink()
    (base / rootfs).unlink()
    before = tree(base)
    assert refusal(UnavailableError, lambda: back(base, OLD)) == (
        f"2 assets are missing\n  where:    {base}/{initrd}, {base}/{rootfs}\n  fix:      bitproof assets install"
    )
    assert tree(base) == before


def test_a_damaged_file_is_found_before_anything_changes(base: Path) -> None:
    back(base, OLD)
    damaged = base / stored("a")[0]
    damaged.write_bytes(b"initrd.imgX")
    before = tree(base)
    assert refusal(IntegrityError, lambda: back(base, OLDEST)) == (
        f"assets {OLDEST} cannot be gone back to: its files are not what the manifest says\n"
        f"  - {damaged}: same size: changed or rotten: expected blake3:{hex_of('initrd.imga')}, "
        f"found blake3:{hex_of('initrd.imgX')}\n"
        "  fix:      bring the files back: bitproof assets install; or choose another release: bitproof history"
    )
    assert tree(base) == before
    assert resolved(base) == OLD


def test_a_file_that_cannot_be_checked_is_no_proof(base: Path) -> None:
    planted = base / stored("b")[0]
    planted.unlink()
    planted.symlink_to(base / stored("a")[0])
    assert refusal(UnavailableError, lambda: back(base, OLD)) == (
        f"assets {OLD} cannot be gone back to: its files are not what the manifest says\n"
        f"  - {planted}: the asset is a symlink: expected blake3:{hex_of('initrd.imgb')}\n"
        "  fix:      bring the files back: bitproof assets install; or choose another release: bitproof history"
    )
    assert SELECTION not in names_in(base)


def test_a_bad_history_is_an_error_that_changes_nothing(base: Path) -> None:
    (base / CHANNEL_STATE).mkdir()
    (base / CHANNEL_STATE / "history.json").write_bytes(b"[]")
    assert refused(base, OLD).startswith("the file is not acceptable JSON\n")


def test_a_plan_writes_nothing_and_reads_no_file(base: Path) -> None:
    for name in stored("b"):
        (base / name).write_bytes(b"damaged")
    before = tree(base)
    plan = plan_rollback(wanted(base, OLD))
    assert (str(plan.turned_from), str(plan.version), sorted(path.name for path in plan.files)) == (
        NEW,
        OLD,
        stored("b"),
    )
    assert tree(base) == before


def test_it_waits_for_the_stores_lock(base: Path) -> None:
    with Directory(base) as store, locked(store):
        message = refusal(UnavailableError, lambda: rollback(wanted(base, OLD), wait=False))
    assert message.startswith("locked by another process\n")
    assert SELECTION not in names_in(base)
