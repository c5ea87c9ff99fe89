import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError
from bitproof.model.asset_edits import Occasion, deprecated, merge, recorded, revoked
from bitproof.model.asset_manifest import Asset, AssetManifest
from bitproof.model.digest import Digest
from bitproof.model.version import Version
from tests.model.samples import BINARY, FIRST, NAMES, SEED, Document, boot_set, document, hex_of, read, release, sample

DAY = date(2026, 4, 16)
NOW = Occasion(day=DAY, binary_version=Version(BINARY))


def built(tag: str = "b", arch: str = "x86_64") -> dict[str, dict[str, Asset]]:
    assets = (
        Asset(name, Digest("blake3", hex_of(name + tag)), len(name + tag), Digest("sha256", "ab" * 32))
        for name in NAMES
    )
    return {arch: {asset.name: asset for asset in assets}}


def strange() -> Document:
    """A manifest with unknown fields at every level and keys in no order."""
    found = document(
        {"2026.0415.9": release("9", zz=[1]), FIRST: release("1", deprecated=False)}, current="2026.0415.9"
    )
    entry = found["assets"]["releases"][FIRST]
    for level in (found, found["assets"], entry, entry["arches"]["x86_64"]["vmlinuz"], found["binaries"]["releases"]):
        if level is not found["binaries"]["releases"]:
            level["zz"], level["aa"] = {"é": None}, "x"
    found["binaries"]["releases"][BINARY] = {"zz": 1, "aa": 2}
    return found


def test_the_first_recording_makes_a_whole_manifest() -> None:
    manifest = recorded(None, built(), NOW)
    entries = {name: {"hash": hex_of(name + "b"), "size": len(name + "b"), "sha256": "ab" * 32} for name in NAMES}
    assert manifest.document == {
        "format": 2,
        "assets": {
            "current": "2026.0416.1",
            "releases": {
                "2026.0416.1": {
                    "date": "2026-04-16",
                    "deprecated": False,
                    "min_binary": "1.0.0",
                    "arches": {"x86_64": entries},
                }
            },
        },
        "binaries": {
            "current": BINARY,
            "releases": {BINARY: {"date": "2026-04-16", "deprecated": False, "min_assets": "2026.0416.1"}},
        },
    }


def test_identical_assets_keep_their_version() -> None:
    first = recorded(None, built(), NOW)
    again = recorded(first, built(), Occasion(day=date(2027, 1, 1), binary_version=Version(BINARY)))
    assert again.to_bytes() == first.to_bytes()


def test_two_builds_of_one_day_never_share_a_version() -> None:
    manifest = None
    for tag in "abcdefghijk":
        manifest = recorded(manifest, built(tag), NOW)
    assert manifest is not None
    assert [str(version) for version in manifest.releases] == [f"2026.0416.{patch}" for patch in range(1, 12)]
    assert str(manifest.current) == "2026.0416.11"


def test_a_return_to_older_bytes_returns_to_their_version() -> None:
    first = recorded(None, built("a"), NOW)
    back = recorded(recorded(first, built("b"), NOW), built("a"), NOW)
    assert str(back.current) == "2026.0416.1"
    assert len(back.releases) == 2


def test_the_bytes_of_a_deprecated_release_get_a_new_version() -> None:
    first = recorded(None, built(), NOW)
    again = recorded(deprecated(first, first.current, DAY), built(), NOW)
    assert [str(version) for version in again.releases] == ["2026.0416.1", "2026.0416.2"]
    assert str(again.current) == "2026.0416.2"


def test_a_one_arch_repack_keeps_the_other_arch_and_every_earlier_release() -> None:
    before = recorded(recorded(None, built("a", "arm64"), NOW), built("a"), NOW)
    after = recorded(before, built("b"), NOW)
    assert list(after.releases) == [Version("2026.0416.1"), Version("2026.0416.2"), Version("2026.0416.3")]
    arches = after.releases[after.current].arches
    assert list(arches) == ["arm64", "x86_64"]
    assert arches["arm64"] == built("a", "arm64")["arm64"]
    assert arches["x86_64"] == built("b")["x86_64"]


def test_a_current_that_names_no_release_does_not_lose_the_other_arch() -> None:
    before = sample({FIRST: release("a", "arm64")}, current="2030.0101.1")
    after = recorded(before, built("b"), NOW)
    assert list(after.releases[after.current].arches) == ["arm64", "x86_64"]


def test_a_manifest_without_releases_is_recorded_into() -> None:
    after = recorded(sample({}, binaries={}), built(), NOW)
    assert (str(after.current), list(after.binaries)) == ("2026.0416.1", [Version(BINARY)])


@pytest.mark.parametrize(
    ("binary", "given", "minimum"),
    [
        ("1.0.1776269479", None, "1.0.0"),
        ("0.6.1776269479", None, "0.6.0"),
        ("1.0.0", None, "1.0.0"),
        ("1.0.rc1", None, "1.0.rc1"),
        ("1.2.5", "1.1.0", "1.1.0"),
    ],
)
def test_min_binary_is_the_base_of_the_release_line_unless_given(binary: str, given: str | None, minimum: str) -> None:
    minimal = Version(given) if given else None
    manifest = recorded(None, built(), Occasion(day=DAY, binary_version=Version(binary), min_binary=minimal))
    assert manifest.releases[manifest.current].min_binary == Version(minimum)
    assert manifest.document["assets"]["releases"]["2026.0416.1"]["min_binary"] == minimum


def test_a_new_binary_leaves_the_assets_alone_and_needs_those_it_was_built_with() -> None:
    first = recorded(None, built(), NOW)
    newer = recorded(first, built(), Occasion(day=DAY, binary_version=Version("1.0.1776269480")))
    assert newer.current == first.current
    assert newer.document["assets"] == first.document["assets"]
    assert str(newer.current_binary) == "1.0.1776269480"
    assert newer.binaries[newer.current_binary].min_assets == first.current


def test_new_assets_leave_the_binaries_alone() -> None:
    first = recorded(None, built(), NOW)
    assert recorded(first, built("c"), NOW).document["binaries"] == first.document["binaries"]


def test_an_older_binary_does_not_become_current() -> None:
    older = recorded(recorded(None, built(), NOW), built(), Occasion(day=DAY, binary_version=Version("1.0.9")))
    assert str(older.current_binary) == BINARY
    assert [str(version) for version in older.binaries] == ["1.0.9", BINARY]
    assert list(older.document["binaries"]["releases"]) == ["1.0.9", BINARY]


def test_a_new_release_goes_before_the_first_newer_one_and_nothing_else_moves() -> None:
    releases = {version: release(version) for version in ("2026.0417.1", "2026.0415.2", "2026.0415.1")}
    after = recorded(sample(releases), built(), NOW)
    order = ["2026.0416.1", "2026.0417.1", "2026.0415.2", "2026.0415.1"]
    assert list(after.document["assets"]["releases"]) == order


def test_an_edit_leaves_the_old_manifest_as_it_was() -> None:
    manifest = read(strange())
    recorded(manifest, built(), NOW)
    deprecated(manifest, Version(FIRST), DAY)
    merge(manifest, sample({"2026.0420.1": release("x", "arm64")}))
    assert manifest == read(strange())


def test_unknown_fields_and_key_order_survive_every_edit() -> None:
    before = strange()
    manifest = read(before)
    noted = recorded(manifest, built(), NOW).document
    del noted["assets"]["releases"]["2026.0416.1"]
    noted["assets"]["current"] = before["assets"]["current"]
    assert json.dumps(noted) == json.dumps(before)
    aged = deprecated(manifest, Version("2026.0415.9"), DAY).document
    assert aged["assets"]["releases"]["2026.0415.9"].pop("deprecated_date") == "2026-04-16"
    assert aged["assets"]["releases"]["2026.0415.9"].pop("deprecated") is True
    assert json.dumps(aged) == json.dumps(before)
    assert json.dumps(merge(manifest, manifest).document) == json.dumps(before)


def test_the_seeds_sample_survives_a_change_with_its_unknown_fields() -> None:
    text = SEED.read_text().replace('"format": 2,', '"format": 2,\n  "channel": "stable",')
    after = recorded(AssetManifest.parse(text.encode()), built("b", "arm64"), NOW)
    assert list(after.document) == ["format", "channel", "assets", "binaries"]
    assert list(after.releases) == [Version(FIRST), Version("2026.0416.1")]


def test_deprecating_is_dated_once() -> None:
    once = deprecated(sample(), Version("2026.415.1"), DAY)
    assert once.document["assets"]["releases"][FIRST]["deprecated_date"] == "2026-04-16"
    assert once.releases[Version(FIRST)].deprecated
    assert deprecated(once, Version(FIRST), date(2027, 1, 1)) == once


def test_deprecating_what_is_not_there_names_what_is() -> None:
    with pytest.raises(InputError) as caught:
        deprecated(sample({FIRST: release(), "2026.0415.2": release("b")}), Version("1"), DAY)
    assert str(caught.value) == (
        f"the manifest has no such asset release\n  expected: one of {FIRST}, 2026.0415.2\n  found:    1"
    )


def test_a_merge_has_every_release_arch_and_binary_of_both() -> None:
    ours = sample({"2026.0415.9": release("9"), FIRST: release("a")}, current="2026.0415.9", binary="1.0.5")
    theirs = sample(
        {FIRST: release("a", "arm64", deprecated=True, note="x"), "2026.0415.10": release("10")},
        current="2026.0415.10",
        binaries={"1.0.9": {}, BINARY: {"date": "then"}},
        binary="1.0.10",
    )
    both = merge(ours, theirs)
    assert list(both.document["assets"]["releases"]) == ["2026.0415.9", FIRST, "2026.0415.10"]
    assert list(both.document["binaries"]["releases"]) == ["1.0.9", BINARY]
    assert (str(both.current), str(both.current_binary)) == ("2026.0415.10", "1.0.10")
    united = both.releases[Version(FIRST)]
    assert (set(united.arches), united.deprecated) == ({"x86_64", "arm64"}, True)
    assert both.document["assets"]["releases"][FIRST]["note"] == "x"
    assert both.binaries[Version(BINARY)].date == "then"


def test_a_merge_never_undoes_a_deprecation() -> None:
    ours, theirs = sample({FIRST: release(deprecated=True)}), sample({FIRST: release(deprecated=False)})
    assert merge(ours, theirs).releases[Version(FIRST)].deprecated
    assert merge(theirs, ours).releases[Version(FIRST)].deprecated


def test_a_merge_of_different_bytes_under_one_version_is_refused() -> None:
    arches = {"x86_64": boot_set("a"), "arm64": boot_set("a")}
    other = {"x86_64": boot_set("b"), "arm64": boot_set("b"), "riscv64": boot_set("b")}
    with pytest.raises(InputError) as caught:
        merge(sample({FIRST: {"arches": arches}}), sample({FIRST: {"arches": other}}))
    assert str(caught.value) == (
        "the manifests cannot be merged\n"
        f"  - {FIRST} arm64: the two manifests name different bytes\n"
        f"  - {FIRST} x86_64: the two manifests name different bytes\n"
        "  fix:      one version must name the same bytes everywhere: build one of the two again under a new version"
    )


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
def test_however_often_it_is_recorded_one_version_has_one_set_of_bytes(tags: list[str]) -> None:
    manifest = None
    for tag in tags:
        manifest = recorded(manifest, built(tag), NOW)
        assert manifest.releases[manifest.current].arches["x86_64"] == built(tag)["x86_64"]
        assert AssetManifest.parse(manifest.to_bytes()) == manifest
    assert manifest is not None
    assert len(manifest.releases) == len(set(tags))


def test_a_release_is_revoked_once_and_for_a_reason() -> None:
    once = revoked(sample(), Version("2026.415.1"), "it leaks keys", DAY)
    entry = once.document["assets"]["releases"][FIRST]
    assert (entry["revoked"], entry["revoked_date"]) == ("it leaks keys", "2026-04-16")
    found = once.releases[Version(FIRST)]
    assert (found.revoked, found.deprecated, found.in_force) == ("it leaks keys", False, False)
    assert revoked(once, Version(FIRST), "another reason", date(2027, 1, 1)) == once


def test_unknown_fields_and_key_order_survive_a_revocation() -> None:
    manifest = read(strange())
    changed = revoked(manifest, Version(FIRST), "x", DAY).document
    assert list(changed["assets"]["releases"][FIRST])[-2:] == ["revoked", "revoked_date"]
    del changed["assets"]["releases"][FIRST]["revoked"], changed["assets"]["releases"][FIRST]["revoked_date"]
    assert json.dumps(changed) == json.dumps(manifest.document)
    assert manifest == read(strange())


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\tb", "x" * 201, "\u202e"])
def test_a_reason_that_cannot_be_printed_in_one_line_is_refused(reason: str) -> None:
    rule = "not a reason: expected one printable line of 1 to 200 characters, found "
    with pytest.raises(InputError) as caught:
        revoked(sample(), Version(FIRST), reason, DAY)
    assert str(caught.value).startswith(rule)


def test_only_a_release_that_there_is_can_be_revoked() -> None:
    with pytest.raises(InputError) as caught:
        revoked(sample(), Version("1"), "x", DAY)
    sentence = "the manifest has no such asset release\n  expected: one of 2026.0415.1\n  found:    1"
    assert str(caught.value) == sentence


def test_the_bytes_of_a_revoked_release_get_a_new_version() -> None:
    first = recorded(None, built(), NOW)
    again = recorded(revoked(first, first.current, "x", DAY), built(), NOW)
    assert [str(version) for version in again.releases] == ["2026.0416.1", "2026.0416.2"]


def test_what_either_of_two_manifests_revokes_is_revoked_in_both() -> None:
    ours, theirs = sample({FIRST: release(revoked="ours")}), sample()
    assert merge(ours, theirs).releases[Version(FIRST)].revoked == "ours"
    assert merge(theirs, ours).releases[Version(FIRST)].revoked == "ours"
