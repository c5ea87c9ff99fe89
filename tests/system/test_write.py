"""The one way to write a file, against a system that refuses, is full, or ends the writer."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.system.content import write_synced
from bitproof.system.files import Directory, is_temporary
from bitproof.system.opened import OpenFile
from tests.conftest import Mount
from tests.evidence import names_in, refusal
from tests.system.conftest import Script

WRITE = """
import resource, sys
from pathlib import Path
from bitproof.system.files import Directory
with Directory(Path(sys.argv[1])) as directory:
    {limit}
    directory.write("f", b"new" * 100_000)
"""


def refused(directory: Directory, found: str, fix: str = "") -> str:
    lines = f"the file cannot be written\n  where:    {directory.path}/f\n  found:    {found}"
    return lines + (f"\n  fix:      {fix}" if fix else "")


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o600])
def test_a_file_is_new_with_its_mode_whatever_the_umask(directory: Directory, mode: int) -> None:
    old = os.umask(0o077)
    try:
        directory.write("f", b"x", mode=mode)
    finally:
        os.umask(old)
    assert (directory.path / "f").stat().st_mode & 0o7777 == mode
    assert names_in(directory.path) == ["f"]


def test_a_write_never_changes_the_inode_a_reader_holds(directory: Directory) -> None:
    directory.write("f", b"old")
    os.link(directory.path / "f", directory.path / "hardlink")
    with directory.open("f") as held:
        directory.write("f", b"new")
        assert held.read(10) == b"old"
        assert (directory.path / "f").stat().st_ino != held.stat.st_ino
    assert (directory.path / "hardlink").read_bytes() == b"old"
    assert (directory.path / "f").read_bytes() == b"new"


def test_the_same_bytes_are_not_written_again(directory: Directory) -> None:
    assert directory.write_changed("f", b"abc") is True
    before = directory.stat("f")
    assert directory.write_changed("f", b"abc") is False
    assert directory.stat("f") == before
    assert directory.write_changed("f", b"abd") is True
    assert directory.write_changed("f", b"abde") is True
    assert (directory.path / "f").read_bytes() == b"abde"


@pytest.mark.parametrize("planted", ["symlink", "fifo", "dangling"])
def test_what_is_planted_at_the_target_is_replaced_and_not_followed(
    directory: Directory, tmp_path: Path, planted: str
) -> None:
    victim = tmp_path / "victim"
    target = directory.path / "f"
    if planted == "fifo":
        os.mkfifo(target)
    else:
        target.symlink_to(victim)
    if planted == "symlink":
        victim.write_bytes(b"precious")
    directory.write("f", b"new")
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert victim.exists() == (planted == "symlink")
    assert planted != "symlink" or victim.read_bytes() == b"precious"
    assert names_in(directory.path) == ["f"]


def test_a_directory_planted_at_the_target_is_refused(directory: Directory) -> None:
    (directory.path / "f").mkdir()
    assert refusal(UnavailableError, lambda: directory.write("f", b"x")) == refused(directory, "Is a directory")
    assert names_in(directory.path) == ["f"]


@pytest.mark.parametrize("planted", ["symlink", "directory"])
def test_what_is_planted_is_not_compared_with(directory: Directory, planted: str) -> None:
    target = directory.path / "f"
    target.mkdir() if planted == "directory" else target.symlink_to("/etc/passwd")
    what = "is a symlink" if planted == "symlink" else "is not a regular file"
    sentence = f"the file {what}\n  where:    {target}" + (
        "\n  expected: a regular file" if planted == "symlink" else ""
    )
    assert refusal(InputError, lambda: directory.write_changed("f", b"x")) == sentence


def test_a_full_disk_leaves_the_old_bytes_and_no_temporary(mounted: Mount) -> None:
    with Directory(mounted("size=64k")) as directory:
        directory.write("f", b"old")
        sentence = refusal(UnavailableError, lambda: directory.write("f", b"x" * 200_000))
        assert sentence == refused(directory, "No space left on device", "free some disk space and try again")
        assert names_in(directory.path) == ["f"]
        assert (directory.path / "f").read_bytes() == b"old"
        directory.write("f", b"new")


def test_no_inode_left_leaves_the_old_bytes(mounted: Mount) -> None:
    with Directory(mounted("nr_inodes=2")) as directory:
        (directory.path / "f").write_bytes(b"old")
        sentence = refusal(UnavailableError, lambda: directory.write("f", b"new"))
        assert sentence == refused(directory, "No space left on device", "free some disk space and try again")
        assert (directory.path / "f").read_bytes() == b"old"


def test_a_read_only_file_system_leaves_the_old_bytes(mounted: Mount) -> None:
    place = mounted("size=64k")
    with Directory(place) as directory:
        directory.write("f", b"old")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        fix = "the file system is read-only; write elsewhere or remount it"
        sentence = refusal(UnavailableError, lambda: directory.write("f", b"new"))
        assert sentence == refused(directory, "Read-only file system", fix)
        removal = refusal(UnavailableError, lambda: directory.remove("f"))
        assert removal == sentence.replace("written", "removed")
        assert (place / "f").read_bytes() == b"old"


def test_a_directory_that_may_not_be_written_leaves_the_old_bytes(directory: Directory) -> None:
    directory.write("f", b"old")
    directory.path.chmod(0o555)
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        sentence = refusal(UnavailableError, lambda: directory.write("f", b"new"))
    finally:
        os.seteuid(user)
        directory.path.chmod(0o755)
    assert sentence == refused(directory, "Permission denied", "check the permissions")
    assert names_in(directory.path) == ["f"]
    assert (directory.path / "f").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("limit", "found", "fix"),
    [
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))", "File too large", ""),
        (
            "resource.setrlimit(resource.RLIMIT_NOFILE, (directory.fd + 1, directory.fd + 1))",
            "Too many open files",
            "raise the limit of open files (ulimit -n)",
        ),
    ],
)
def test_a_limit_of_the_process_leaves_the_old_bytes_and_no_temporary(
    directory: Directory, script: Script, limit: str, found: str, fix: str
) -> None:
    directory.write("f", b"old")
    done = script(WRITE.format(limit=limit), directory.path)
    assert done.returncode == 1
    assert done.stderr.endswith(f"bitproof.errors.UnavailableError: {refused(directory, found, fix)}\n")
    assert names_in(directory.path) == ["f"]
    assert (directory.path / "f").read_bytes() == b"old"


def test_a_listing_without_a_descriptor_left_says_so(directory: Directory, script: Script) -> None:
    code = WRITE.format(limit="resource.setrlimit(resource.RLIMIT_NOFILE, (directory.fd + 1,) * 2); directory.names()")
    done = script(code, directory.path)
    assert done.stderr.endswith(
        "UnavailableError: the directory cannot be listed\n"
        f"  where:    {directory.path}\n"
        "  found:    Too many open files\n"
        "  fix:      raise the limit of open files (ulimit -n)\n"
    )


def test_a_killed_writer_leaves_the_old_bytes_and_a_temporary_that_is_known_as_one(
    directory: Directory, script: Script
) -> None:
    directory.write("f", b"old")
    code = """
import os, signal, sys
from pathlib import Path
from bitproof.system.content import write_all
from bitproof.system.files import Directory
with Directory(Path(sys.argv[1])) as directory, directory.staged("f", 0o644) as file:
    write_all(file.fd, b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert script(code, directory.path).returncode == -signal.SIGKILL
    names = names_in(directory.path)
    assert [is_temporary(name) for name in names] == [True, False]
    assert (directory.path / "f").read_bytes() == b"old"


def test_an_interrupted_writer_leaves_the_old_bytes_and_no_temporary(directory: Directory) -> None:
    directory.write("f", b"old")
    with pytest.raises(KeyboardInterrupt), directory.staged("f", 0o644) as file:
        os.kill(os.getpid(), signal.SIGINT) if os.write(file.fd, b"half") else None
    assert names_in(directory.path) == ["f"]
    assert (directory.path / "f").read_bytes() == b"old"


def test_two_writers_never_share_a_temporary(directory: Directory) -> None:
    with directory.staged("f", 0o644) as one, directory.staged("f", 0o644) as other:
        assert one.stat.st_ino != other.stat.st_ino
        assert len(names_in(directory.path)) == 2
        assert {stat.S_IMODE(os.fstat(file.fd).st_mode) for file in (one, other)} == {0o644}
    assert names_in(directory.path) == ["f"]


def traced(code: str, tmp_path: Path) -> list[str]:
    """The calls a program makes on files below ``tmp_path``, each with the file's path there."""
    strace = shutil.which("strace")
    assert strace is not None, "apt-get install strace"
    trace = tmp_path / "trace"
    calls = "mkdir,write,fsync,fchmod,rename,renameat,renameat2"
    python: list[str | Path] = [sys.executable, "-B", "-c", code, tmp_path / "a/b"]
    argv = [strace, "-f", "-y", "-e", f"trace={calls}", "-o", trace, *python]
    subprocess.run(argv, check=True, timeout=60)
    lines = [line for line in trace.read_text().splitlines() if str(tmp_path) in line]
    return [re.sub(rf"^\d+ +([a-z]+).*?{re.escape(str(tmp_path))}([/\w]*).*", r"\1 \2", line) for line in lines]


def test_mode_and_bytes_then_fsync_then_rename_then_fsync_of_the_directory(tmp_path: Path) -> None:
    steps = traced(WRITE.format(limit="").replace("Path(sys.argv[1])", "Path(sys.argv[1]), create=True"), tmp_path)
    made = ["mkdir /a/b", "mkdir /a", "mkdir /a/b", "fsync /a", "fsync "]
    assert steps == [*made, "fchmod /a/b/", "write /a/b/", "fsync /a/b/", "renameat /a/b", "fsync /a/b"]


def test_a_file_that_a_killed_writer_put_there_is_made_to_last(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/f").write_bytes(b"x")
    code = "import sys; from pathlib import Path; from bitproof.system.files import Directory\n"
    assert traced(f"{code}Directory(Path(sys.argv[1])).write_changed('f', b'x')", tmp_path) == [
        "fsync /a/b/f",
        "fsync /a/b",
    ]


def test_bytes_that_are_not_what_was_written_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with OpenFile(os.open(tmp_path / "f", os.O_RDWR | os.O_APPEND), tmp_path / "f") as file:
        sentences = [refusal(UnavailableError, partial(write_synced, file, data)) for data in (b"ab", b"")]
    assert sentences == [
        "the file is not what was written\n"
        f"  where:    {tmp_path}/f\n"
        f"  expected: {expected} bytes\n"
        f"  found:    {found} bytes\n"
        "  fix:      check the disk and its file system"
        for expected, found in ((2, 3), (0, 1))
    ]
