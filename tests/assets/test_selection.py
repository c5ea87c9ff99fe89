"""What is held in a store: pins, and what resolve, cleanup, verify and check make of them."""

import json
from pathlib import Path

import pytest

from bitproof import AssetManifest
from bitproof.assets.cleanup import cleanup
from bitproof.assets.resolve import resolve
from bitproof.assets.selection import Wanted, pin, read_selection
from bitproof.assets.verify import check, verify
from bitproof.errors import InputError, UnavailableError
from bitproof.model.selection import Held, Selection
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME, locked
from tests.assets.layouts import build, fill, stored, write_manifest
from tests.evidence import names_in, refusal, tree
from tests.model.samples import BINARY, FIRST, document, release

OLD, AGED, NEW = FIRST, "2026.0416.1", "2026.0417.1"
BIN = Version(BINARY)
ARCH = "x86_64"
SELECTION = ".bitproof-selection.json"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A store of three releases: the oldest in force, one deprecated, the current one."""
    store = tmp_path / "store"
    releases = {OLD: release("a"), AGED: release("b", deprecated=True), NEW: release("c")}
    write_manifest(store, document(releases, current=NEW))
    fill(store, "a", "b", "c")
    return store


def to(base: Path, version: str | None, vm: str = "") -> Wanted:
    return Wanted(base, Version(version) if version else None, ARCH, vm)


def resolved(base: Path, vm: str = "") -> str:
    return resolve(base, BIN, ARCH, vm=vm).asset_version


def test_a_machine_and_a_vm_are_held_each_at_its_own_release(base: Path) -> None:
    assert resolved(base) == NEW
    assert pin(to(base, AGED))
    assert pin(to(base, OLD, "web"))
    assert (resolved(base), resolved(base, "db"), resolved(base, "web")) == (AGED, AGED, OLD)
    found = resolve(base, BIN, ARCH, vm="web")
    assert (found.held, found.reason) == (Held(Version(OLD), vm="web"), f"VM web is pinned to assets {OLD}")
    assert found.document()["held"] == {"version": OLD, "why": "pin", "vm": "web"}
    assert {path.name for path in (found.kernel, found.initrd, found.rootfs)} == set(stored("a"))


def test_the_library_honours_the_machines_pin(base: Path) -> None:
    pin(to(base, AGED))
    manifest = AssetManifest.load(base / "manifest.json")
    assert manifest.resolve(BINARY, ARCH, base).asset_version == AGED


def test_a_pin_that_is_removed_is_gone_and_so_is_the_last_ones_file(base: Path) -> None:
    pin(to(base, AGED))
    pin(to(base, OLD, "web"))
    assert pin(to(base, None))
    assert (resolved(base), resolved(base, "web")) == (NEW, OLD)
    assert pin(to(base, None, "web"))
    assert not pin(to(base, None, "web"))
    assert SELECTION not in names_in(base)
    assert resolved(base, "web") == NEW


def test_the_same_pin_again_changes_nothing(base: Path) -> None:
    assert pin(to(base, AGED))
    before = (base / SELECTION).stat().st_ino
    assert not pin(to(base, AGED))
    assert (base / SELECTION).stat().st_ino == before


def test_a_dry_pin_writes_nothing_not_even_a_lock(base: Path) -> None:
    before = tree(base)
    assert pin(to(base, AGED), dry_run=True)
    assert not pin(to(base, None), dry_run=True)
    assert tree(base) == before


def test_a_pin_waits_for_the_stores_lock(base: Path) -> None:
    with Directory(base) as store, locked(store):
        message = refusal(UnavailableError, lambda: pin(to(base, AGED), wait=False))
    assert message.startswith(f"locked by another process\n  where:    {base}/{LOCK_NAME}\n")
    assert SELECTION not in names_in(base)


def test_a_pin_needs_a_release_that_the_manifest_lists(base: Path) -> None:
    before = tree(base)
    assert refusal(InputError, lambda: pin(to(base, "2020.0101.1"))) == (
        "the store's manifest has no such asset release\n"
        f"  expected: one of {OLD}, {AGED}, {NEW}\n"
        "  found:    2020.0101.1"
    )
    assert tree(base) == before


def test_a_revoked_release_cannot_be_pinned_and_a_pinned_one_that_is_revoked_does_not_boot(base: Path) -> None:
    pin(to(base, OLD))
    write_manifest(base, document({OLD: release("a", revoked="it leaks keys"), NEW: release("c")}, current=NEW))
    before = tree(base)
    assert refusal(InputError, lambda: pin(to(base, OLD, "web"))) == (
        f"assets {OLD} is revoked\n  found:    it leaks keys\n  fix:      choose another release: bitproof assets list"
    )
    assert refusal(InputError, lambda: resolved(base)) == (
        f"this machine is pinned to assets {OLD}, which cannot be used\n"
        f"  expected: a release for binary {BINARY} on x86_64\n"
        f"  found:    {OLD}: revoked: it leaks keys\n"
        "  fix:      hold it at another release: bitproof pin VERSION; or at none: bitproof pin --remove"
    )
    assert tree(base) == before


def test_a_pin_needs_a_boot_set_of_the_arch(base: Path) -> None:
    wanted = Wanted(base, Version(OLD), "arm64")
    sentence = f"assets {OLD} has no complete boot set for arm64\n  fix:      choose another release"
    assert refusal(InputError, lambda: pin(wanted)) == sentence


def test_a_pin_needs_all_files_and_names_those_that_are_missing(base: Path) -> None:
    initrd, rootfs, _ = stored("b")
    (base / initrd).unlink()
    (base / rootfs).unlink()
    before = tree(base)
    assert refusal(UnavailableError, lambda: pin(to(base, AGED))) == (
        f"2 assets are missing\n  where:    {base}/{initrd}, {base}/{rootfs}\n  fix:      bitproof assets install"
    )
    assert tree(base) == before


@pytest.mark.parametrize("data", [b"", b"{}", b'{"format": 1, "machine": {"version": "1"}}', b"\xff"])
def test_a_bad_selection_is_an_error_everywhere_and_never_ignored(base: Path, data: bytes) -> None:
    (base / SELECTION).write_bytes(data)
    before = tree(base)
    for call in (
        lambda: resolved(base),
        lambda: resolved(base, "web"),
        lambda: pin(to(base, AGED)),
        lambda: cleanup(base, dry_run=True),
        lambda: verify(base, [ARCH]),
        lambda: check(base / "manifest.json"),
    ):
        assert f"  where:    {base}/{SELECTION}\n" in refusal(InputError, call) + "\n"
    assert tree(base) == before


def test_a_selection_that_is_a_symlink_is_an_error(base: Path, tmp_path: Path) -> None:
    for target in ("elsewhere", "nowhere"):
        (base / SELECTION).symlink_to(tmp_path / target)
        (tmp_path / "elsewhere").write_bytes(Selection().with_pin(Version(OLD)).to_bytes())
        sentence = f"the selection is a symlink\n  where:    {base}/{SELECTION}\n  expected: a regular file"
        assert refusal(InputError, lambda: resolved(base)) == sentence
        (base / SELECTION).unlink()


def test_cleanup_keeps_the_files_of_what_is_held_and_says_why(base: Path) -> None:
    pin(to(base, AGED, "web"))
    done = cleanup(base)
    assert (done.removed, [one.path for one in done.selected]) == ((), stored("b"))
    assert {one.reason for one in done.selected} == {f"VM web is pinned to assets {AGED}"}
    pin(to(base, None, "web"))
    done = cleanup(base)
    assert ([one.path for one in done.removed], done.selected) == (stored("b"), ())


def test_a_selection_that_names_no_release_removes_nothing(base: Path) -> None:
    pin(to(base, AGED))
    write_manifest(base, document({OLD: release("a")}))
    before = tree(base)
    assert refusal(InputError, lambda: cleanup(base)).startswith(
        f"the selection is not usable\n  where:    {base}/{SELECTION}\n"
        f"  - machine: the manifest has no such release: found {AGED}\n"
    )
    assert tree(base) == before


def test_verify_reads_what_is_held_and_check_calls_it_no_stray(base: Path) -> None:
    pin(to(base, AGED))
    held = verify(base, [ARCH])
    assert sorted(Path(one.path).name for one in held.findings) == sorted(stored("a") + stored("b") + stored("c"))
    (base / stored("b")[0]).unlink()
    missing = [Path(one.path).name for one in verify(base, [ARCH]).findings if one.verdict == "missing"]
    assert missing == [stored("b")[0]]
    told = [
        one.name for one in check(base / "manifest.json").findings if one.detail.startswith("bitproof assets clean")
    ]
    assert told == []


def test_a_vm_cannot_be_named_in_a_dev_layout(tmp_path: Path) -> None:
    build(tmp_path, "a")
    assert refusal(InputError, lambda: resolved(tmp_path, "web")) == (
        "no VM is pinned in a dev layout: what lies there boots\n"
        f"  where:    {tmp_path}\n"
        "  fix:      leave --vm out, or name a store with --base"
    )


def test_a_revoked_current_release_does_not_resolve_in_a_dev_layout(tmp_path: Path) -> None:
    build(tmp_path, "a")
    (tmp_path / "manifest.json").write_text(json.dumps(document({FIRST: release("a", revoked="it leaks keys")})))
    assert refusal(InputError, lambda: resolved(tmp_path)) == (
        f"assets.current {FIRST} is revoked\n"
        f"  where:    {tmp_path}/manifest.json\n"
        "  found:    it leaks keys\n"
        "  fix:      build and record what is to take its place: bitproof assets build"
    )


def test_nothing_is_held_in_a_store_without_a_selection(base: Path) -> None:
    assert read_selection(base) == Selection()
    assert resolve(base, BIN, ARCH).held is None
    assert "held" not in resolve(base, BIN, ARCH).document()


def test_what_a_killed_writer_of_the_history_left_goes_unless_someone_writes_there(base: Path) -> None:
    left = ".bitproof-0123456789abcdef.tmp"
    state = base / ".bitproof-channel"
    state.mkdir()
    (state / left).write_bytes(b"x")
    (state / "state.json").write_bytes(b"{}")
    listed = cleanup(base, dry_run=True).removed
    assert f".bitproof-channel/{left}" in [one.path for one in listed]
    for name in (LOCK_NAME, ".history.lock"):
        with Directory(state) as directory, locked(directory, name=name):
            assert f".bitproof-channel/{left}" not in [one.path for one in cleanup(base).removed]
        assert left in names_in(state)
    assert [one.path for one in cleanup(base).removed] == [f".bitproof-channel/{left}"]
    assert names_in(state) == sorted([LOCK_NAME, ".history.lock", "state.json"])
