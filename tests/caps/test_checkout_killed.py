"""Killed at any point: the next checkout ends at the pin, and nothing of the user's is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.git.repository import head
from bitproof.system.process import find_program
from tests.caps.repositories import GIT, LOCAL, cap, commit, files, git, leftovers, raw_commit, upstream

STRACE = find_program("strace", "strace")
CHECKOUT = """
import sys
from pathlib import Path
from bitproof.caps.checkouts.checkout import checkout
from bitproof.system.git.repository import Git
from tests.caps.repositories import cap
repo, sha, root = sys.argv[1:]
checkout(cap(repo, sha), Path(root), Git(allow_local=True, timeout=30), base=Path("/"))
"""
COUNTED = """#!/bin/sh
echo x >>{count}
[ $(wc -l <{count}) = {number} ] && [ {when} = before ] && kill -9 $PPID && exit 1
{git} "$@"
code=$?
[ $(wc -l <{count}) = {number} ] && [ {when} = after ] && kill -9 $PPID
exit $code
"""
TRACED = """#!/bin/sh
case "$*" in *" {command} "*)
    {strace} -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={number} {git} "$@"
    kill -9 $PPID
    exit 1
esac
exec {git} "$@"
"""
OLD = {"a": "1\n" * 3000, "b/gone": "2\n", "c": "same\n", "mode": "x", "z": "3\n" * 10}
NEW = {"a": "one\n" * 3000, "b/gone": None, "b/new/er": "4\n", "d": "5\n", "z": "three\n" * 10}
MOVED = {"a": "one\n" * 3000, "b/new/er": "4\n", "c": "same\n", "d": "5\n", "mode": "x", "z": "three\n" * 10}


def killed(tmp_path: Path, root: Path, up: Path, sha: str, program: str) -> int:
    """Run a checkout in a process of its own with another ``git``; its exit code, negative when it was killed."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "git").write_text(program)
    (programs / "git").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    argv = [sys.executable, "-c", CHECKOUT, f"file://{up}", sha, str(root)]
    here = Path(__file__).resolve().parents[2]
    done = subprocess.run(argv, env={"PATH": path}, cwd=here, capture_output=True, check=False, timeout=60)
    return done.returncode


def check_moved(root: Path, sha: str) -> None:
    with Directory(root / "sib") as sibling:
        assert head(sibling) == sha
    assert git(root / "sib", "status", "--porcelain", "--untracked-files=no") == ""
    assert not leftovers(root)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7])
def test_a_half_clone_is_healed(tmp_path: Path, number: int, when: str) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    root = tmp_path / "root"
    program = COUNTED.format(git=GIT, count=tmp_path / "count", number=number, when=when)

    code = killed(tmp_path, root, up, sha, program)
    commands = len((tmp_path / "count").read_text().split())
    assert code == (-signal.SIGKILL if commands == number and number < 7 else 0)
    if code:
        assert not (root / "sib").exists()
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "1"}
    check_moved(root, sha)


MOMENTS = [
    *(("write", number) for number in (1, 2, 3, 4, 6)),
    *(("unlink", number) for number in (1, 2, 3)),
    *(("rename", number) for number in (1, 2)),
    *(("mkdir", 1), ("rmdir", 1)),
    *(("openat", number) for number in range(5, 60, 6)),
]


@pytest.mark.parametrize(("call", "number"), MOMENTS)
def test_a_half_checkout_is_healed_and_untracked_files_stay(tmp_path: Path, call: str, number: int) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    second = commit(up, NEW)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    (root / "sib" / "b" / "mine").write_text("mine")
    program = TRACED.format(strace=STRACE, git=GIT, command="checkout", call=call, number=number)

    assert killed(tmp_path, root, up, second, program) == -signal.SIGKILL
    checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {**MOVED, "b/mine": "mine"}
    check_moved(root, second)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_work_done_after_a_kill_is_never_taken_for_gits(tmp_path: Path, number: int) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    second = commit(up, NEW)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    program = TRACED.format(strace=STRACE, git=GIT, command="checkout", call="write", number=number)
    killed(tmp_path, root, up, second, program)
    work = {"z": "my work", "c": "my work"}
    for name, content in work.items():
        (root / "sib" / name).write_text(content)
    before = files(root / "sib")

    with pytest.raises(IntegrityError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "an interrupted checkout cannot be finished: 1 files are of neither commit\n"
        f"  where:    {root / 'sib'}\n"
        f"  expected: the files of {first} or {second}\n"
        "  - 'z'\n"
        "  fix:      move these files away, then try again"
    )
    assert files(root / "sib") == before
    (root / "sib" / "z").unlink()
    with pytest.raises(IntegrityError, match="would overwrite 1 file\n"):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)
    assert (root / "sib" / "c").read_text() == "my work"


@pytest.mark.parametrize("call", ["openat", "write", "rename"])
def test_a_fetch_into_a_sibling_that_is_killed_is_healed(tmp_path: Path, call: str) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    second = commit(up, NEW)
    for number in (1, 3, 8):
        program = TRACED.format(strace=STRACE, git=GIT, command="fetch", call=call, number=number)
        killed(tmp_path, root, up, second, program)
        assert files(root / "sib") in (OLD, MOVED)  # the last ones may come after the fetch

    checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == MOVED
    check_moved(root, second)


def test_a_lock_file_that_a_living_git_holds_is_left_alone(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    second = commit(up, NEW)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    program = TRACED.format(strace=STRACE, git=GIT, command="checkout", call="write", number=1)
    killed(tmp_path, root, up, second, program)
    lock = root / "sib" / ".git" / "index.lock"

    with lock.open("a"), pytest.raises(UnavailableError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "another git works in the sibling\n"
        f"  where:    {root / 'sib'}\n"
        f"  found:    process {os.getpid()}\n"
        "  fix:      wait for it to end, then try again"
    )
    assert lock.exists()


def test_a_lock_file_that_bitproof_did_not_leave_is_reported_and_left_alone(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    second = commit(up, NEW)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    lock = root / "sib" / ".git" / "index.lock"
    lock.touch()

    with pytest.raises(UnavailableError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "another git works in the sibling, or was killed there\n"
        f"  where:    {root / 'sib'}\n"
        "  found:    index.lock\n"
        f"  fix:      if no git runs there, remove {lock}"
    )
    assert lock.exists()
    assert files(root / "sib") == OLD
    assert not leftovers(root)


def test_what_was_staged_after_a_kill_is_the_users(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, OLD)
    second = commit(up, NEW)
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    program = TRACED.format(strace=STRACE, git=GIT, command="checkout", call="write", number=1)
    killed(tmp_path, root, up, second, program)
    (root / "sib" / ".git" / "index.lock").unlink()
    (root / "sib" / "c").write_text("my work")
    git(root / "sib", "add", "c")

    with pytest.raises(IntegrityError, match="would overwrite "):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert git(root / "sib", "show", ":c") == "my work"


def test_a_symlink_that_a_killed_checkout_made_is_gits(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    first = raw_commit(up, {"l": ("120000", "old"), "z": ("100644", "1")})
    second = raw_commit(up, {"l": ("120000", "new"), "z": ("100644", "2")})
    root = tmp_path / "root"
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    program = TRACED.format(strace=STRACE, git=GIT, command="checkout", call="write", number=1)
    killed(tmp_path, root, up, second, program)
    assert (root / "sib" / "l").readlink() == Path("new")

    checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert (root / "sib" / "z").read_text() == "2"
    check_moved(root, second)
