import json
import os
import subprocess
from pathlib import Path

import pytest

from bitproof.assets.install import install
from bitproof.assets.record import record
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME
from tests.assets.layouts import NOW, build, installed, recorded, stored
from tests.evidence import names_in, refusal, tree
from tests.model.samples import boot_set, document, hex_of

FIX = (
    "\n  fix:      changed since it was recorded: bitproof assets manifest; else build it again: bitproof assets build"
)


def differs(assets: Path, name: str, expected: str, found: str) -> str:
    return (
        "the asset is not what the manifest says\n"
        f"  where:    {assets}/x86_64/{name}\n"
        f"  expected: {expected}\n"
        f"  found:    {found}" + FIX
    )


@pytest.mark.parametrize("bytes_now", [b"vmlinuzx", b"vml", b"", b"vmlinuza and more"])
def test_a_source_that_is_not_what_was_recorded_is_refused_with_both_digests(
    assets: Path, base: Path, bytes_now: bytes
) -> None:
    install(assets, base, ["x86_64"])
    old = tree(base)
    build(assets, "b")
    recorded(assets, "b")
    (assets / "x86_64/vmlinuz").write_bytes(bytes_now)
    expected, found = f"blake3:{hex_of('vmlinuzb')}", f"blake3:{hex_of(bytes_now.decode())}"
    if len(bytes_now) != 8:
        expected, found = f"{expected}, 8 bytes", f"{found}, {len(bytes_now)} bytes"
    assert refusal(IntegrityError, lambda: install(assets, base, ["x86_64"])) == (
        differs(assets, "vmlinuz", expected, found)
    )
    assert tree(base) == old


def test_a_source_that_changes_while_it_is_copied_is_refused(assets: Path, base: Path) -> None:
    def change(_: int) -> None:
        (assets / "x86_64/initrd.img").write_bytes(b"initrd.imgx")

    expected, found = f"blake3:{hex_of('initrd.imga')}", f"blake3:{hex_of('initrd.imgx')}"
    assert refusal(IntegrityError, lambda: install(assets, base, ["x86_64"], progress=change)) == (
        differs(assets, "initrd.img", expected, found)
    )
    assert names_in(base) == sorted([LOCK_NAME, stored("a")[2]])


def test_a_source_that_grows_or_shrinks_while_it_is_copied_is_refused(assets: Path, base: Path) -> None:
    source = assets / "x86_64/vmlinuz"

    def grow(_: int) -> None:
        source.write_bytes(b"vmlinuza and more")

    expected = f"blake3:{hex_of('vmlinuza')}, 8 bytes"
    found = f"blake3:{hex_of('vmlinuza and more')}, 17 bytes"
    assert refusal(IntegrityError, lambda: install(assets, base, ["x86_64"], progress=grow)) == (
        differs(assets, "vmlinuz", expected, found)
    )
    assert names_in(base) == [LOCK_NAME]


@pytest.mark.parametrize("planted", ["symlink", "fifo"])
def test_a_source_that_is_no_regular_file_is_refused(assets: Path, base: Path, planted: str) -> None:
    source = assets / "x86_64/vmlinuz"
    source.unlink()
    source.symlink_to("/etc/passwd") if planted == "symlink" else os.mkfifo(source)
    sentences = {
        "symlink": f"the asset is a symlink\n  where:    {source}\n  expected: a regular file",
        "fifo": f"the asset is not a regular file\n  where:    {source}",
    }
    assert refusal(InputError, lambda: install(assets, base, ["x86_64"])) == sentences[planted]
    assert names_in(base) == [LOCK_NAME]


def test_missing_sources_are_all_named(assets: Path, base: Path) -> None:
    for name in ("vmlinuz", "rootfs.squashfs"):
        (assets / "x86_64" / name).unlink()
    assert refusal(UnavailableError, lambda: install(assets, base, ["x86_64"])) == (
        "2 assets are missing\n"
        f"  where:    {assets}/x86_64/vmlinuz, {assets}/x86_64/rootfs.squashfs\n"
        "  fix:      bitproof assets build --arch x86_64"
    )
    assert not base.exists()


def test_an_arch_that_the_release_lacks_is_refused(assets: Path, base: Path) -> None:
    assert refusal(InputError, lambda: install(assets, base, ["arm64"])) == (
        "assets.current 2026.0416.1 has no boot set for arm64\n"
        f"  where:    {assets}/manifest.json\n"
        "  expected: vmlinuz, initrd.img and a rootfs for arm64\n"
        "  fix:      build and record it: bitproof assets build --arch arm64"
    )
    assert not base.exists()


def collision(name: str) -> str:
    own, other = hex_of("vmlinuza"), hex_of("vmlinuza")[:16] + "0" * 48
    first, second = (own, other) if name == "own" else (other, own)
    return (
        "two digests share one hash name\n"
        f"  where:    vmlinuz-{own[:16]}\n"
        f"  expected: blake3:{first}\n"
        f"  found:    blake3:{second}"
    )


def test_two_digests_with_the_same_16_digits_are_an_error(assets: Path, base: Path) -> None:
    install(assets, base, ["x86_64"])
    before = tree(base)
    own = json.loads((assets / "manifest.json").read_bytes())
    theirs = document({"2026.0101.1": {"arches": {"arm64": boot_set("a")}}}, current="2026.0101.1")
    theirs["assets"]["releases"]["2026.0101.1"]["arches"]["arm64"]["vmlinuz"]["hash"] = (
        hex_of("vmlinuza")[:16] + "0" * 48
    )
    own["assets"]["releases"] |= theirs["assets"]["releases"]
    (assets / "manifest.json").write_text(json.dumps(own))
    assert refusal(InputError, lambda: install(assets, base, ["x86_64"])) == collision("other")
    assert tree(base) == before
    recorded(assets.with_name("other"))
    (base / "manifest.json").write_text(json.dumps(theirs))
    before = tree(base)
    assert refusal(InputError, lambda: install(assets.with_name("other"), base, ["x86_64"])) == collision("own")
    assert tree(base) == before


@pytest.mark.parametrize("where", ["assets", "home/assets"])
def test_a_bad_manifest_on_either_side_is_an_error_and_changes_nothing(tmp_path: Path, where: str) -> None:
    installed(tmp_path / "assets", tmp_path / "home/assets")
    (tmp_path / where / "manifest.json").write_bytes(b"{}")
    before = tree(tmp_path / "home/assets")
    sentence = refusal(InputError, lambda: install(tmp_path / "assets", tmp_path / "home/assets", ["x86_64"]))
    assert sentence == (
        "the manifest says no format\n"
        f"  where:    {tmp_path}/{where}/manifest.json\n"
        "  expected: this version of bitproof reads format 2"
    )
    assert tree(tmp_path / "home/assets") == before


def test_a_full_disk_leaves_no_temporary_and_the_old_manifest(assets: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    base = tmp_path / "small"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", base], check=True)
    try:
        install(assets, base, ["x86_64"])
        before = tree(base)
        (assets / "x86_64/rootfs.squashfs").write_bytes(b"x" * 200_000)
        with Directory(assets) as directory:
            record(directory, NOW)
        sentence = refusal(UnavailableError, lambda: install(assets, base, ["x86_64"]))
        assert sentence == (
            "the file cannot be written\n"
            f"  where:    {base}/rootfs-{hex_of('x' * 200_000)[:16]}.squashfs\n"
            "  found:    No space left on device\n"
            "  fix:      free some disk space and try again"
        )
        assert tree(base) == before
    finally:
        subprocess.run(["umount", base], check=True)
