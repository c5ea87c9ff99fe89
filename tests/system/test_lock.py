import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME, claim, hold, locked
from bitproof.system.opened import open_file
from tests.system.conftest import Script

HOLDER = """
import sys
from pathlib import Path
from bitproof.system.files import Directory
from bitproof.system.lock import locked
with Directory(Path(sys.argv[1])) as directory, locked(directory):
    print("held", flush=True)
    sys.stdin.readline()
    (directory.path / "written").write_text("by the first")
"""
TAKER = """
import sys
from pathlib import Path
from bitproof.system.files import Directory
from bitproof.system.lock import locked
with Directory(Path(sys.argv[1])) as directory, locked(directory, wait=False):
    pass
"""


def holder(directory: Directory) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", HOLDER, str(directory.path)]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def locked_by_another(directory: Directory) -> str:
    return (
        "locked by another process\n"
        f"  where:    {directory.path}/{LOCK_NAME}\n"
        "  fix:      wait until the other bitproof has finished, or leave out --no-wait"
    )


def test_two_processes_write_one_after_the_other(directory: Directory) -> None:
    first = holder(directory)
    waited: list[Path] = []

    def waiting(path: Path) -> None:
        waited.append(path)
        assert first.stdin is not None
        first.stdin.write("go\n")
        first.stdin.close()

    with locked(directory, waiting=waiting):
        assert (directory.path / "written").read_text() == "by the first"
    assert waited == [directory.path / LOCK_NAME]
    assert first.wait(60) == 0
    assert first.stdout is not None
    first.stdout.close()


def test_without_waiting_a_held_lock_is_refused(directory: Directory) -> None:
    with holder(directory) as first:
        with pytest.raises(UnavailableError) as caught, locked(directory, wait=False):
            pass
        assert str(caught.value) == locked_by_another(directory)
        first.kill()
    with locked(directory, wait=False):
        assert not (directory.path / "written").exists()


def test_a_lock_that_is_free_is_taken_without_a_word(directory: Directory) -> None:
    waited: list[Path] = []
    for _ in range(2):
        with locked(directory, waiting=waited.append):
            pass
    assert waited == []


def test_a_failed_writer_releases_its_lock(directory: Directory, script: Script) -> None:
    with pytest.raises(KeyboardInterrupt), locked(directory):
        raise KeyboardInterrupt
    assert script(TAKER, directory.path).returncode == 0


def test_a_child_does_not_keep_the_lock_alive(directory: Directory, script: Script) -> None:
    with locked(directory):
        assert "locked by another process" in script(TAKER, directory.path).stderr
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    with child:
        assert script(TAKER, directory.path).returncode == 0
        assert child.stdin is not None
        child.stdin.write(b"\n")


def test_a_lock_planted_as_a_symlink_is_not_followed(directory: Directory, tmp_path: Path) -> None:
    (directory.path / LOCK_NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(UnavailableError) as caught, locked(directory):
        pass
    assert str(caught.value) == (
        f"the lock cannot be made\n  where:    {directory.path}/{LOCK_NAME}\n"
        "  found:    Too many levels of symbolic links"
    )
    assert not (tmp_path / "victim").exists()


def test_a_lock_planted_as_a_directory_is_refused(directory: Directory) -> None:
    (directory.path / LOCK_NAME).mkdir()
    with pytest.raises(UnavailableError) as caught, locked(directory):
        pass
    assert str(caught.value) == (
        f"the lock cannot be made\n  where:    {directory.path}/{LOCK_NAME}\n  found:    Is a directory"
    )


def test_a_lock_planted_as_a_fifo_or_a_hard_link_still_locks_and_is_not_written(
    directory: Directory, tmp_path: Path, script: Script
) -> None:
    lock = directory.path / LOCK_NAME
    (tmp_path / "victim").write_bytes(b"precious")
    for planted in ("fifo", "hard link"):
        os.mkfifo(lock) if planted == "fifo" else lock.hardlink_to(tmp_path / "victim")
        with locked(directory):
            assert "locked by another process" in script(TAKER, directory.path).stderr
        lock.unlink()
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_the_lock_is_a_dot_file_that_stays_empty(directory: Directory) -> None:
    with locked(directory):
        state = directory.stat(LOCK_NAME)
    assert state is not None
    assert stat.S_ISREG(state.st_mode)
    assert state.st_size == 0


def test_a_file_is_in_use_while_a_child_has_the_descriptor_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "rootfs"
    path.write_bytes(b"x")
    with open_file(path) as held:
        hold(held)
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fd], close_fds=True
        )
    with child, open_file(path) as other:
        assert not claim(other)
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.close()
        child.wait(60)
        assert claim(other)
        assert claim(other)


def test_two_running_machines_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rootfs"
    path.write_bytes(b"x")
    with open_file(path) as one, open_file(path) as other:
        hold(one)
        hold(other)
        assert not claim(one)


def test_a_lock_that_was_given_back_is_free_though_a_child_still_has_its_file(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        with locked(directory):
            lock = str(tmp_path / LOCK_NAME)
            (number,) = (link.name for link in Path("/proc/self/fd").iterdir() if os.path.realpath(link) == lock)
            inherited = os.dup(int(number))
        try:
            with locked(directory, wait=False):
                pass
        finally:
            os.close(inherited)
