import shutil
from pathlib import Path

import pytest

import bitproof
from bitproof import AssetManifest, InputError, UnavailableError, Version, cleanup_unused_assets, install
from tests.assets.layouts import build, fill, recorded, stored, write_manifest
from tests.evidence import names_in, refusal
from tests.model.samples import BINARY, FIRST, SEED, document, hex_of, release


def test_every_public_name_is_there_and_there_are_at_most_twenty() -> None:
    assert len(bitproof.__all__) <= 20
    assert [name for name in bitproof.__all__ if getattr(bitproof, name, None) is None] == []
    assert sorted(bitproof.__all__) == bitproof.__all__
    with pytest.raises(AttributeError, match=r"^module 'bitproof' has no attribute 'nothing'$"):
        _ = bitproof.nothing


def test_a_service_installs_resolves_and_cleans_up(tmp_path: Path) -> None:
    assets, base = tmp_path / "assets", tmp_path / "base"
    recorded(assets)
    install(assets, base, ["x86_64"])
    manifest = AssetManifest.load(base / "manifest.json")
    found = manifest.resolve("1.0.5", "amd64", base)
    assert (found.arch, found.asset_version) == ("x86_64", "2026.0416.1")
    assert found.pins == manifest.expected_hashes("x86_64")._replace(source=str(base / "manifest.json"))
    fill(base, "old")
    assert [one.path for one in cleanup_unused_assets(base, manifest).removed] == stored("old")
    assert cleanup_unused_assets(str(base)).removed == ()
    assert set(stored("a")) < set(names_in(base))


def test_the_seeds_sample_has_the_seeds_hashes(tmp_path: Path) -> None:
    manifest = AssetManifest.load(str(SEED))
    pins = manifest.expected_hashes("aarch64")
    assert [pin.digest.hash16 for pin in pins[:3]] == ["2c0bd752db929642", "e5e910e9ab38b873", "89eb92b83534d9d0"]
    assert manifest.expected_hashes("arm64", FIRST) == pins
    assert manifest.expected_hashes("arm64", Version(FIRST)) == pins
    shutil.copy(SEED, tmp_path)
    build(tmp_path, "a", "arm64")
    assert manifest.resolve(BINARY, "aarch64", str(tmp_path)).asset_version == "dev"


@pytest.mark.parametrize(("arch", "version"), [("x86_64", FIRST), ("arm64", "2026.0415.2")])
def test_no_hashes_are_never_an_empty_answer(arch: str, version: str) -> None:
    manifest = AssetManifest.load(SEED)
    assert refusal(InputError, lambda: manifest.expected_hashes(arch, version)) == (
        f"the manifest has no such boot set\n  expected: assets {version} for {arch}"
    )
    assert "has no boot set for riscv64" in refusal(InputError, lambda: manifest.expected_hashes("riscv64"))


def test_a_version_that_is_none_is_refused() -> None:
    assert refusal(InputError, lambda: AssetManifest.load(SEED).expected_hashes("arm64", "")) == (
        "not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found ''"
    )


def test_a_manifest_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: AssetManifest.load(tmp_path / "x")) == (
        "the manifest cannot be opened\n"
        f"  where:    {tmp_path}/x\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_two_manifests_merge_into_one_with_the_same_verbs(tmp_path: Path) -> None:
    write_manifest(tmp_path, document({FIRST: release("a")}))
    ours = AssetManifest.load(tmp_path / "manifest.json")
    write_manifest(tmp_path, document({FIRST: release("a", "arm64")}))
    both = ours.merge(AssetManifest.load(tmp_path / "manifest.json"))
    assert both.expected_hashes("arm64").kernel.digest.value == hex_of("vmlinuza")
    assert both.expected_hashes("x86_64") == ours.expected_hashes("x86_64")
