import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bitproof.assets.record import layout_size, record, scan
from bitproof.errors import InputError, IntegrityError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.decode import MAX_JSON
from bitproof.model.hash_tree import SALT, find_verity
from bitproof.model.version import Version
from bitproof.system.digest_cache import CACHE_NAME
from bitproof.system.files import Directory
from tests.assets.layouts import NOW, build, recorded
from tests.evidence import names_in, refusal, tree
from tests.model.samples import NAMES, hex_of
from tests.model.trees import blocks, with_tree
from tests.system.test_digest_cache import quiet

FIX = "\n  fix:      bitproof assets build"


def refused(assets: Path) -> str:
    """The message of a recording that changes nothing on disk."""
    before = tree(assets)
    with Directory(assets) as directory:
        sentence = refusal(InputError, lambda: record(directory, NOW))
    assert tree(assets) == before
    return sentence


def test_a_recording_writes_sums_and_a_manifest_with_both_digests(tmp_path: Path) -> None:
    manifest = recorded(tmp_path, "a", "x86_64", "arm64")
    assert AssetManifest.parse((tmp_path / "manifest.json").read_bytes()) == manifest
    entry = manifest.document["assets"]["releases"]["2026.0416.1"]["arches"]["arm64"]["vmlinuz"]
    sha256 = hashlib.sha256(b"vmlinuza").hexdigest()
    assert entry == {"hash": hex_of("vmlinuza"), "size": 8, "sha256": sha256}
    assert (tmp_path / "B3SUMS").read_text() == "".join(
        f"{hex_of(name + 'a')}  {arch}/{name}\n" for arch in ("arm64", "x86_64") for name in NAMES
    )


def test_b3sum_accepts_the_sums(tmp_path: Path) -> None:
    recorded(tmp_path, "a", "x86_64", "arm64")
    b3sum = shutil.which("b3sum")
    assert b3sum is not None, "apt-get install b3sum"
    done = subprocess.run([b3sum, "--check", "B3SUMS"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK\n") == 6
    (tmp_path / "arm64/vmlinuz").write_bytes(b"vmlinuzb")
    assert subprocess.run([b3sum, "--check", "B3SUMS"], cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_what_is_no_boot_file_is_left_out(tmp_path: Path) -> None:
    build(tmp_path)
    for name in ("vmlinuz.sig", "initrd.img.old", "rootfs.ext4", "key.pub"):
        (tmp_path / "x86_64" / name).write_bytes(b"x")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/vmlinuz").write_bytes(b"x")
    (tmp_path / "vmlinuz").write_bytes(b"flat, and so no asset beside an arch directory")
    with Directory(tmp_path) as directory:
        assert scan(directory) == {"x86_64": NAMES}
        assert layout_size(directory) == sum(len(name) + 1 for name in NAMES)


def test_without_an_arch_directory_flat_files_are_the_arch_unknown(tmp_path: Path) -> None:
    build(tmp_path, "a", ".")
    with Directory(tmp_path) as directory:
        manifest = record(directory, NOW).manifest
    assert list(manifest.releases[manifest.current].arches) == ["unknown"]
    assert (tmp_path / "B3SUMS").read_text().splitlines()[0] == f"{hex_of('vmlinuza')}  vmlinuz"


def test_an_arch_that_lacks_files_is_refused_and_each_is_named(tmp_path: Path) -> None:
    build(tmp_path)
    for name in NAMES[1:]:
        (tmp_path / "x86_64" / name).unlink()
    (tmp_path / "arm64").mkdir()
    assert refused(tmp_path) == (
        "the assets cannot be recorded\n"
        f"  where:    {tmp_path}\n"
        "  - arm64/vmlinuz: missing\n"
        "  - arm64/initrd.img: missing\n"
        "  - arm64/rootfs: not just one rootfs: expected rootfs.squashfs or rootfs.erofs, found none\n"
        "  - x86_64/initrd.img: missing\n"
        "  - x86_64/rootfs: not just one rootfs: expected rootfs.squashfs or rootfs.erofs, found none" + FIX
    )


def test_two_rootfs_are_refused(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "x86_64/rootfs.erofs").write_bytes(b"x")
    assert refused(tmp_path) == (
        "the assets cannot be recorded\n"
        f"  where:    {tmp_path}\n"
        "  - x86_64/rootfs: not just one rootfs: expected rootfs.squashfs or rootfs.erofs, "
        "found rootfs.squashfs and rootfs.erofs" + FIX
    )


def test_a_machine_name_is_no_arch_directory(tmp_path: Path) -> None:
    build(tmp_path, "a", "aarch64")
    assert refused(tmp_path) == (
        f"the assets cannot be recorded\n  where:    {tmp_path}\n  - aarch64: not an arch key: expected arm64" + FIX
    )


def test_nothing_to_record_is_never_a_success(tmp_path: Path) -> None:
    assert refused(tmp_path) == (
        "the assets cannot be recorded\n"
        f"  where:    {tmp_path}\n"
        "  - no arch directory and no assets: expected {arch}/vmlinuz, initrd.img and a rootfs" + FIX
    )


def test_a_symlinked_arch_directory_is_not_followed(tmp_path: Path) -> None:
    build(tmp_path / "a")
    (tmp_path / "a/current").symlink_to("x86_64")
    (tmp_path / "a/arm64").symlink_to("x86_64")
    with Directory(tmp_path / "a") as directory:
        assert list(scan(directory)) == ["x86_64"]


def test_an_asset_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "x86_64/vmlinuz").unlink()
    (tmp_path / "x86_64/vmlinuz").symlink_to("/etc/passwd")
    assert refused(tmp_path) == (
        f"the file is a symlink\n  where:    {tmp_path}/x86_64/vmlinuz\n  expected: a regular file"
    )


def test_a_manifest_that_would_be_too_large_to_read_again_changes_nothing(tmp_path: Path) -> None:
    recorded(tmp_path)
    path = tmp_path / "manifest.json"
    small = json.loads(path.read_bytes())
    note = "x" * (MAX_JSON - len(json.dumps({**small, "note": ""})))
    path.write_text(json.dumps({**small, "note": note}))
    assert path.stat().st_size == MAX_JSON
    (tmp_path / "x86_64/initrd.img").write_bytes(b"another initrd")
    before = tree(tmp_path)
    with Directory(tmp_path) as directory:
        sentence = refusal(InputError, lambda: record(directory, NOW))
    assert sentence.startswith("the manifest has become too large to be read again; nothing was written\n")
    assert {**tree(tmp_path), CACHE_NAME: None} == {**before, CACHE_NAME: None}


@pytest.mark.parametrize("bad", [b"", b"{}", b'{"format": 3}', b"\xff", b'{"format": 2, "format": 2}'])
def test_a_bad_manifest_is_an_error_and_changes_nothing(tmp_path: Path, bad: bytes) -> None:
    build(tmp_path)
    (tmp_path / "manifest.json").write_bytes(bad)
    assert f"  where:    {tmp_path}/manifest.json" in refused(tmp_path)


def test_a_manifest_that_is_a_dangling_symlink_is_an_error(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "manifest.json").symlink_to("none")
    assert refused(tmp_path) == (
        f"the manifest is a symlink\n  where:    {tmp_path}/manifest.json\n  expected: a regular file"
    )


def test_sums_that_cannot_be_written_leave_the_old_manifest(tmp_path: Path) -> None:
    recorded(tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    (tmp_path / "B3SUMS").unlink()
    (tmp_path / "B3SUMS").mkdir()
    build(tmp_path, "b")
    with Directory(tmp_path) as directory:
        assert refusal(InputError, lambda: record(directory, NOW)) == (
            f"the file is not a regular file\n  where:    {tmp_path}/B3SUMS"
        )
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]


def test_an_unchanged_layout_writes_nothing(tmp_path: Path) -> None:
    recorded(tmp_path)
    before = [(tmp_path / name).stat().st_ctime_ns for name in ("manifest.json", "B3SUMS")]
    with Directory(tmp_path) as directory:
        assert record(directory, NOW).changed is False
    assert [(tmp_path / name).stat().st_ctime_ns for name in ("manifest.json", "B3SUMS")] == before


def test_new_bytes_get_a_new_version_and_history_is_kept(tmp_path: Path) -> None:
    first = recorded(tmp_path, "a")
    second = recorded(tmp_path, "b")
    assert [str(version) for version in second.releases] == ["2026.0416.1", "2026.0416.2"]
    assert second.releases[first.current] == first.releases[first.current]
    back = recorded(tmp_path, "a")
    assert (str(back.current), len(back.releases)) == ("2026.0416.1", 2)


def test_an_arch_that_is_not_built_here_is_kept(tmp_path: Path) -> None:
    recorded(tmp_path, "a", "arm64")
    shutil.rmtree(tmp_path / "arm64")
    second = recorded(tmp_path, "b", "x86_64")
    assert set(second.releases[second.current].arches) == {"arm64", "x86_64"}
    assert "arm64" not in (tmp_path / "B3SUMS").read_text()


def test_files_whose_bytes_did_not_change_are_not_hashed_again(tmp_path: Path) -> None:
    build(tmp_path)
    for name in NAMES:
        quiet(tmp_path / "x86_64" / name)
    with Directory(tmp_path) as directory:
        record(directory, NOW)
    entries = json.loads((tmp_path / CACHE_NAME).read_bytes())
    assert list(entries) == [f"x86_64/{name}" for name in NAMES]
    entries["x86_64/vmlinuz"][-2] = "0" * 64
    (tmp_path / CACHE_NAME).write_text(json.dumps(entries))
    with Directory(tmp_path) as directory:
        manifest = record(directory, NOW).manifest
    assert manifest.releases[manifest.current].arches["x86_64"]["vmlinuz"].digest.value == "0" * 64


def test_a_repack_carries_the_pins_of_kernel_and_rootfs_unread(tmp_path: Path) -> None:
    first = recorded(tmp_path, "a")
    build(tmp_path, "b")
    with Directory(tmp_path) as directory:
        repacked = record(directory, NOW, carried={"vmlinuz", "rootfs.squashfs", "rootfs.erofs"}).manifest
    before, after = (manifest.releases[manifest.current].arches["x86_64"] for manifest in (first, repacked))
    assert (after["vmlinuz"], after["rootfs.squashfs"]) == (before["vmlinuz"], before["rootfs.squashfs"])
    assert after["initrd.img"].digest.value == hex_of("initrd.imgb")
    assert f"{hex_of('vmlinuza')}  x86_64/vmlinuz" in (tmp_path / "B3SUMS").read_text()


def test_a_pin_is_not_carried_to_a_rootfs_of_another_format(tmp_path: Path) -> None:
    recorded(tmp_path, "a")
    (tmp_path / "x86_64/rootfs.squashfs").rename(tmp_path / "x86_64/rootfs.erofs")
    with Directory(tmp_path) as directory:
        manifest = record(directory, NOW, carried={"vmlinuz", "rootfs.squashfs"}).manifest
    assert set(manifest.releases[Version("2026.0416.2")].arches["x86_64"]) == {"vmlinuz", "initrd.img", "rootfs.erofs"}


def test_progress_is_told_every_byte_once(tmp_path: Path) -> None:
    build(tmp_path)
    told: list[int] = []
    with Directory(tmp_path) as directory:
        record(directory, NOW, told.append)
        assert sum(told) == layout_size(directory)


def recorded_tree(assets: Path) -> Any:  # noqa: ANN401 - JSON
    """What a recording says of the rootfs's hash tree."""
    with Directory(assets) as directory:
        manifest = record(directory, NOW).manifest
    entry = manifest.document["assets"]["releases"][str(manifest.current)]["arches"]["x86_64"]["rootfs.squashfs"]
    return entry.get("verity")


def build_tree(assets: Path, count: int = 300) -> bytearray:
    build(assets)
    image = with_tree(blocks(count))
    (assets / "x86_64/rootfs.squashfs").write_bytes(image)
    return image


def test_a_rootfs_with_a_hash_tree_gets_its_root_hash_recorded(tmp_path: Path) -> None:
    verity = find_verity(memoryview(build_tree(tmp_path)))
    assert verity is not None
    assert recorded_tree(tmp_path) == verity.document()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_rootfs_of_whole_blocks_without_a_tree_gets_none(tmp_path: Path, count: int) -> None:
    build(tmp_path)
    (tmp_path / "x86_64/rootfs.squashfs").write_bytes(blocks(count))
    assert recorded_tree(tmp_path) is None


def test_a_tree_that_is_not_that_of_the_data_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    image = build_tree(tmp_path)
    image[7] ^= 1
    rootfs = tmp_path / "x86_64/rootfs.squashfs"
    rootfs.write_bytes(image)
    before = tree(tmp_path)
    with Directory(tmp_path) as directory:
        sentence = refusal(IntegrityError, lambda: record(directory, NOW))
    assert sentence == (
        "the rootfs ends in a hash tree that is not that of its data\n"
        f"  where:    {rootfs}\n"
        f"  expected: the tree of its first {300 * 4096} bytes\n"
        f"  found:    another block at byte {302 * 4096}\n"
        "  fix:      bitproof assets build"
    )
    assert tree(tmp_path) == before


def test_bytes_that_are_on_record_keep_their_root_hash_and_the_tree_is_not_read_again(tmp_path: Path) -> None:
    build_tree(tmp_path)
    first = recorded_tree(tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_text())
    marked = json.dumps(document).replace(SALT.hex(), "00ff")
    (tmp_path / "manifest.json").write_text(marked)
    (tmp_path / "x86_64/vmlinuz").write_bytes(b"another kernel, so another release")
    assert recorded_tree(tmp_path) == {**first, "salt": "00ff"}
