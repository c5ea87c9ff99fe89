"""``vm boot`` from a store notes a boot that went well, and a pin chooses what boots; QEMU is simulated."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.assets.history import read_history
from bitproof.assets.selection import Wanted, pin
from bitproof.model.history import Event
from bitproof.model.names import CHANNEL_STATE
from bitproof.model.version import Version
from tests.assets.layouts import fill, write_manifest
from tests.evidence import tree
from tests.model.samples import BINARY, FIRST, document, release

from .conftest import Simulated

NEW = "2026.0416.1"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    write_manifest(store, document({FIRST: release("a"), NEW: release("b")}, current=NEW))
    fill(store, "a", "b")
    (store / CHANNEL_STATE).mkdir()
    return store


def boot(base: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """A command in a guest, by a process of its own."""
    found = shutil.which("qemu-system-x86_64")
    assert found is not None
    argv = [sys.executable, "-m", "bitproof", "vm", "boot", "--base", str(base), "--arch", "x86_64", *words]
    environment = {"PATH": str(Path(found).parent), "HOME": "/nonexistent", "BITPROOF_ACCEL": "tcg"}
    return subprocess.run(argv, env=environment, cwd=base, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("code", [0, 7])
def test_a_boot_whose_command_ran_is_noted(base: Path, guest: Simulated, code: int) -> None:
    guest(f"finish(request()[2], {code}); signal.pause()")
    done = boot(base, "--binary-version", BINARY, "--", "true")
    assert (done.returncode, done.stderr) == (code, b"")
    noted = [(str(one.version), one.event, one.vm) for one in read_history(base).entries]
    assert noted == [(NEW, Event.BOOTED, "")]


def test_a_vm_boots_what_it_is_pinned_to_and_its_boot_says_so(base: Path, guest: Simulated) -> None:
    guest("finish(request()[2], 0); signal.pause()")
    pin(Wanted(base, Version(FIRST), "x86_64", "web"))
    for words in (("--vm", "web"), ("--vm", "db"), ()):
        assert boot(base, *words, "--", "true").returncode == 0
    noted = [(str(one.version), one.vm) for one in read_history(base).entries]
    assert noted == [(FIRST, "web"), (NEW, "")]


def test_a_guest_that_does_not_come_up_is_not_noted(base: Path, guest: Simulated) -> None:
    guest("sys.exit(0)")
    before = tree(base)
    assert boot(base, "--", "true").returncode == 1
    assert tree(base) == before


def test_a_boot_without_a_history_or_with_a_bad_one_goes_as_well(base: Path, guest: Simulated) -> None:
    guest("finish(request()[2], 0); signal.pause()")
    (base / CHANNEL_STATE / "history.json").write_bytes(b"{")
    assert boot(base, "--", "true").returncode == 0
    shutil.rmtree(base / CHANNEL_STATE)
    before = tree(base)
    done = boot(base, "--", "true")
    assert (done.returncode, done.stderr) == (0, b"")
    assert tree(base) == before


def test_a_boot_that_checks_nothing_is_not_noted(base: Path, guest: Simulated) -> None:
    guest("finish(request()[2], 0); signal.pause()")
    before = tree(base)
    assert boot(base, "--unverified", "--", "true").returncode == 0
    assert tree(base) == before


def test_a_revoked_release_does_not_boot_and_the_reason_is_told(base: Path, guest: Simulated) -> None:
    guest("finish(request()[2], 0); signal.pause()")
    write_manifest(base, document({FIRST: release("a", revoked="it leaks keys")}))
    for words in ((), ("--unverified",)):
        done = boot(base, *words, "--", "true")
        assert done.returncode == 2
        assert f"  - {FIRST}: revoked: it leaks keys\n".encode() in done.stderr
