import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.assets.install import Installed, install, planned_size
from bitproof.assets.record import record
from bitproof.errors import UnavailableError
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME, locked
from tests.assets.layouts import NOW, installed, stored
from tests.evidence import names_in, refusal
from tests.model.samples import NAMES, hex_of


def test_a_store_is_flat_and_hash_named_and_read_only(assets: Path, base: Path) -> None:
    done = install(assets, base, ["x86_64"])
    names = stored("a")
    assert names_in(base) == sorted([LOCK_NAME, "manifest.json", *names])
    assert [(base / name).stat().st_mode & 0o7777 for name in names] == [0o444] * 3
    assert sorted((base / name).read_bytes() for name in names) == sorted((name + "a").encode() for name in NAMES)
    assert done == Installed("2026.0416.1", base, done.copied, ())
    assert sorted(done.copied) == names
    assert done.document() == {
        "asset_version": "2026.0416.1", "base": str(base), "copied": done.copied, "present": ()
    }  # fmt: skip


def test_the_manifest_is_installed_byte_for_byte(assets: Path, base: Path) -> None:
    found = json.loads((assets / "manifest.json").read_bytes())
    (assets / "manifest.json").write_text(json.dumps({"unknown": 1e5, **found}, indent=7))
    install(assets, base, ["x86_64"])
    assert (base / "manifest.json").read_bytes() == (assets / "manifest.json").read_bytes()


def changes(base: Path) -> dict[str, tuple[int, int]]:
    """Each file's inode and the time of its last change; reading a file changes neither."""
    return {name: ((state := (base / name).stat()).st_ino, state.st_ctime_ns) for name in names_in(base)}


def test_an_install_twice_touches_nothing(assets: Path, base: Path) -> None:
    first = install(assets, base, ["x86_64"])
    before = changes(base)
    again = install(assets, base, ["x86_64"])
    assert (again.copied, again.present) == ((), first.copied)
    assert changes(base) == before


def test_the_same_bytes_of_two_releases_and_arches_are_stored_once(tmp_path: Path, base: Path) -> None:
    first = installed(tmp_path / "assets", base, "a", "arm64", "x86_64")
    assert (len(first.copied), len(names_in(base))) == (3, 5)
    (tmp_path / "assets/x86_64/initrd.img").write_bytes(b"repacked")
    with Directory(tmp_path / "assets") as directory:
        record(directory, NOW)
    second = install(tmp_path / "assets", base, ["arm64", "x86_64"])
    assert (second.version, second.copied) == ("2026.0416.2", (f"initrd-{hex_of('repacked')[:16]}.img",))
    assert len(names_in(base)) == 6


@pytest.mark.parametrize("damage", [b"vmlinuzx", b"vml", b"", b"vmlinuza and more"])
def test_a_damaged_file_of_the_store_is_repaired_under_a_new_inode(assets: Path, base: Path, damage: bytes) -> None:
    install(assets, base, ["x86_64"])
    path = base / stored("a")[2]
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(damage)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with path.open("rb") as held:
        assert install(assets, base, ["x86_64"]).copied == (path.name,)
        assert held.read() == damage
    assert path.read_bytes() == b"vmlinuza"
    assert path.stat().st_mode & 0o7777 == 0o444


@pytest.mark.parametrize("planted", ["symlink", "fifo"])
def test_what_is_planted_in_the_store_is_replaced(assets: Path, base: Path, tmp_path: Path, planted: str) -> None:
    base.mkdir(parents=True)
    path = base / stored("a")[2]
    (tmp_path / "victim").write_bytes(b"vmlinuza")
    path.symlink_to(tmp_path / "victim") if planted == "symlink" else os.mkfifo(path)
    assert path.name in install(assets, base, ["x86_64"]).copied
    assert not path.is_symlink()
    assert path.read_bytes() == b"vmlinuza"


def test_a_directory_planted_in_the_store_is_refused(assets: Path, base: Path) -> None:
    path = base / stored("a")[2]
    path.mkdir(parents=True)
    assert refusal(UnavailableError, lambda: install(assets, base, ["x86_64"])) == (
        f"the file cannot be written\n  where:    {path}\n  found:    Is a directory"
    )
    assert names_in(base) == sorted([LOCK_NAME, path.name])


def test_without_waiting_a_store_that_is_locked_is_refused(assets: Path, base: Path) -> None:
    with Directory(base, create=True) as store, locked(store):
        sentence = refusal(UnavailableError, lambda: install(assets, base, ["x86_64"], wait=False))
    assert sentence == (
        "locked by another process\n"
        f"  where:    {base}/{LOCK_NAME}\n"
        "  fix:      wait until the other bitproof has finished, or leave out --no-wait"
    )
    assert names_in(base) == [LOCK_NAME]


def test_two_installs_at_once_make_one_store(assets: Path, base: Path) -> None:
    code = """
import sys
from pathlib import Path
from bitproof.assets.install import install
sys.stdin.readline()
done = install(Path(sys.argv[1]), Path(sys.argv[2]), ["x86_64"])
print(len(done.copied), len(done.present))
"""
    argv = [sys.executable, "-c", code, str(assets), str(base)]
    children = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = sorted(child.communicate()[0] for child in children)
    assert outputs == ["0 3\n", "0 3\n", "0 3\n", "3 0\n"]
    assert names_in(base) == sorted([LOCK_NAME, "manifest.json", *stored("a")])


def test_a_home_that_is_a_symlink_is_one_store(assets: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    install(assets, tmp_path / "link", ["x86_64"])
    assert install(assets, tmp_path / "real", ["x86_64"]).copied == ()
    assert install(assets, tmp_path / "link", ["x86_64"]).base == tmp_path / "real"


def test_progress_is_told_every_byte_copied_or_there(assets: Path, base: Path) -> None:
    for _ in range(2):
        told: list[int] = []
        install(assets, base, ["x86_64"], progress=told.append)
        assert sum(told) == planned_size(assets, ["x86_64"]) == sum(len(name) + 1 for name in NAMES)
