import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.assets.compat import (
    Standing,
    check_collisions,
    choose,
    contradictions,
    explain,
    newest_in_force,
    referenced,
)
from bitproof.errors import InputError
from bitproof.model.names import is_hash_name
from bitproof.model.selection import Held
from bitproof.model.version import Version
from tests.assets.layouts import stored
from tests.evidence import refusal
from tests.model.samples import BINARY, FIRST, Document, boot_set, release, sample

OLD, NEW, NEWEST = "2026.0415.9", "2026.0415.10", "2026.0416.1"
THREE = {OLD: release("9"), NEW: release("10"), NEWEST: release("1")}


def chosen(releases: Document, current: str = OLD, binary: str = BINARY, **binaries: Document) -> str:
    manifest = sample(releases, current=current, binaries=binaries or None)
    return str(choose(manifest, Version(binary), "x86_64").release.version)


def test_current_wins_when_it_fits() -> None:
    assert chosen(THREE, OLD) == OLD
    assert chosen(THREE, NEWEST) == NEWEST


def test_else_the_newest_that_fits_wins_and_never_by_text() -> None:
    releases = {**THREE, NEWEST: release("1", deprecated=True)}
    assert chosen(releases, NEWEST) == NEW
    assert chosen(releases, "2030.0101.1") == NEW


@pytest.mark.parametrize(
    ("fields", "binary", "fits"),
    [
        ({"min_binary": "1.0.0"}, "1.0.1776269479", True),
        ({"min_binary": "1.0.0"}, "1.0.0", True),
        ({"min_binary": "1.0.10"}, "1.0.9", False),
        ({"min_binary": ""}, "0.1", True),
        ({}, "0.1", True),
        ({"min_binary": "1.0.0"}, "1.0.rc1", False),
    ],
)
def test_a_release_needs_a_binary_from_its_min_binary_on(fields: Document, binary: str, fits: bool) -> None:
    releases = {OLD: release("9"), NEW: release("10", **fields)}
    assert chosen(releases, NEW, binary) == (NEW if fits else OLD)


@pytest.mark.parametrize(
    ("min_assets", "version"), [(NEW, NEW), ("2026.0415.11", NEWEST), ("", OLD), (OLD, OLD), ("2026.415.10", NEW)]
)
def test_a_listed_binary_needs_assets_from_its_min_assets_on(min_assets: str, version: str) -> None:
    releases = {**THREE, NEW: release("10"), NEWEST: release("1", min_binary="9" if version == NEW else "")}
    manifest = sample(releases, current=OLD, binaries={BINARY: {"min_assets": min_assets}})
    assert str(choose(manifest, Version(BINARY), "x86_64").release.version) == version


def test_a_binary_that_is_not_listed_has_no_min_assets() -> None:
    manifest = sample(THREE, current=OLD, binaries={BINARY: {"min_assets": NEWEST}})
    assert str(choose(manifest, Version("7"), "x86_64").release.version) == OLD


def test_a_release_needs_all_three_assets_of_the_arch() -> None:
    half = {"arches": {"x86_64": boot_set("1", "vmlinuz", "initrd.img")}}
    assert chosen({OLD: release("9"), NEW: half, NEWEST: release("1", "arm64")}, NEWEST) == OLD


def test_a_choice_says_why() -> None:
    one = choose(sample(THREE, current=OLD), Version(BINARY), "x86_64")
    assert (one.reason, one.rejected) == ("it is assets.current, and fits", ())
    releases = {**THREE, NEWEST: release("1", deprecated=True)}
    for current, why in [(NEWEST, "deprecated"), ("2026.416.1", "deprecated"), ("2030.0101.1", "names no release")]:
        other = choose(sample(releases, current=current), Version(BINARY), "x86_64")
        assert other.reason == f"it is the newest that fits; assets.current {current}: {why}"
        assert list(map(str, other.rejected)) == [f"{NEWEST}: deprecated"]


def test_nothing_that_fits_lists_every_release_with_its_reason_and_never_falls_back() -> None:
    releases = {
        FIRST: release("a"),
        "2026.0415.2": release("b", deprecated=True),
        "2026.0415.3": release("c", "arm64"),
        "2026.0415.4": {"arches": {"x86_64": boot_set("d", "vmlinuz")}},
        "2026.0415.5": release("e", min_binary="2.0"),
    }
    manifest = sample(releases, binaries={BINARY: {"min_assets": "2026.0415.2"}})
    assert refusal(InputError, lambda: choose(manifest, Version(BINARY), "x86_64")) == (
        "no asset release fits this binary\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        "  found:    none that fits, of 5\n"
        "  - 2026.0415.5: needs a binary from 2.0 on\n"
        "  - 2026.0415.4: has no complete boot set for x86_64\n"
        "  - 2026.0415.3: has no x86_64\n"
        "  - 2026.0415.2: deprecated\n"
        "  - 2026.0415.1: older than the binary's min_assets 2026.0415.2\n"
        "  fix:      install a release that fits, or run a binary that fits what is installed"
    )


def test_a_manifest_without_releases_fits_nothing() -> None:
    assert refusal(InputError, lambda: choose(sample({}), Version(BINARY), "x86_64")) == (
        "no asset release fits this binary\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        "  found:    a manifest without releases\n"
        "  fix:      install a release that fits, or run a binary that fits what is installed"
    )


def test_what_every_release_in_force_of_any_arch_needs_is_kept() -> None:
    releases = {OLD: release("9", deprecated=True), NEW: release("10"), NEWEST: release("1", "arm64")}
    assert referenced(sample(releases)) == {*stored("10"), *stored("1")}


def test_a_file_that_a_deprecated_release_shares_is_kept() -> None:
    releases = {OLD: release("9", deprecated=True), NEW: release("9")}
    assert referenced(sample(releases)) == {*stored("9")}


def test_what_is_to_be_kept_is_named_by_hash_name_or_version() -> None:
    manifest = sample({OLD: release("9", deprecated=True), NEW: release("10", deprecated=True)})
    assert referenced(manifest) == frozenset()
    assert referenced(manifest, [OLD]) == {*stored("9")}
    assert referenced(manifest, ["2026.415.9"]) == {*stored("9")}
    assert referenced(manifest, ["x-0123456789abcdef"]) == {"x-0123456789abcdef"}


@pytest.mark.parametrize("word", ["vmlinuz", "2026.0415.8", "", "../x"])
def test_a_word_to_keep_that_names_nothing_is_refused(word: str) -> None:
    assert refusal(InputError, lambda: referenced(sample(), [word])) == (
        f"nothing of this name can be kept\n  expected: a hash name, or an asset version: {FIRST}\n  found:    {word!r}"
    )
    assert "version: none here\n" in refusal(InputError, lambda: referenced(sample({}), [word]))


def test_a_current_without_a_release_and_half_a_boot_set_are_contradictions() -> None:
    half = {"arches": {"x86_64": boot_set("a", "vmlinuz"), "arm64": boot_set("a")}}
    assert contradictions(sample()) == ()
    assert list(map(str, contradictions(sample({FIRST: half}, current="2030.0101.1", binary="7")))) == [
        f"assets.current: 2030.0101.1 names no release: expected {FIRST}",
        f"binaries.current: 7 names no release: expected {BINARY}",
        f"{FIRST} x86_64: no complete boot set: expected vmlinuz, initrd.img and a rootfs",
    ]
    assert str(contradictions(sample({}))[0]).endswith("names no release: expected at least one release")


def test_the_release_in_force_is_current_or_the_newest() -> None:
    manifest = sample(THREE, current=OLD)
    assert newest_in_force(manifest, "x86_64") is manifest.releases[Version(OLD)]
    other = sample({**THREE, OLD: release("9", deprecated=True)}, current=OLD)
    assert newest_in_force(other, "x86_64") is other.releases[Version(NEWEST)]
    assert newest_in_force(manifest, "arm64") is None


def test_manifests_that_agree_do_not_collide() -> None:
    check_collisions(sample(THREE), None, sample(THREE))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "1.0.0", "2.0"]), st.sampled_from("abc")), max_size=5))
def test_whatever_is_chosen_fits_and_is_kept(rows: list[tuple[bool, str, str]]) -> None:
    releases = {
        f"2026.0415.{patch}": release(tag, deprecated=gone, min_binary=minimum)
        for patch, (gone, minimum, tag) in enumerate(rows, 1)
    }
    manifest = sample(releases)
    kept = referenced(manifest)
    assert all(map(is_hash_name, kept))
    try:
        choice = choose(manifest, Version(BINARY), "x86_64")
    except InputError as error:
        assert len(error.problems) == len(rows)  # noqa: PT017 - either nothing fits, or what is chosen does
        return
    assert not choice.release.deprecated
    assert choice.release.min_binary is None or choice.release.min_binary <= Version(BINARY)
    assert {*stored(rows[int(str(choice.release.version).rpartition(".")[2]) - 1][2])} <= kept


def test_a_revoked_release_is_rejected_before_any_other_reason() -> None:
    revoked = release("10", deprecated=True, revoked="it leaks keys", min_binary="9")
    releases = {OLD: release("9"), NEW: revoked}
    one = choose(sample(releases, current=NEW), Version(BINARY), "x86_64")
    assert str(one.release.version) == OLD
    assert one.reason == f"it is the newest that fits; assets.current {NEW}: revoked: it leaks keys"
    assert list(map(str, one.rejected)) == [f"{NEW}: revoked: it leaks keys"]


def test_a_manifest_with_nothing_but_a_revoked_release_has_none() -> None:
    manifest = sample({OLD: release("9", revoked="it leaks keys")}, current=OLD)
    assert refusal(InputError, lambda: choose(manifest, Version(BINARY), "x86_64")) == (
        "no asset release fits this binary\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        "  found:    none that fits, of 1\n"
        f"  - {OLD}: revoked: it leaks keys\n"
        "  fix:      install a release that fits, or run a binary that fits what is installed"
    )
    assert newest_in_force(manifest, "x86_64") is None


def test_the_files_of_a_revoked_release_are_not_needed_unless_they_are_kept() -> None:
    manifest = sample({OLD: release("9"), NEW: release("10", revoked="x")})
    assert referenced(manifest) == set(stored("9"))
    assert referenced(manifest, [NEW]) == {*stored("9"), *stored("10")}


@pytest.mark.parametrize("version", [OLD, NEW, NEWEST])
def test_what_is_held_is_taken_whatever_is_current(version: str) -> None:
    one = choose(sample(THREE, current=NEW), Version(BINARY), "x86_64", Held(Version(version)))
    assert (str(one.release.version), one.reason) == (version, f"this machine is pinned to assets {version}")


def test_a_held_release_may_be_deprecated() -> None:
    releases = {**THREE, OLD: release("9", deprecated=True), NEW: release("10", deprecated=True)}
    one = choose(sample(releases), Version(BINARY), "x86_64", Held(Version(OLD), vm="web"))
    assert (str(one.release.version), one.reason) == (OLD, f"VM web is pinned to assets {OLD}")
    assert list(map(str, one.rejected)) == [f"{NEW}: deprecated"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "the manifest has no such release"),
        ({OLD: release("9", revoked="it leaks keys", deprecated=True)}, "revoked: it leaks keys"),
        ({OLD: release("9", "arm64")}, "has no x86_64"),
        ({OLD: {"arches": {"x86_64": boot_set("9", "vmlinuz")}}}, "has no complete boot set for x86_64"),
        ({OLD: release("9", min_binary="2.0")}, "needs a binary from 2.0 on"),
    ],
)
def test_a_held_release_that_cannot_be_used_is_an_error_and_never_a_fallback(entry: Document, reason: str) -> None:
    manifest, held = sample({NEW: release("10"), **entry}, current=NEW), Held(Version(OLD))
    assert refusal(InputError, lambda: choose(manifest, Version(BINARY), "x86_64", held)) == (
        f"this machine is pinned to assets {OLD}, which cannot be used\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        f"  found:    {OLD}: {reason}\n"
        "  fix:      hold it at another release: bitproof pin VERSION; or at none: bitproof pin --remove"
    )
    told = explain(manifest, Version(BINARY), "x86_64", held)
    assert Standing.TAKEN not in {answer.standing for answer in told}
    mine = [f"{answer.standing} {answer.reason}" for answer in told if str(answer.release.version) == OLD]
    assert mine == ([f"rejected {reason}; this machine is pinned to assets {OLD}"] if entry else [])


def test_a_held_release_that_is_older_than_min_assets_cannot_be_used() -> None:
    manifest = sample(THREE, current=NEW, binaries={BINARY: {"min_assets": NEW}})
    message = refusal(InputError, lambda: choose(manifest, Version(BINARY), "x86_64", Held(Version(OLD))))
    assert f"  found:    {OLD}: older than the binary's min_assets {NEW}\n" in message


def test_why_says_what_is_held_and_what_would_fit_too() -> None:
    releases = {**THREE, NEW: release("10", deprecated=True)}
    told = explain(sample(releases, current=NEWEST), Version(BINARY), "x86_64", Held(Version(NEW)))
    assert [(str(answer.release.version), answer.standing, answer.reason) for answer in told] == [
        (NEWEST, Standing.FITS, f"this machine is pinned to assets {NEW}; it fits too"),
        (NEW, Standing.TAKEN, f"this machine is pinned to assets {NEW}"),
        (OLD, Standing.FITS, f"this machine is pinned to assets {NEW}; it fits too"),
    ]
