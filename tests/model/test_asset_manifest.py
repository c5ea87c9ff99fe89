import json

import pytest

from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest, BootPins, PinnedFile
from bitproof.model.decode import MAX_JSON
from bitproof.model.digest import Digest
from bitproof.model.names import hash_name
from bitproof.model.version import Version
from tests.model.samples import BINARY, FIRST, NAMES, SEED, boot_set, document, hex_of, read, release, sample


def test_the_seeds_sample_is_read() -> None:
    manifest = AssetManifest.parse(SEED.read_bytes())
    assert (str(manifest.current), str(manifest.current_binary)) == (FIRST, BINARY)
    found = manifest.releases[Version(FIRST)]
    assert (found.date, found.deprecated, found.min_binary) == ("2026-04-15", False, Version("1.0.0"))
    binary = manifest.binaries[Version(BINARY)]
    assert (binary.date, binary.deprecated, binary.min_assets) == ("2026-04-15", False, Version(FIRST))
    assets = found.boot_assets("arm64")
    assert assets is not None
    assert [asset.size for asset in assets] == [7797248, 2270154, 454230016]
    assert [hash_name(asset.name, asset.digest) for asset in assets] == [
        "vmlinuz-2c0bd752db929642",
        "initrd-e5e910e9ab38b873.img",
        "rootfs-89eb92b83534d9d0.squashfs",
    ]


def test_the_seeds_sample_is_printed_as_it_was() -> None:
    assert AssetManifest.parse(SEED.read_bytes()).to_bytes() == SEED.read_bytes()


def test_a_manifest_too_large_to_be_read_again_is_not_printed() -> None:
    size = len(AssetManifest.read({**document(), "note": ""}).to_bytes()) + MAX_JSON
    manifest = AssetManifest.read({**document(), "note": "x" * MAX_JSON})
    with pytest.raises(InputError) as caught:
        manifest.to_bytes()
    assert str(caught.value) == (
        "the manifest has become too large to be read again; nothing was written\n"
        "  expected: at most 16777216 bytes\n"
        f"  found:    {size} bytes\n"
        "  fix:      take old releases that nobody runs any more out of it"
    )


def test_optional_fields_default() -> None:
    manifest = sample(binaries={BINARY: {"min_assets": ""}})
    found, binary = manifest.releases[Version(FIRST)], manifest.binaries[Version(BINARY)]
    assert (found.date, found.deprecated, found.min_binary) == ("", False, None)
    assert (binary.date, binary.deprecated, binary.min_assets) == ("", False, None)
    asset = found.arches["x86_64"]["vmlinuz"]
    assert (asset.name, asset.size, asset.sha256) == ("vmlinuz", 8, None)


def test_releases_are_in_version_order_whatever_the_order_of_the_file() -> None:
    versions = ["2026.0415.10", "2026.0415.9", FIRST]
    manifest = sample({version: release(version) for version in versions})
    assert [str(version) for version in manifest.releases] == [FIRST, "2026.0415.9", "2026.0415.10"]
    assert list(manifest.document["assets"]["releases"]) == versions


@pytest.mark.parametrize("spelling", [hex_of("x").upper(), f"blake3:{hex_of('x')}", f"BLAKE3:{hex_of('x').upper()}"])
def test_an_upper_case_or_tagged_digest_is_the_same_value_and_written_bare(spelling: str) -> None:
    found = document()
    found["assets"]["releases"][FIRST]["arches"]["x86_64"]["vmlinuz"]["hash"] = spelling
    manifest = read(found)
    assert manifest.releases[Version(FIRST)].arches["x86_64"]["vmlinuz"].digest == Digest("blake3", hex_of("x"))
    assert f'"hash": "{hex_of("x")}"'.encode() in manifest.to_bytes()


def test_a_sha256_beside_the_hash_is_read() -> None:
    found = document()
    found["assets"]["releases"][FIRST]["arches"]["x86_64"]["vmlinuz"]["sha256"] = "ab" * 32
    assert read(found).releases[Version(FIRST)].arches["x86_64"]["vmlinuz"].sha256 == Digest("sha256", "ab" * 32)


def test_unknown_fields_and_key_order_survive_at_every_level() -> None:
    found = document()
    entry = found["assets"]["releases"][FIRST]
    for level in (found, found["assets"], entry, entry["arches"]["x86_64"]["vmlinuz"], found["binaries"]):
        level["zz"] = {"é": [1.5, None, 1 << 70]}
        level["aa"] = "x"
    assert json.loads(read(found).to_bytes()) == found
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    assert read(found).to_bytes().decode() == text


def test_pins_are_those_of_the_release() -> None:
    found = sample().releases[Version(FIRST)].pins("x86_64", "there")
    kernel, initrd, rootfs = (PinnedFile(name, Digest("blake3", hex_of(name + "a")), len(name) + 1) for name in NAMES)
    assert found == BootPins(kernel, initrd, rootfs, "there")


@pytest.mark.parametrize("missing", NAMES)
def test_a_boot_set_is_all_three(missing: str) -> None:
    names = [name for name in NAMES if name != missing]
    found = sample({FIRST: {"arches": {"x86_64": boot_set("a", *names)}}}).releases[Version(FIRST)]
    assert found.boot_assets("x86_64") is None
    assert found.pins("x86_64", "there") is None
    assert found.boot_assets("arm64") is None


def test_sizes_from_zero_to_a_tebibyte_are_read() -> None:
    found = document()
    boot = found["assets"]["releases"][FIRST]["arches"]["x86_64"]
    boot["vmlinuz"]["size"], boot["initrd.img"]["size"] = 0, 2**40
    assert [asset.size for asset in read(found).releases[Version(FIRST)].arches["x86_64"].values()][:2] == [0, 2**40]


def test_the_files_of_a_binary_survive() -> None:
    files = [{"name": "pkg.tar", "size": 1, "sha256": "AB" * 32, "extra": 1}]
    manifest = sample(binaries={BINARY: {"files": files, "version": "1.0"}})
    assert manifest.document["binaries"]["releases"][BINARY]["files"] == files


def test_a_current_that_names_no_release_is_read() -> None:
    assert str(sample(current="2030.0101.1").current) == "2030.0101.1"
