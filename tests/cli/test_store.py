"""``assets install``, ``verify`` and ``cleanup``."""

import fcntl
from pathlib import Path

import pytest

from bitproof.system.files import Directory
from bitproof.system.lock import locked

from .conftest import ARCH, CONTENTS, VERSION, Run, digest, stored, temporaries, tree, write_layout

NAMES = [stored(name) for name in CONTENTS]


def test_install_copies_once_and_then_finds_all_present(layout: Path, run: Run, tmp_path: Path) -> None:
    base = tmp_path / "home" / ".bitproof" / "assets"

    first, second = run("assets", "install"), run("assets", "install")

    rows = "".join(f"  installed {name}\n" for name in NAMES)
    assert (first.code, first.out, first.err) == (0, f"{base}: assets {VERSION}\n{rows}", "")
    assert (second.code, second.out, second.err) == (0, first.out.replace("installed", "present  "), "")
    assert (base / "manifest.json").read_bytes() == (layout / "manifest.json").read_bytes()
    assert {name: (base / name).stat().st_mode & 0o777 for name in NAMES} == dict.fromkeys(NAMES, 0o444)


def test_install_as_json(layout: Path, run: Run, tmp_path: Path) -> None:
    done = run("assets", "install", "--assets", layout, "--base", tmp_path / "s", "--arch", ARCH, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document == {
        "ok": True,
        "asset_version": VERSION,
        "base": str(tmp_path / "s"),
        "copied": NAMES,
        "present": [],
    }


def test_install_of_a_changed_file_leaves_the_old_store_as_it_was(layout: Path, store: Path, run: Run) -> None:
    write_layout(layout, kernel=b"", initrd=b"another initrd")
    assert run("assets", "manifest").code == 0
    (layout / ARCH / "initrd.img").write_bytes(b"a bad initrd..")
    before = tree(store)

    done = run("assets", "install")

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: the asset is not what the manifest says\n"
        f"  where:    {layout}/{ARCH}/initrd.img\n"
        f"  expected: blake3:{digest(b'another initrd')}\n"
        f"  found:    blake3:{digest(b'a bad initrd..')}\n"
        "  fix:      changed since it was recorded: bitproof assets manifest; "
        "else build it again: bitproof assets build\n"
    )
    assert tree(store) == before
    assert temporaries(store) == []


def test_install_without_a_manifest_makes_no_store(project: Path, run: Run, tmp_path: Path) -> None:
    done = run("assets", "install")
    assert done.code == 3
    assert done.err == (
        "error: the manifest cannot be opened\n"
        "  where:    assets/manifest.json\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets build; or, for images that are there already: bitproof assets manifest\n"
    )
    assert list((tmp_path / "home").iterdir()) == []
    assert tree(project) == {}


@pytest.mark.parametrize("words", [("install",), ("cleanup",)])
def test_no_wait_fails_at_once_while_another_process_holds_the_lock(
    store: Path, run: Run, words: tuple[str, ...]
) -> None:
    with (store / ".bitproof.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("assets", *words, "--no-wait")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: locked by another process\n"
        f"  where:    {store}/.bitproof.lock\n"
        "  fix:      wait until the other bitproof has finished, or leave out --no-wait\n"
    )


def test_a_lock_in_a_store_that_has_no_manifest_yet_is_told_as_what_it_is(layout: Path, run: Run) -> None:
    base = layout.parent / "store"
    with Directory(base, create=True) as store, locked(store):
        done = run("assets", "install", "--base", base, "--no-wait")
    assert done.err == (
        "error: locked by another process\n"
        f"  where:    {base}/.bitproof.lock\n"
        "  fix:      wait until the other bitproof has finished, or leave out --no-wait\n"
    )


@pytest.mark.parametrize("words", [("resolve",), ("verify",)])
def test_base_and_assets_exclude_each_other(project: Path, run: Run, words: tuple[str, ...]) -> None:
    done = run("assets", *words, "--base", project, "--assets", project)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: --base and --assets exclude each other\n  fix:      name a store or a dev layout, not both\n"
    )


def test_verify_prints_every_digest_in_full(store: Path, run: Run) -> None:
    done = run("assets", "verify")
    rows = [f"OK       {store}/{stored(name)}  blake3:{digest(data)}\n" for name, data in CONTENTS.items()]
    assert (done.code, done.out, done.err) == (0, "".join(rows), "3 ok\n")
    assert run("-q", "assets", "verify") == type(done)(0, "", "")


def test_verify_as_json(store: Path, run: Run) -> None:
    done = run("assets", "verify", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document["ok"] is True
    assert done.document["summary"] == {"ok": 3, "placeholder": 0, "missing": 0, "drifted": 0, "failed": 0}
    assert done.document["findings"][0] == {
        "name": "vmlinuz",
        "verdict": "ok",
        "path": f"{store}/{stored('vmlinuz')}",
        "expected": f"blake3:{digest(b'a kernel')}",
        "found": f"blake3:{digest(b'a kernel')}",
    }


def test_verify_finds_a_changed_and_a_missing_file(layout: Path, run: Run) -> None:
    (layout / ARCH / "vmlinuz").write_bytes(b"A kernel")
    (layout / ARCH / "initrd.img").unlink()

    done = run("assets", "verify", "--assets", layout)

    assert done.code == 1
    assert done.err == "1 ok, 1 missing, 1 drifted\n"
    assert done.out == (
        f"DRIFTED  {layout}/{ARCH}/vmlinuz\n"
        f"  expected: blake3:{digest(b'a kernel')}\n"
        f"  found:    blake3:{digest(b'A kernel')}\n"
        "  why:      same size: changed or rotten\n"
        "  fix:      repacked since it was recorded: bitproof assets manifest; else bitproof assets build\n"
        f"MISSING  {layout}/{ARCH}/initrd.img\n"
        f"  expected: blake3:{digest(b'an initrd')}\n"
        "  fix:      repacked since it was recorded: bitproof assets manifest; else bitproof assets build\n"
        f"OK       {layout}/{ARCH}/rootfs.squashfs  blake3:{digest(b'a rootfs')}\n"
    )
    found = run("assets", "verify", "--assets", layout, "--json")
    assert found.code == 1
    assert found.document["ok"] is False
    assert found.document["summary"] == {"ok": 1, "placeholder": 0, "missing": 1, "drifted": 1, "failed": 0}


def replace_initrd(layout: Path, run: Run) -> None:
    write_layout(layout, initrd=b"another initrd")
    assert run("assets", "manifest").code == 0
    assert run("assets", "deprecate", VERSION).code == 0
    assert run("assets", "install").code == 0


def test_cleanup_removes_what_no_release_in_force_needs(layout: Path, store: Path, run: Run) -> None:
    replace_initrd(layout, run)
    old = stored("initrd.img")

    planned = run("assets", "cleanup", "--dry-run")
    assert planned.code == 0
    assert planned.out == (
        f"would remove {old} (9 B): no release in force needs it\n{store}: would remove 1 file, 9 B\n"
    )
    assert (store / old).is_file()

    done = run("assets", "cleanup")
    assert done.code == 0
    assert done.out == f"removed {old} (9 B): no release in force needs it\n{store}: removed 1 file, 9 B\n"
    assert not (store / old).exists()
    assert (store / stored("initrd.img", b"another initrd")).is_file()
    again = run("assets", "cleanup")
    assert (again.code, again.out) == (0, f"{store}: removed 0 files, 0 B\n")


@pytest.mark.parametrize("kept", [VERSION, stored("initrd.img")], ids=["version", "hash name"])
def test_cleanup_keeps_what_it_is_told_to(layout: Path, store: Path, run: Run, kept: str) -> None:
    replace_initrd(layout, run)
    done = run("assets", "cleanup", "--keep", kept, "--json")
    assert done.code == 0
    assert done.document == {
        "ok": True,
        "dry_run": False,
        "base": str(store),
        "removed": [],
        "size": 0,
        "held": [],
        "selected": [],
    }
    assert (store / stored("initrd.img")).is_file()


def test_cleanup_keeps_what_the_keep_list_names_and_refuses_one_that_is_bad(
    layout: Path, store: Path, run: Run
) -> None:
    replace_initrd(layout, run)
    (store / "keep").write_text(f"{VERSION}  # a customer\n")
    assert run("assets", "cleanup").out == f"{store}: removed 0 files, 0 B\n"
    (store / "keep").write_text("vmlinuz\n")
    (store / ".bitproof.lock").unlink()
    before = tree(store)

    done = run("assets", "cleanup")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the keep list is not usable\n"
        f"  where:    {store}/keep\n"
        "  - line 1: neither a hash name nor a release of the manifest: found 'vmlinuz'\n"
        "  fix:      correct or remove these lines; until then nothing is removed\n"
    )
    assert tree(store) == before


def test_cleanup_keeps_the_files_of_pins_and_refuses_pins_that_are_bad(
    layout: Path, store: Path, run: Run, tmp_path: Path
) -> None:
    pins, broken = tmp_path / "pins.json", tmp_path / "broken.json"
    pins.write_text(run("assets", "hashes", "--format", "json").out)
    broken.write_text("{}")
    replace_initrd(layout, run)
    before = tree(store)

    bad = run("assets", "cleanup", "--pins", pins, "--pins", broken)
    assert (bad.code, bad.out) == (2, "")
    assert bad.err.startswith(f"error: the pins are not usable\n  where:    {broken}\n")
    assert tree(store) == before

    assert run("assets", "cleanup", "--pins", pins).out == f"{store}: removed 0 files, 0 B\n"
    assert run("assets", "cleanup").code == 0
    assert not (store / stored("initrd.img")).exists()


def test_cleanup_keeps_what_a_running_vm_holds(layout: Path, store: Path, run: Run) -> None:
    replace_initrd(layout, run)
    with (store / stored("initrd.img")).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        done = run("assets", "cleanup")
    assert done.code == 0
    assert done.out == f"kept {stored('initrd.img')}: a running VM holds it\n{store}: removed 0 files, 0 B\n"
    assert (store / stored("initrd.img")).is_file()


def test_cleanup_of_a_store_without_a_manifest_removes_nothing(store: Path, run: Run) -> None:
    (store / "manifest.json").unlink()
    before = tree(store)
    done = run("assets", "cleanup")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the manifest cannot be opened\n"
        f"  where:    {store}/manifest.json\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets install\n"
    )
    assert tree(store) == before


@pytest.mark.parametrize("words", [("install",), ("resolve",), ("verify",), ("cleanup",)])
def test_a_bad_manifest_in_a_store_is_refused_and_says_what_to_do(
    layout: Path, store: Path, run: Run, words: tuple[str, ...]
) -> None:
    (store / "manifest.json").write_bytes(b"{")
    before = tree(store)
    done = run("assets", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: the file is not JSON\n  where:    {store}/manifest.json\n")
    assert done.err.endswith("  fix:      remove it, then: bitproof assets install\n")
    assert tree(store) == before
    (store / "manifest.json").unlink()
    assert run("assets", "install").code == 0
    assert run("assets", "verify").code == 0
    assert layout.is_dir()


@pytest.mark.parametrize("words", [("boot", "--", "true"), ("doctor",)])
def test_a_boot_from_a_store_that_is_not_there_says_what_makes_it(
    project: Path, run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run("vm", *words)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the assets directory cannot be opened\n"
        f"  where:    {tmp_path}/home/.bitproof/assets\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets install\n"
    )
    assert list(project.iterdir()) == []


def test_a_boot_that_checks_nothing_and_a_guest_that_checks_its_rootfs_contradict_each_other(run: Run) -> None:
    done = run("vm", "boot", "--unverified", "--verity")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: --unverified and --verity contradict each other\n  fix:      leave one of them out\n")


def test_cleanup_of_a_directory_that_is_no_store_leaves_no_lock_in_it(project: Path, run: Run) -> None:
    assert run("assets", "cleanup", "--base", project).code == 3
    assert list(project.iterdir()) == []
