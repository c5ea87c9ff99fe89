import os
import shutil
import tempfile
from pathlib import Path

import pytest

from bitproof.assets.resolve import BootSet, resolve, resolve_in
from bitproof.assets.store import Mode, find_place, load_manifest
from bitproof.errors import InputError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.digest import Digest
from bitproof.model.names import hash_name
from bitproof.model.version import Version
from tests.assets.layouts import build, fill, installed, recorded, stored, write_manifest
from tests.evidence import refusal
from tests.model.samples import BINARY, FIRST, NAMES, SEED, boot_set, document, hex_of, release

BIN = Version(BINARY)


def paths(found: BootSet) -> list[Path]:
    return [found.kernel, found.initrd, found.rootfs]


def test_the_seeds_sample_resolves_to_the_seeds_names(tmp_path: Path) -> None:
    shutil.copy(SEED, tmp_path)
    names = ["vmlinuz-2c0bd752db929642", "initrd-e5e910e9ab38b873.img", "rootfs-89eb92b83534d9d0.squashfs"]
    for name in names:
        (tmp_path / name).touch()
    found = resolve(tmp_path, BIN, "arm64")
    assert paths(found) == [tmp_path / name for name in names]
    assert (found.asset_version, found.mode, found.reason) == (FIRST, Mode.INSTALLED, "it is assets.current, and fits")
    assert found.document() == {
        "asset_version": FIRST,
        "binary_version": BINARY,
        "arch": "arm64",
        "mode": "installed",
        "manifest": f"{tmp_path}/manifest.json",
        "kernel": f"{tmp_path}/{names[0]}",
        "initrd": f"{tmp_path}/{names[1]}",
        "rootfs": f"{tmp_path}/{names[2]}",
    }


def test_the_seeds_sample_resolves_to_logical_names_in_a_dev_layout(tmp_path: Path) -> None:
    shutil.copy(SEED, tmp_path)
    build(tmp_path, "a", "arm64")
    found = resolve(tmp_path, BIN, "arm64")
    assert paths(found) == [tmp_path / "arm64" / name for name in NAMES]
    assert (found.asset_version, found.mode) == ("dev", Mode.DEV)
    assert found.reason == f"{tmp_path}/arm64 has the logical names of a dev layout"
    assert found.document()["mode"] == "dev"
    assert found.pins is not None
    assert found.pins.kernel.digest.hash16 == "2c0bd752db929642"
    assert found.pins.source == f"{tmp_path}/manifest.json"


def test_paths_and_pins_come_from_one_release(tmp_path: Path) -> None:
    releases = {FIRST: release("a"), "2026.0416.1": release("b", min_binary="2.0")}
    write_manifest(tmp_path, document(releases, current="2026.0416.1"))
    fill(tmp_path, "a", "b")
    for binary, tag, version in ((BINARY, "a", FIRST), ("2.0.1", "b", "2026.0416.1")):
        found = resolve(tmp_path, Version(binary), "x86_64")
        assert sorted(path.name for path in paths(found)) == stored(tag)
        assert found.asset_version == version
        assert found.pins is not None
        assert found.pins.kernel.digest.value == hex_of(f"vmlinuz{tag}")
    assert list(map(str, resolve(tmp_path, BIN, "x86_64").rejected)) == ["2026.0416.1: needs a binary from 2.0 on"]


def test_nothing_that_fits_is_an_error_although_current_is_there(tmp_path: Path) -> None:
    write_manifest(tmp_path, document({FIRST: release("a", deprecated=True)}))
    fill(tmp_path, "a")
    assert refusal(InputError, lambda: resolve(tmp_path, BIN, "x86_64")).splitlines()[3] == f"  - {FIRST}: deprecated"


def test_without_a_binary_version_it_is_the_manifests(tmp_path: Path) -> None:
    write_manifest(tmp_path, document())
    fill(tmp_path, "a")
    assert resolve(tmp_path, None, "x86_64").binary_version == BIN


def test_a_dev_layout_without_a_manifest_has_no_pins(tmp_path: Path) -> None:
    build(tmp_path)
    found = resolve(tmp_path, BIN, "x86_64")
    assert (paths(found), found.pins) == ([tmp_path / "x86_64" / name for name in NAMES], None)
    assert refusal(InputError, lambda: resolve(tmp_path, None, "x86_64")) == (
        f"no binary version is known\n  where:    {tmp_path}/manifest.json\n  fix:      name one with --binary-version"
    )


def test_a_dev_layout_whose_manifest_lacks_the_arch_has_no_pins(tmp_path: Path) -> None:
    recorded(tmp_path)
    build(tmp_path, "a", "arm64")
    assert resolve(tmp_path, None, "arm64").pins is None


def test_a_bad_manifest_never_switches_to_dev_mode(tmp_path: Path) -> None:
    sentence = (
        "the manifest says no format\n"
        f"  where:    {tmp_path}/manifest.json\n"
        "  expected: this version of bitproof reads format 2"
    )
    (tmp_path / "manifest.json").write_bytes(b"{}")
    assert refusal(InputError, lambda: resolve(tmp_path, BIN, "x86_64")) == sentence
    build(tmp_path)
    assert refusal(InputError, lambda: resolve(tmp_path, BIN, "x86_64")) == sentence


def test_a_manifest_over_16_mib_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 40)
    assert refusal(InputError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        f"the file is too large\n  where:    {tmp_path}/manifest.json\n  expected: at most 16777216 bytes"
    )


def test_a_store_without_a_manifest_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        "the manifest cannot be opened\n"
        f"  where:    {tmp_path}/manifest.json\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_a_directory_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: resolve(tmp_path / "x", BIN, "x86_64")) == (
        "the assets directory cannot be opened\n"
        f"  where:    {tmp_path}/x\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_all_missing_files_of_a_store_are_named_at_once_and_are_no_mismatch(tmp_path: Path) -> None:
    write_manifest(tmp_path, document())
    kernel, initrd, rootfs = (tmp_path / hash_name(name, Digest("blake3", hex_of(name + "a"))) for name in NAMES)
    initrd.write_bytes(b"initrd.imga")
    assert refusal(UnavailableError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        f"2 assets are missing\n  where:    {kernel}, {rootfs}\n  fix:      bitproof assets install"
    )
    kernel.touch()
    assert refusal(UnavailableError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        f"an asset is missing\n  where:    {rootfs}\n  fix:      bitproof assets install"
    )


def test_all_missing_files_of_a_dev_layout_are_named_at_once(tmp_path: Path) -> None:
    build(tmp_path)
    for name in NAMES[1:]:
        (tmp_path / "x86_64" / name).unlink()
    assert refusal(UnavailableError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        "2 assets are missing\n"
        f"  where:    {tmp_path}/x86_64/initrd.img, {tmp_path}/x86_64/rootfs.squashfs\n"
        "  fix:      bitproof assets build --arch x86_64"
    )


def test_a_layout_that_is_said_to_be_dev_never_passes_for_a_store(tmp_path: Path) -> None:
    recorded(tmp_path)
    assert refusal(UnavailableError, lambda: resolve(tmp_path, BIN, "arm64", dev=True)) == (
        "3 assets are missing\n"
        f"  where:    {tmp_path}/arm64/vmlinuz, {tmp_path}/arm64/initrd.img, {tmp_path}/arm64/rootfs.squashfs\n"
        "  fix:      bitproof assets build --arch arm64"
    )


def test_two_rootfs_in_a_dev_layout_are_refused(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "x86_64/rootfs.erofs").touch()
    assert refusal(InputError, lambda: resolve(tmp_path, BIN, "x86_64")) == (
        "more than one rootfs\n"
        f"  where:    {tmp_path}/x86_64\n"
        "  expected: one\n"
        "  found:    rootfs.squashfs, rootfs.erofs"
    )


def test_a_dev_layout_may_have_an_erofs(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "x86_64/rootfs.squashfs").rename(tmp_path / "x86_64/rootfs.erofs")
    assert resolve(tmp_path, BIN, "x86_64").rootfs.name == "rootfs.erofs"


def test_hash_names_below_the_arch_are_read_and_flat_wins(tmp_path: Path) -> None:
    write_manifest(tmp_path, document())
    fill(tmp_path / "x86_64", "a")
    assert {path.parent for path in paths(resolve(tmp_path, BIN, "x86_64"))} == {tmp_path / "x86_64"}
    kernel = stored("a")[2]
    (tmp_path / kernel).touch()
    assert resolve(tmp_path, BIN, "x86_64").kernel == tmp_path / kernel
    assert resolve(tmp_path, BIN, "x86_64").initrd.parent == tmp_path / "x86_64"


def test_flat_files_are_a_dev_layout_of_the_arch_unknown(tmp_path: Path) -> None:
    build(tmp_path, "a", ".")
    found = resolve(tmp_path, BIN, "unknown")
    assert (found.mode, paths(found)) == (Mode.DEV, [tmp_path / name for name in NAMES])
    assert find_place(tmp_path, "x86_64").mode is Mode.INSTALLED


def test_a_home_that_is_a_symlink_gives_paths_of_one_tree(tmp_path: Path) -> None:
    installed(tmp_path / "assets", tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    found = resolve(tmp_path / "link", BIN, "x86_64")
    assert {path.parent for path in [*paths(found), found.manifest]} == {tmp_path / "real"}


@pytest.mark.parametrize("arch", ["../x86_64", "", "/etc", "a" * 300, "x\0"])
def test_an_arch_that_is_no_name_never_leads_out_of_the_store(tmp_path: Path, arch: str) -> None:
    build(tmp_path)
    (tmp_path / "base").mkdir()
    sentence = refusal(InputError, lambda: resolve(tmp_path / "base", BIN, arch))
    shown = repr(arch) if len(arch) < 80 else f"'{'a' * 78}…"
    assert sentence == (
        f"not an arch: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found {shown}"
    )


def test_a_manifest_at_hand_is_used_instead_of_the_stores(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    build(tmp_path / "dev")
    manifest = AssetManifest.read(document())
    assert sorted(path.name for path in paths(resolve_in(manifest, tmp_path, BIN, "x86_64"))) == stored("a")
    assert resolve_in(manifest, tmp_path / "dev", BIN, "x86_64").mode is Mode.DEV


def test_a_directory_that_may_not_be_searched_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path / "d" / "base", document({FIRST: {"arches": {"x86_64": boot_set("a")}}}))
    assert load_manifest(tmp_path / "d/base/manifest.json").current == Version(FIRST)
    build(tmp_path / "d" / "base")
    (tmp_path / "d/base").chmod(0o755)
    (tmp_path / "d/base/x86_64").chmod(0o600)
    ours = Path(tempfile.gettempdir())
    for directory in (tmp_path, *(parent for parent in tmp_path.parents if ours in parent.parents)):
        directory.chmod(0o755)
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        sentence = refusal(UnavailableError, lambda: resolve(tmp_path / "d/base", BIN, "x86_64"))
    finally:
        os.seteuid(user)
    assert sentence == (
        "the file cannot be examined\n"
        f"  where:    {tmp_path}/d/base/x86_64/vmlinuz\n"
        "  found:    Permission denied\n"
        "  fix:      check the permissions"
    )
