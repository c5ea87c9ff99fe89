import json
import os
import shutil
from pathlib import Path

import pytest

from bitproof.assets.verify import check, verify
from bitproof.errors import InputError, UnavailableError
from bitproof.model.report import Finding, Report, Verdict
from tests.assets.layouts import build, fill, installed, recorded, stored, write_manifest
from tests.evidence import refusal
from tests.model.samples import FIRST, NAMES, boot_set, document, hex_of, release

DEV_FIX = "repacked since it was recorded: bitproof assets manifest; else bitproof assets build"


def verdicts(report: Report) -> list[Verdict]:
    return [finding.verdict for finding in report.findings]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    installed(tmp_path / "assets", tmp_path / "store")
    return tmp_path / "store"


def test_what_is_as_pinned_is_ok_in_both_layouts(tmp_path: Path, base: Path) -> None:
    for place in (tmp_path / "assets", base):
        told: list[int] = []
        report = verify(place, ["x86_64"], told.append)
        assert (report.ok, len(report.findings)) == (True, 3)
        assert sum(told) == sum(len(name) + 1 for name in NAMES)


def test_one_flipped_byte_with_its_times_put_back_is_drift_with_both_digests(base: Path) -> None:
    path = base / stored("a")[2]
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"vmlinuzA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    report = verify(base, ["x86_64"])
    assert report.findings[0] == Finding(
        name="vmlinuz",
        verdict=Verdict.DRIFTED,
        path=str(path),
        expected=f"blake3:{hex_of('vmlinuza')}",
        found=f"blake3:{hex_of('vmlinuzA')}",
        detail="same size: changed or rotten",
        fix="bitproof assets install",
    )
    assert verdicts(report)[1:] == [Verdict.OK, Verdict.OK]


def test_a_truncated_file_says_its_size_and_how_to_mend_a_dev_layout(tmp_path: Path) -> None:
    recorded(tmp_path)
    (tmp_path / "x86_64/initrd.img").write_bytes(b"init")
    finding = verify(tmp_path, ["x86_64"]).findings[1]
    assert (finding.verdict, finding.detail, finding.fix) == (
        Verdict.DRIFTED,
        "4 bytes, the manifest says 11",
        DEV_FIX,
    )


def test_a_missing_file_is_missing_and_no_mismatch(base: Path) -> None:
    path = base / stored("a")[2]
    path.unlink()
    told: list[int] = []
    assert verify(base, ["x86_64"], told.append).findings[0] == Finding(
        name="vmlinuz",
        verdict=Verdict.MISSING,
        path=str(path),
        expected=f"blake3:{hex_of('vmlinuza')}",
        fix="bitproof assets install",
    )
    assert sum(told) == sum(len(name) + 1 for name in NAMES)


def test_a_file_that_is_a_symlink_fails_and_the_others_are_still_read(base: Path, tmp_path: Path) -> None:
    path = base / stored("a")[2]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    report = verify(base, ["x86_64"])
    assert verdicts(report) == [Verdict.FAILED, Verdict.OK, Verdict.OK]
    assert (report.findings[0].detail, report.findings[0].fix) == ("the asset is a symlink", "bitproof assets install")
    assert not report.ok


def test_files_of_other_releases_in_force_are_read_when_they_are_there(tmp_path: Path) -> None:
    releases = {
        FIRST: release("a"),
        "2026.0415.2": release("b"),
        "2026.0415.3": release("c", deprecated=True),
        "2026.0415.4": release("d", "arm64"),
    }
    write_manifest(tmp_path, document(releases))
    fill(tmp_path, "a", "c")
    assert len(verify(tmp_path, ["x86_64"]).findings) == 3
    fill(tmp_path, "b")
    (tmp_path / stored("b")[2]).write_bytes(b"vmlinuz?")
    report = verify(tmp_path, ["x86_64"])
    assert verdicts(report) == [Verdict.OK] * 3 + [Verdict.DRIFTED] + [Verdict.OK] * 2


def test_the_same_file_is_read_once_for_two_arches(tmp_path: Path) -> None:
    installed(tmp_path / "assets", tmp_path / "store", "a", "arm64", "x86_64")
    assert len(verify(tmp_path / "store", ["arm64", "x86_64"]).findings) == 3
    assert len(verify(tmp_path / "assets", ["arm64", "x86_64"]).findings) == 6


@pytest.mark.parametrize("dev", [True, False])
def test_no_release_for_an_arch_is_never_an_empty_success(tmp_path: Path, dev: bool) -> None:
    write_manifest(tmp_path, document())
    if dev:
        build(tmp_path, "a", "arm64")
    assert refusal(InputError, lambda: verify(tmp_path, ["arm64"])) == (
        "no release in force has a boot set for arm64\n"
        f"  where:    {tmp_path}/manifest.json\n"
        "  fix:      build and record it: bitproof assets build --arch arm64"
    )


def test_without_a_manifest_nothing_is_verified(tmp_path: Path) -> None:
    build(tmp_path)
    assert refusal(UnavailableError, lambda: verify(tmp_path, ["x86_64"])) == (
        "the manifest cannot be opened\n"
        f"  where:    {tmp_path}/manifest.json\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_two_digests_with_one_hash_name_are_an_error(tmp_path: Path) -> None:
    found = document({FIRST: release("a"), "2026.0415.2": release("a")})
    other = hex_of("vmlinuza")[:16] + "0" * 48
    found["assets"]["releases"]["2026.0415.2"]["arches"]["x86_64"]["vmlinuz"]["hash"] = other
    write_manifest(tmp_path, found)
    assert refusal(InputError, lambda: verify(tmp_path, ["x86_64"])) == (
        "two digests share one hash name\n"
        f"  where:    vmlinuz-{other[:16]}\n"
        f"  expected: blake3:{hex_of('vmlinuza')}\n"
        f"  found:    blake3:{other}"
    )


def test_check_passes_what_was_recorded(tmp_path: Path) -> None:
    recorded(tmp_path)
    report = check(tmp_path / "manifest.json")
    assert (report.ok, len(report.findings)) == (True, 1 + 2 + 3 + 3 + 1)
    assert report.findings[0].found == "format 2, every field as it should be"


def test_check_reports_a_current_without_a_release_and_half_a_boot_set(tmp_path: Path) -> None:
    found = document({FIRST: {"arches": {"x86_64": boot_set("a", "vmlinuz")}}}, current="2030.0101.1")
    write_manifest(tmp_path, found)
    report = check(tmp_path / "manifest.json")
    assert [(one.name, one.detail, one.expected) for one in report.findings if one.verdict is Verdict.FAILED] == [
        ("assets.current", "2030.0101.1 names no release", FIRST),
        (f"{FIRST} x86_64", "no complete boot set", "vmlinuz, initrd.img and a rootfs"),
    ]


def test_check_compares_the_sums_and_sizes_beside_the_manifest(tmp_path: Path) -> None:
    recorded(tmp_path)
    sums = (tmp_path / "B3SUMS").read_text()
    (tmp_path / "B3SUMS").write_text(sums.replace(hex_of("vmlinuza"), "0" * 64) + f"{'1' * 64}  arm64/vmlinuz\n")
    (tmp_path / "x86_64/initrd.img").write_bytes(b"x")
    drifted = [one for one in check(tmp_path / "manifest.json").findings if one.verdict is not Verdict.OK]
    sums_path = str(tmp_path / "B3SUMS")
    fix = "bitproof assets manifest"
    assert drifted == [
        Finding(
            name="B3SUMS arm64/vmlinuz", verdict=Verdict.DRIFTED, path=sums_path, found=f"blake3:{'1' * 64}", fix=fix
        ),
        Finding(
            name="B3SUMS x86_64/vmlinuz",
            verdict=Verdict.DRIFTED,
            path=sums_path,
            expected=f"blake3:{hex_of('vmlinuza')}",
            found=f"blake3:{'0' * 64}",
            fix=fix,
        ),
        Finding(
            name="x86_64/initrd.img",
            verdict=Verdict.DRIFTED,
            path=f"{tmp_path}/x86_64/initrd.img",
            expected="11 bytes",
            found="1 bytes",
            fix=DEV_FIX,
        ),
    ]


def test_check_does_not_miss_sums_of_an_arch_that_is_not_built_here(tmp_path: Path) -> None:
    recorded(tmp_path, "a", "arm64", "x86_64")
    lines = (tmp_path / "B3SUMS").read_text().splitlines(keepends=True)
    (tmp_path / "B3SUMS").write_text("".join(line for line in lines if "arm64" not in line))
    shutil.rmtree(tmp_path / "arm64")
    report = check(tmp_path / "manifest.json")
    assert report.ok
    assert [one.name for one in report.findings if one.name.startswith("B3SUMS arm64")] == []


@pytest.mark.parametrize("left_out", ["initrd.img", "x86_64/"])
def test_check_misses_the_sum_of_a_file_that_is_there(tmp_path: Path, left_out: str) -> None:
    recorded(tmp_path, "a", "arm64", "x86_64")
    lines = (tmp_path / "B3SUMS").read_text().splitlines(keepends=True)
    kept = [line for line in lines if left_out not in line]
    (tmp_path / "B3SUMS").write_text("".join(kept))
    report = check(tmp_path / "manifest.json")
    missing = [one for one in report.findings if one.verdict is not Verdict.OK]
    assert len(missing) == len(lines) - len(kept)
    assert missing[0] == Finding(
        name=f"B3SUMS {'arm64/initrd.img' if left_out == 'initrd.img' else 'x86_64/initrd.img'}",
        verdict=Verdict.MISSING,
        path=str(tmp_path / "B3SUMS"),
        expected=f"blake3:{hex_of('initrd.imga')}",
        fix="bitproof assets manifest",
    )


def test_check_refuses_sums_it_cannot_read(tmp_path: Path) -> None:
    recorded(tmp_path)
    (tmp_path / "B3SUMS").write_text("# sums\n")
    assert refusal(InputError, lambda: check(tmp_path / "manifest.json")) == (
        "the checksums are not usable\n"
        f"  where:    {tmp_path}/B3SUMS\n"
        "  - line 1: not a checksum: expected 64 hex digits, two spaces, a relative path"
    )


def test_check_finds_nothing_to_compare_where_only_the_manifest_is(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(document()))
    assert [one.name for one in check(tmp_path / "manifest.json").findings] == ["format", "releases", "binaries"]
