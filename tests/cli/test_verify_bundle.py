"""``verify-bundle``: 0 it verifies, 1 it does not, 3 it cannot be checked; and 2 what is no input."""

import tarfile
from pathlib import Path

from bitproof.model.asset_manifest import AssetManifest

from .channels import make_keys, refusal, said
from .conftest import ARCH, CONTENTS, VERSION, Run, digest, publish_next, write_layout


def assets_of(layout: Path) -> dict[str, str]:
    manifest = AssetManifest.parse((layout / "manifest.json").read_bytes(), "m")
    return {name: str(asset.digest) for name, asset in manifest.releases[manifest.current].arches[ARCH].items()}


def test_verify_bundle_says_ok_of_each_file_and_exits_0(exported: Path, run: Run) -> None:
    digests = assets_of(Path("assets"))
    done = run("verify-bundle", exported.name, "--root", "root.json", "--assets", "assets")
    assert (done.code, done.err) == (0, "10 ok\n")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"OK       release.tar   (assets {VERSION}, signed until ")
    assert [line for line in lines if ".chunks" not in line][1:] == [
        *(f"OK       {ARCH}/{name}  {digest}" for name, digest in digests.items()),
        *(f"OK       {name}  {digest}" for name, digest in digests.items()),
    ]
    assert run("verify-bundle", exported.name, "--root", "root.json", "-q").out == ""


def test_verify_bundle_exits_1_where_bytes_differ(exported: Path, run: Run) -> None:
    data = bytearray(exported.read_bytes())
    data[data.index(b"a rootfs")] ^= 1
    (exported.parent / "bad.tar").write_bytes(data)
    wanted, there = f"blake3:{digest(b'a rootfs')}", f"blake3:{digest(b'`' + b' rootfs')}"
    done = run("verify-bundle", "bad.tar", "--root", "root.json", "-q")
    assert (done.code, done.err) == (1, "")
    assert done.out == f"DRIFTED  {ARCH}/rootfs.squashfs\n  expected: {wanted}\n  found:    {there}\n"
    write_layout(Path("assets"), rootfs=b"` rootfs")
    Path(f"assets/{ARCH}/initrd.img").unlink()
    told = run("verify-bundle", exported.name, "--root", "root.json", "--assets", "assets", "--json")
    document = told.document
    assert (told.code, document["ok"], document["summary"]) == (
        1,
        False,
        {"ok": 8, "placeholder": 0, "missing": 1, "drifted": 1, "failed": 0},
    )
    assert document["findings"][-2:] == [
        {
            "name": "initrd.img",
            "verdict": "missing",
            "path": str(Path(f"assets/{ARCH}/initrd.img").absolute()),
            "expected": f"blake3:{digest(CONTENTS['initrd.img'])}",
            "found": "",
        },
        {
            "name": "rootfs.squashfs",
            "verdict": "drifted",
            "path": str(Path(f"assets/{ARCH}/rootfs.squashfs").absolute()),
            "expected": wanted,
            "found": there,
        },
    ]


def test_verify_bundle_exits_3_where_nothing_can_be_told(exported: Path, run: Run) -> None:
    facts = {
        "where": "release.tar",
        "fix": "get the channel's root from a source you trust: --root FILE, or --root sha256:DIGEST",
    }
    what = "there is no root to trust, so that nothing can be checked"
    done = run("verify-bundle", exported.name)
    assert (done.code, done.out, done.err) == (3, "", said(what, **facts))
    done = run("verify-bundle", exported.name, "--json")
    assert (done.code, done.document) == (3, refusal("unavailable", what, **facts))
    Path(f"assets/{ARCH}/vmlinuz").unlink()
    done = run("verify-bundle", exported.name, "--root", "root.json", "--assets", "assets", "-q")
    assert (done.code, done.err) == (3, "")
    assert done.out == (
        f"MISSING  vmlinuz\n  where:    {Path(f'assets/{ARCH}/vmlinuz').absolute()}\n"
        f"  expected: blake3:{digest(CONTENTS['vmlinuz'])}\n"
    )


def test_an_archive_that_has_some_of_the_files_lacks_the_others(exported: Path, run: Run) -> None:
    wanted = digest(CONTENTS["initrd.img"])
    with tarfile.open(exported) as good, tarfile.open("some.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for info in good:
            if info.name != f"blobs/{wanted}":
                archive.addfile(info, good.extractfile(info))
    done = run("verify-bundle", "some.tar", "--root", "root.json", "-q")
    assert (done.code, done.out) == (3, f"MISSING  {ARCH}/initrd.img\n  expected: blake3:{wanted}\n")


def test_a_store_trusts_bundles_by_the_root_that_it_keeps(exported: Path, run: Run) -> None:
    assert run("update", "--from", exported.name, "--root", "root.json", "--base", "there").code == 0
    done = run("verify-bundle", exported.name, "--base", "there")
    assert (done.code, done.err) == (0, "10 ok\n")
    publish_next(run)
    done = run("verify-bundle", "next.tar", "--base", "there", "-q")
    assert (done.code, done.out.splitlines()[0]) == (3, "MISSING  rootfs.squashfs")


def test_a_digest_that_is_none_is_named(exported: Path, run: Run) -> None:
    done = run("verify-bundle", exported.name, "--root", "sha256:12")
    assert (done.code, done.out, done.err) == (2, "", "error: --root: not 64 hex digits: '12'\n")


def test_a_bundle_whose_manifest_has_to_be_signed_by_another_key_too(exported: Path, run: Run) -> None:
    make_keys("release")
    done = run("verify-bundle", exported.name, "--root", "root.json", "--require-signature", "release.pub")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: the manifest is not signed\n  where:    release.tar: manifest.json\n")
