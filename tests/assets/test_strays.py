from collections.abc import Callable
from pathlib import Path

import pytest

from bitproof.assets.store import load_manifest
from bitproof.assets.strays import stray_findings
from bitproof.assets.verify import check
from bitproof.errors import InputError, UnavailableError
from bitproof.model.names import SIDE_FILES
from bitproof.model.report import Finding, Verdict
from tests.assets.layouts import build, fill, installed, recorded, stored, write_manifest
from tests.evidence import refusal
from tests.model.samples import BINARY, FIRST, boot_set, document, release

REMOVE = "remove it, or keep it elsewhere"


def strays(base: Path) -> dict[str, tuple[str, str]]:
    """The verdict and the reason of every finding, by its name."""
    findings = stray_findings(base, load_manifest(base / "manifest.json"))
    return {finding.name: (str(finding.verdict), finding.detail or finding.found) for finding in findings}


NONE = {"files": ("ok", "nothing that does not belong here")}
IN_LAYOUT = ("drifted", "does not belong in a dev layout")
IN_STORE = ("drifted", "does not belong in a store")
UNLISTED = ("drifted", f"an image that assets.current {FIRST} does not list")
REMOVABLE = ("ok", "bitproof assets cleanup removes it")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    recorded(tmp_path / "assets")
    write_manifest(tmp_path / "assets", document())
    return tmp_path / "assets"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    base = tmp_path / "store"
    write_manifest(base, document({FIRST: release("a"), "2026.0415.2": release("b", deprecated=True)}))
    fill(base, "a")
    return base


def put(base: Path, *names: str) -> None:
    for name in names:
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_bytes(b"x")


def test_what_bitproof_writes_belongs(tmp_path: Path) -> None:
    installed(tmp_path / "assets", tmp_path / "store")
    assert (strays(tmp_path / "assets"), strays(tmp_path / "store")) == (NONE, NONE)


def test_a_stray_says_what_it_is_and_what_to_do(layout: Path) -> None:
    put(layout, "notes.txt")
    assert stray_findings(layout, load_manifest(layout / "manifest.json")) == (
        Finding(
            name="notes.txt",
            verdict=Verdict.DRIFTED,
            path=str(layout / "notes.txt"),
            detail=IN_LAYOUT[1],
            fix=REMOVE,
        ),
    )


def test_side_files_dot_files_and_signatures_belong_in_both(layout: Path, store: Path) -> None:
    for base in (layout, store):
        put(base, ".note", "manifest.json.minisig", "release.pub", "x86_64/.initrd-base", "x86_64/vmlinuz.sig")
    put(layout, "B3SUMS.asc", *(f"x86_64/{name}" for name in SIDE_FILES))
    put(store, "keep", f"{stored('a')[0]}.sig")
    (store / "keep").write_text("# nothing\n")
    assert (strays(layout), strays(store)) == (NONE, NONE)


def test_a_layout_has_no_room_for_other_names(layout: Path) -> None:
    put(layout, "keep", "vmlinuz-0123456789abcdef", "x86_64/initrd.img.old", "x86_64/manifest.json", "old/vmlinuz")
    (layout / "current").symlink_to("x86_64")
    (layout / "arm64").mkdir()
    expected = ["current", "keep", "old", "vmlinuz-0123456789abcdef", "x86_64/initrd.img.old", "x86_64/manifest.json"]
    assert strays(layout) == dict.fromkeys(expected, IN_LAYOUT)


def test_an_image_that_is_not_recorded_is_to_be_recorded_or_removed(layout: Path) -> None:
    build(layout, "a", "arm64")
    put(layout, "x86_64/rootfs.erofs", "vmlinuz")
    expected = ["arm64/initrd.img", "arm64/rootfs.squashfs", "arm64/vmlinuz", "vmlinuz", "x86_64/rootfs.erofs"]
    assert strays(layout) == dict.fromkeys(expected, UNLISTED)
    fixes = {finding.fix for finding in stray_findings(layout, load_manifest(layout / "manifest.json"))}
    assert fixes == {"record it: bitproof assets manifest"}


def test_where_current_names_no_release_every_image_may_belong(layout: Path) -> None:
    write_manifest(layout, document(current="2030.0101.1"))
    put(layout, "x86_64/rootfs.erofs")
    assert strays(layout) == NONE


def test_a_flat_layout_belongs_to_the_unknown_arch(tmp_path: Path) -> None:
    write_manifest(tmp_path, document({FIRST: release("a", "unknown")}))
    put(tmp_path, "vmlinuz", "initrd.img", "rootfs.squashfs", SIDE_FILES[0], "B3SUMS")
    assert strays(tmp_path) == NONE
    put(tmp_path, "bzImage")
    assert strays(tmp_path) == {"bzImage": IN_LAYOUT}


def test_a_store_has_no_room_for_other_names(store: Path) -> None:
    names = ["B3SUMS", "notes.txt", "other", "v1.txt", "vmlinuz", "x86_64/x-0123456789ABCDEF"]
    put(store, "B3SUMS", "notes.txt", "other/x", "v1.txt", "vmlinuz", "x86_64/x-0123456789ABCDEF")
    assert strays(store) == dict.fromkeys(names, IN_STORE)


def test_what_cleanup_removes_is_told_and_no_fault(store: Path) -> None:
    fill(store, "b")
    put(store, "v1/vmlinuz", ".bitproof-0123456789abcdef.tmp", "x86_64/x-0123456789abcdef")
    removable = [".bitproof-0123456789abcdef.tmp", "v1", *stored("b"), "x86_64/x-0123456789abcdef"]
    assert strays(store) == dict.fromkeys(removable, REMOVABLE)
    report = check(store / "manifest.json")
    assert (report.ok, len(report.findings)) == (True, 3 + len(removable))


def test_what_the_keep_list_names_belongs_to_a_store(store: Path) -> None:
    fill(store, "b")
    (store / "keep").write_text("2026.0415.2\n")
    assert strays(store) == NONE


def test_a_bad_keep_list_is_refused_as_cleanup_refuses_it(store: Path) -> None:
    (store / "keep").write_text("2026.0415.3\n")
    assert refusal(InputError, lambda: check(store / "manifest.json")).startswith("the keep list is not usable\n")


@pytest.mark.parametrize("name", ["manifest.json", "copy.json"])
def test_a_manifest_among_other_things_has_no_strays(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path, document())
    put(tmp_path, "README.md", "src/main.rs")
    (tmp_path / "manifest.json").rename(tmp_path / name)
    assert stray_findings(tmp_path, load_manifest(tmp_path / name)) == ()


def test_a_copy_of_a_manifest_says_nothing_of_the_files_beside_it(layout: Path) -> None:
    (layout / "manifest.json").rename(layout / "copy.json")
    assert "copy.json" not in {finding.name for finding in check(layout / "copy.json").findings}


def test_a_directory_that_is_gone_is_an_error(store: Path) -> None:
    manifest = load_manifest(store / "manifest.json")
    gone: Callable[[], object] = lambda: stray_findings(store / "gone", manifest)  # noqa: E731 - one call
    assert refusal(UnavailableError, gone).startswith("the assets directory cannot be opened\n")


def failed(base: Path) -> list[tuple[str, str, str]]:
    findings = check(base / "manifest.json").findings
    return [(one.name, one.detail, one.fix) for one in findings if one.verdict is Verdict.FAILED]


def test_check_fails_a_release_that_no_binary_can_reach_and_a_binary_that_gets_none(tmp_path: Path) -> None:
    two = {"arches": {arch: boot_set("a") for arch in ("arm64", "x86_64")}}
    releases = {FIRST: two, "2026.0415.2": release("b", min_binary="2.0")}
    binaries = {BINARY: {}, "1.1": {"min_assets": "2026.0415.2"}, "1.2": {"min_assets": "2030.1", "deprecated": True}}
    write_manifest(tmp_path, document(releases, binaries=binaries))
    see = "record a release that fits, or deprecate the binary; see bitproof assets why 1.1 --arch"
    assert failed(tmp_path) == [
        (
            "release 2026.0415.2",
            "no listed binary can reach it: needs a binary from 2.0 on, and the newest is 1.2",
            "bitproof assets deprecate 2026.0415.2; or list a binary that can use it",
        ),
        ("binary 1.1 arm64", "no release serves it", f"{see} arm64 --base {tmp_path}"),
        ("binary 1.1 x86_64", "no release serves it", f"{see} x86_64 --base {tmp_path}"),
    ]


def test_check_of_a_copy_does_not_point_at_the_manifest_beside_it(tmp_path: Path) -> None:
    write_manifest(tmp_path, document(binaries={BINARY: {"min_assets": "2030.1"}}))
    (tmp_path / "manifest.json").rename(tmp_path / "copy.json")
    assert check(tmp_path / "copy.json").findings[-1].fix.endswith(f"assets why {BINARY} --arch x86_64")


def test_check_fails_every_binary_when_all_releases_are_deprecated(tmp_path: Path) -> None:
    write_manifest(tmp_path, document({FIRST: release(deprecated=True)}))
    assert [name for name, _, _ in failed(tmp_path)] == [f"binary {BINARY} x86_64"]


@pytest.mark.parametrize("track", ["assets", "binaries"])
def test_check_of_half_a_manifest_only_fails_current(tmp_path: Path, track: str) -> None:
    found = document()
    found[track]["releases"] = {}
    write_manifest(tmp_path, found)
    assert [name for name, _, _ in failed(tmp_path)] == [f"{track}.current"]
