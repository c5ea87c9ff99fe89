import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from bitproof.assets.cleanup import Cleaned, Removal, cleanup
from bitproof.errors import InputError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME, hold, locked
from bitproof.system.opened import open_file
from tests.assets.layouts import fill, stored, write_manifest
from tests.evidence import names_in, refusal, tree
from tests.model.samples import FIRST, document, release

UNUSED = "no release in force needs it"
SIZE = sum(len(name) + 1 for name in ("vmlinuz", "initrd.img", "rootfs.squashfs"))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A store in which release a is in force, b is deprecated, and c is of no release."""
    store = tmp_path / "store"
    write_manifest(store, document({FIRST: release("a"), "2026.0415.2": release("b", deprecated=True)}))
    fill(store, "a", "b", "c")
    return store


def removed(done: Cleaned) -> list[str]:
    return [removal.path for removal in done.removed]


def test_what_no_release_in_force_needs_goes(base: Path) -> None:
    done = cleanup(base)
    assert removed(done) == sorted(stored("b") + stored("c"))
    assert {removal.reason for removal in done.removed} == {UNUSED}
    assert (done.base, done.size, done.held) == (base, 2 * SIZE, ())
    assert names_in(base) == sorted([LOCK_NAME, "manifest.json", *stored("a")])
    assert cleanup(base).removed == ()


def test_a_cleanup_as_json(base: Path) -> None:
    fill(base, "a")
    done = Cleaned(
        base, (Removal("x", 3, "legacy directory"),), ("y",), (Removal("z", 4, "this machine is pinned to assets 1"),)
    )
    assert done.document() == {
        "base": str(base),
        "removed": [{"path": "x", "size": 3, "reason": "legacy directory"}],
        "size": 3,
        "held": ("y",),
        "selected": [{"path": "z", "size": 4, "reason": "this machine is pinned to assets 1"}],
    }


def test_a_dry_run_only_lists_and_takes_no_lock(base: Path) -> None:
    before = tree(base)
    with Directory(base) as store, locked(store):
        listed = cleanup(base, dry_run=True, wait=False)
    (base / LOCK_NAME).unlink()
    assert cleanup(base, dry_run=True) == listed
    assert tree(base) == before
    assert cleanup(base).removed == listed.removed


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (stored("b"), stored("c")),
        (["2026.0415.2"], stored("c")),
        (["2026.415.2"], stored("c")),
        ([stored("b")[0], *stored("c")], stored("b")[1:]),
    ],
)
def test_what_is_named_or_whose_version_is_named_is_kept(base: Path, keep: Collection[str], gone: list[str]) -> None:
    assert removed(cleanup(base, keep=keep)) == sorted(gone)


def test_a_mistyped_name_to_keep_removes_nothing(base: Path) -> None:
    before = tree(base)
    assert refusal(InputError, lambda: cleanup(base, keep=["2026.0415.3"])) == (
        "nothing of this name can be kept\n"
        f"  expected: a hash name, or an asset version: {FIRST}, 2026.0415.2\n"
        "  found:    '2026.0415.3'"
    )
    assert {name: data for name, data in tree(base).items() if name != LOCK_NAME} == before


def test_what_the_keep_list_of_the_store_names_is_kept(base: Path) -> None:
    (base / "keep").write_text(f"# a customer\n2026.0415.2  # until May\n{stored('c')[0]}\n")
    assert removed(cleanup(base)) == stored("c")[1:]
    assert removed(cleanup(base, keep=stored("c")[1:])) == []
    assert (base / "keep").exists()


def test_a_bad_line_in_the_keep_list_removes_nothing(base: Path) -> None:
    (base / "keep").write_text("2026.0415.2\n2026.0415.3\n")
    before = tree(base)
    for dry_run in (True, False):
        assert refusal(InputError, lambda: cleanup(base, dry_run=dry_run)) == (  # noqa: B023 - called at once
            "the keep list is not usable\n"
            f"  where:    {base}/keep\n"
            "  - line 2: neither a hash name nor a release of the manifest: found '2026.0415.3'\n"
            "  fix:      correct or remove these lines; until then nothing is removed"
        )
    assert {name: data for name, data in tree(base).items() if name != LOCK_NAME} == before


@pytest.mark.parametrize("target", ["list", "gone"])
def test_a_keep_list_that_is_a_symlink_removes_nothing(base: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "list").write_text("")
    (base / "keep").symlink_to(tmp_path / target)
    before = tree(base)
    sentence = refusal(InputError, lambda: cleanup(base))
    assert sentence == f"the keep list is a symlink\n  where:    {base}/keep\n  expected: a regular file"
    assert {name: data for name, data in tree(base).items() if name != LOCK_NAME} == before


def test_what_is_pinned_is_kept(base: Path) -> None:
    pins = AssetManifest.read(document({FIRST: release("c")})).releases[Version(FIRST)].pins("x86_64", "pins.json")
    assert pins is not None
    assert removed(cleanup(base, pins=[pins])) == stored("b")


def test_keys_signatures_dashes_and_dot_files_survive(base: Path) -> None:
    hash16 = "0123456789abcdef"
    others = [
        "my-key.pub",
        "manifest.json.sig",
        f"vmlinuz-{hash16}.sig",
        f"vmlinuz-{hash16}.minisig",
        f"vmlinuz-{hash16}.asc",
        f"key-{hash16}.pub",
        f".x-{hash16}",
        f"x-{hash16.upper()}",
        f"x-{hash16}0",
        f"x-{hash16[:-1]}",
        f"x.y-{hash16}",
        "vmlinuz",
        "rootfs-a.squashfs",
        "notes-about-it.txt",
    ]
    for name in others:
        (base / name).write_bytes(b"x")
    cleanup(base)
    assert set(others) < set(names_in(base))


def test_a_hash_name_is_split_at_the_first_dot(base: Path) -> None:
    (base / "x-0123456789abcdef.tar.gz").write_bytes(b"x")
    assert "x-0123456789abcdef.tar.gz" in removed(cleanup(base))


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_arch_directories_are_cleaned_and_other_directories_are_not(base: Path, arch: str) -> None:
    fill(base / arch, "a", "b")
    fill(base / "other", "b")
    (base / arch / "vmlinuz").write_bytes(b"x")
    done = cleanup(base)
    assert [name for name in removed(done) if "/" in name] == [f"{arch}/{name}" for name in stored("b")]
    assert names_in(base / arch) == sorted([*stored("a"), "vmlinuz"])
    assert names_in(base / "other") == stored("b")


def test_a_file_that_an_arch_of_no_other_release_needs_is_kept(base: Path) -> None:
    write_manifest(base, document({FIRST: release("a"), "2026.0415.2": release("b", "riscv64")}))
    assert removed(cleanup(base)) == stored("c")


def test_legacy_directories_go_with_all_that_is_in_them(base: Path) -> None:
    (base / "v1.0/deep").mkdir(parents=True)
    (base / "v1.0/deep/rootfs").write_bytes(b"12345")
    (base / "v1.0/link").symlink_to(base / "manifest.json")
    done = cleanup(base)
    assert Removal("v1.0", 5, "legacy directory") in done.removed
    assert not (base / "v1.0").exists()
    assert (base / "manifest.json").exists()


def test_a_symlink_named_like_a_legacy_directory_or_a_hash_name_is_not_touched(base: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").write_bytes(b"x")
    (base / "v1").symlink_to(tmp_path / "elsewhere")
    (base / "arm64").symlink_to(tmp_path / "elsewhere")
    (base / "x-0123456789abcdef").symlink_to(tmp_path / "elsewhere/precious")
    cleanup(base)
    assert tree(tmp_path / "elsewhere") == {"precious": b"x"}
    assert {"v1", "arm64", "x-0123456789abcdef"} < set(names_in(base))


def test_a_plain_file_named_like_a_legacy_directory_stays(base: Path) -> None:
    (base / "v1").write_bytes(b"x")
    cleanup(base)
    assert (base / "v1").read_bytes() == b"x"


def test_temporaries_of_a_dead_writer_go(base: Path) -> None:
    (base / "x86_64").mkdir()
    for name in (".bitproof-0123456789abcdef.tmp", "x86_64/.bitproof-0123456789abcdef.tmp"):
        (base / name).write_bytes(b"half")
    done = cleanup(base)
    assert [removal for removal in done.removed if removal.reason != UNUSED] == [
        Removal(".bitproof-0123456789abcdef.tmp", 4, "temporary file of a dead writer"),
        Removal("x86_64/.bitproof-0123456789abcdef.tmp", 4, "temporary file of a dead writer"),
    ]


def test_what_a_running_machine_holds_stays_until_it_ends(base: Path) -> None:
    (base / "v1").mkdir()
    (base / "v1/rootfs").write_bytes(b"x")
    kernel = stored("b")[2]
    with open_file(base / kernel) as one, open_file(base / "v1/rootfs") as other:
        for file in (one, other):
            hold(file)
        argv = [sys.executable, "-c", "input()"]
        machine = subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=[one.fd, other.fd])
    with machine:
        done = cleanup(base)
        assert done.held == ("v1", kernel)
        assert removed(done) == sorted([*stored("b")[:2], *stored("c")])
        assert (base / kernel).exists()
        assert machine.stdin is not None
        machine.stdin.write(b"\n")
        machine.stdin.close()
        machine.wait(60)
        assert removed(cleanup(base)) == ["v1", kernel]


@pytest.mark.parametrize("bad", [b"", b"{}", b'{"format": 2}', b"\xff"])
def test_a_manifest_that_cannot_be_read_removes_nothing(base: Path, bad: bytes) -> None:
    (base / "manifest.json").write_bytes(bad)
    before = tree(base)
    sentence = refusal(InputError, lambda: cleanup(base))
    assert f"  where:    {base}/manifest.json" in sentence
    assert {name: data for name, data in tree(base).items() if name != LOCK_NAME} == before


def test_a_store_without_a_manifest_loses_nothing(base: Path) -> None:
    (base / "manifest.json").unlink()
    before = tree(base)
    assert refusal(UnavailableError, lambda: cleanup(base)) == (
        "the manifest cannot be opened\n"
        f"  where:    {base}/manifest.json\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )
    assert {name: data for name, data in tree(base).items() if name != LOCK_NAME} == before


def test_a_store_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: cleanup(tmp_path / "x")) == (
        f"the store cannot be opened\n  where:    {tmp_path}/x\n  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_a_manifest_that_is_given_is_what_is_in_force(base: Path) -> None:
    manifest = AssetManifest.read(document({FIRST: release("c")}))
    assert removed(cleanup(base, manifest=manifest)) == sorted(stored("a") + stored("b"))


def test_a_store_that_another_process_writes_is_left_alone(base: Path) -> None:
    with Directory(base) as store, locked(store):
        before = tree(base)
        assert refusal(UnavailableError, lambda: cleanup(base, wait=False)) == (
            "locked by another process\n"
            f"  where:    {base}/{LOCK_NAME}\n"
            "  fix:      wait until the other bitproof has finished, or leave out --no-wait"
        )
        assert tree(base) == before


def test_a_legacy_directory_that_cannot_be_removed_is_named(base: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    mount = base / "v1" / "mount"
    mount.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mount], check=True)
    try:
        sentence = refusal(UnavailableError, lambda: cleanup(base))
    finally:
        subprocess.run(["umount", mount], check=True)
    assert sentence == (f"the directory cannot be removed\n  where:    {base}/v1\n  found:    Device or resource busy")
