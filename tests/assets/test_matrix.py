from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.assets.compat import Standing, choose, explain
from bitproof.assets.matrix import Tracks, Unreachable, arches_to_serve, matrix
from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BinaryRelease
from bitproof.model.version import Version
from tests.model.samples import BINARY, FIRST, Document, boot_set, release, sample

OLD, NEW, NEWEST = "2026.0415.9", "2026.0415.10", "2026.0416.1"
ARCHES = ("x86_64", "arm64")


def both(tag: str, **fields: object) -> Document:
    return {**fields, "arches": {arch: boot_set(tag) for arch in ARCHES}}


def taken(manifest: AssetManifest, binary: Version, arch: str) -> Version | None:
    """What `choose` says: the oracle for one binary."""
    try:
        return choose(manifest, binary, arch).release.version
    except InputError:
        return None


def versions(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


MINIMA = versions("", "0.9", "1.0.0", "1.0.9", "1.0.10", "1.0.rc1", "2.0")
FLOORS = versions("", "2026.0415.2", "2026.0415.9", "2026.0415.10", "2026.0415.beta", "2030.0101.1")
SHAPES = st.sampled_from([("x86_64",), ("arm64",), ARCHES, ()])


@st.composite
def manifests(draw: st.DrawFn) -> AssetManifest:
    releases: Document = {}
    patches = versions("2026.0415.2", "2026.0415.9", "2026.0415.10", "2026.0415.beta", "2026.0416.1", "2029.1")
    for version in draw(st.lists(patches, unique=True, max_size=6)):
        arches = {arch: boot_set(version) for arch in draw(SHAPES)} | {"riscv64": boot_set(version, "vmlinuz")}
        releases[version] = {"arches": arches, "deprecated": draw(st.booleans()), "min_binary": draw(MINIMA)}
    numbers = versions("0.8", "0.9", "1.0.0", "1.0.9", "1.0.10", "1.0.rc1", "3.0")
    binaries: Document = {
        version: {"min_assets": draw(FLOORS), "deprecated": draw(st.booleans())}
        for version in draw(st.lists(numbers, unique=True, max_size=6))
    }
    return sample(releases, current=draw(patches), binaries=binaries)


@given(manifests(), st.sampled_from([*ARCHES, "riscv64"]))
def test_a_binary_is_served_just_as_resolve_chooses(manifest: AssetManifest, arch: str) -> None:
    assert Tracks.of(manifest).served(arch) == {binary: taken(manifest, binary, arch) for binary in manifest.binaries}


@given(manifests())
def test_a_release_is_unreachable_just_when_it_is_rejected_for_every_binary(manifest: AssetManifest) -> None:
    reached = {
        answer.release.version
        for binary in manifest.binaries
        for arch in ARCHES
        for answer in explain(manifest, binary, arch)
        if answer.standing is not Standing.REJECTED
    }
    usable = {
        version
        for version, one in manifest.releases.items()
        if not one.deprecated and any(one.boot_assets(arch) for arch in ARCHES)
    }
    expected = sorted(usable - reached) if manifest.binaries else []
    assert [one.version for one in Tracks.of(manifest).unreachable()] == expected


@given(manifests(), st.integers(0, 6), st.integers(0, 6))
def test_a_matrix_says_of_every_cell_what_resolve_would(manifest: AssetManifest, rows: int, columns: int) -> None:
    whole = matrix(manifest, "arm64")
    small = whole.cut(rows, columns)
    assert small.rows == whole.rows[:rows]
    assert list(small.releases) == [one for one in whole.releases if one in small.releases]
    assert len(small.releases) == min(columns, len(whole.releases))
    assert (small.all_rows, small.all_releases) == (len(manifest.binaries), len(whole.releases))
    for row in small.rows:
        standings = {
            answer.release.version: answer.standing for answer in explain(manifest, row.binary.version, "arm64")
        }
        assert row.gets == taken(manifest, row.binary.version, "arm64")
        for one in small.releases:
            assert small.fits(row, one) == (standings[one.version] is not Standing.REJECTED)


@given(manifests(), st.sampled_from(ARCHES))
def test_an_explanation_has_every_release_once_and_takes_what_is_chosen(manifest: AssetManifest, arch: str) -> None:
    for binary in [*manifest.binaries, Version("7")]:
        answers = explain(manifest, binary, arch)
        assert [answer.release for answer in answers] == list(manifest.releases.values())[::-1]
        found = [answer.release.version for answer in answers if answer.standing is Standing.TAKEN]
        chosen = taken(manifest, binary, arch)
        assert found == ([] if chosen is None else [chosen])
        assert all(answer.reason for answer in answers)


def told(manifest: AssetManifest) -> list[str]:
    answers = explain(manifest, Version(BINARY), "x86_64")
    return [f"{answer.standing} {answer.release.version}: {answer.reason}" for answer in answers]


def test_an_explanation_says_of_a_release_that_fits_why_another_one_is_taken() -> None:
    releases = {OLD: release("9"), NEW: release("10"), NEWEST: release("1", deprecated=True)}
    assert told(sample(releases, current=OLD)) == [
        f"rejected {NEWEST}: deprecated",
        f"fits {NEW}: {OLD} is assets.current, and fits too",
        f"taken {OLD}: it is assets.current, and fits",
    ]
    assert told(sample(releases, current=NEWEST)) == [
        f"rejected {NEWEST}: deprecated",
        f"taken {NEW}: it is the newest that fits; assets.current {NEWEST}: deprecated",
        f"fits {OLD}: {NEW} is newer, and fits too",
    ]
    assert told(sample({})) == []


@pytest.mark.parametrize(
    ("fields", "minimum", "reason"),
    [
        ({"min_binary": "2.0"}, "", f"needs a binary from 2.0 on, and the newest is {BINARY}"),
        ({}, NEW, f"the binaries that are new enough need assets from {NEW} on"),
        ({"min_binary": "1.0.0"}, NEW, f"the binaries that are new enough need assets from {NEW} on"),
    ],
)
def test_an_unreachable_release_says_why(fields: Document, minimum: str, reason: str) -> None:
    manifest = sample({OLD: release("9", **fields)}, binaries={"0.9": {}, BINARY: {"min_assets": minimum}})
    if not fields:
        manifest = sample({OLD: release("9")}, binaries={BINARY: {"min_assets": minimum}})
    assert Tracks.of(manifest).unreachable() == (Unreachable(Version(OLD), reason),)


def test_a_release_that_only_a_deprecated_binary_can_use_is_reachable() -> None:
    binaries = {"1.0": {"deprecated": True}, "2.0": {"min_assets": NEW}}
    assert Tracks.of(sample({OLD: release("9"), NEW: release("10")}, binaries=binaries)).unreachable() == ()


@pytest.mark.parametrize("fields", [{"deprecated": True}, {"arches": {"x86_64": boot_set("a", "vmlinuz")}}])
def test_a_release_that_nobody_may_use_is_not_called_unreachable(fields: Document) -> None:
    assert Tracks.of(sample({FIRST: {**release(), "min_binary": "9", **fields}})).unreachable() == ()


def test_an_arch_of_deprecated_releases_only_is_given_up_unless_all_are() -> None:
    given_up = {FIRST: both("a", deprecated=True), OLD: {"arches": {"riscv64": boot_set("b", "vmlinuz")}}}
    assert arches_to_serve(sample(given_up)) == ("arm64", "x86_64")
    assert arches_to_serve(sample({**given_up, NEW: release("c")})) == ("x86_64",)
    assert [str(one.version) for one in Tracks.of(sample(given_up)).unserved("arm64")] == [BINARY]
    assert arches_to_serve(sample({})) == ()


def test_without_a_binary_nothing_is_unreachable() -> None:
    assert Tracks.of(sample({FIRST: release(min_binary="9")}, binaries={})).unreachable() == ()


def test_only_binaries_in_force_are_unserved() -> None:
    binaries = {"1.0": {"deprecated": True}, "1.1": {}, "2.0": {}}
    manifest = sample({FIRST: both("a", min_binary="2.0"), OLD: release("b", min_binary="1.1")}, binaries=binaries)
    assert [str(one.version) for one in Tracks.of(manifest).unserved("x86_64")] == []
    assert [str(one.version) for one in Tracks.of(manifest).unserved("arm64")] == ["1.1"]


def test_a_cut_keeps_the_current_release_and_what_the_rows_get_before_newer_ones() -> None:
    releases: dict[str, Any] = {f"2026.0415.{patch}": release(str(patch), min_binary="9") for patch in range(1, 9)}
    releases["2026.0415.2"] = release("2")
    manifest = sample(releases, current="2026.0415.4")
    assert [str(one.version) for one in matrix(manifest, "x86_64").cut(1, 3).releases] == [
        "2026.0415.8",
        "2026.0415.4",
        "2026.0415.2",
    ]


def test_ten_thousand_binaries_and_releases_are_not_compared_each_with_each() -> None:
    one = sample(binaries={})
    arches = one.releases[Version(FIRST)].arches
    versions = [Version(f"2026.{number}") for number in range(1, 10_001)]
    manifest = one._replace(
        releases={version: AssetRelease(version, arches, min_binary=version) for version in versions},
        binaries={version: BinaryRelease(version, min_assets=version) for version in versions},
    )
    begin = process_time()
    tracks = Tracks.of(manifest)
    assert tracks.served("x86_64") == {version: version for version in versions}
    assert (tracks.unreachable(), tracks.unserved("x86_64")) == ((), ())
    assert process_time() - begin < 5, "each with each takes a minute, a sweep a tenth of a second"
