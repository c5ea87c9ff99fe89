import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.git.config import HARDENED
from bitproof.system.git.repository import Git
from bitproof.system.git.worktree import changed_files, commit_time, conflicts, has_commit, tree
from bitproof.system.lock import locked
from bitproof.system.process import OverdueError, find_program, run
from tests.caps.repositories import LOCAL, commit, git, raw_commit, upstream

SH = find_program("sh", "dash")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Directory]:
    with Directory(upstream(tmp_path / "up")) as directory:
        yield directory


def environment_of(git_: Git) -> dict[str, str]:
    """What git really gets, told by an alias of git's own kind."""
    alias = (("alias.tell", "!env -0"),)
    lines = git_.run("tell", "tell", settings=alias).decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def test_git_gets_a_made_environment_and_only_the_named_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH", "/bin/false")
    monkeypatch.setenv("SECRET", "x")

    named = {"SSH_AUTH_SOCK": "/run/ssh.sock", "GIT_SSL_CAINFO": "/etc/ca.pem"}
    got = environment_of(Git(environment={**named, "GIT_SSH_COMMAND": "evil", "GIT_DIR": "/"}))

    assert named.items() <= got.items()
    assert got["GIT_SSH_COMMAND"] == "ssh -o BatchMode=yes -o ControlMaster=no"
    assert got["GIT_ALLOW_PROTOCOL"] == "https:ssh:git"
    assert (got["GIT_CONFIG_NOSYSTEM"], got["GIT_CONFIG_GLOBAL"], got["GIT_TERMINAL_PROMPT"]) == ("1", "/dev/null", "0")
    assert not {"GIT_SSH", "GIT_DIR", "SECRET", "HOME", "GIT_EDITOR"} & set(got)


def test_local_transports_need_leave() -> None:
    assert environment_of(LOCAL)["GIT_ALLOW_PROTOCOL"] == "https:ssh:git:file"


def test_what_is_hardened_wins_over_the_repository(up: Directory) -> None:
    for key, _ in HARDENED:
        git(up.path, "config", key, "theirs")

    for key, value in HARDENED:
        assert LOCAL.run("read", "config", key, at=up).decode() == f"{value}\n"


def test_git_that_fails_is_told_with_step_command_and_last_lines(up: Directory) -> None:
    with pytest.raises(UnavailableError) as caught:
        LOCAL.open(up).run("show it", "cat-file", "-p", "nothing")

    assert str(caught.value) == (
        "git could not show it\n"
        f"  where:    {up.path}\n"
        "  found:    exit code 128 of git --git-dir=.git --work-tree=. cat-file -p nothing\n"
        "  | fatal: Not a valid object name nothing"
    )


def test_git_does_not_search_upwards(up: Directory) -> None:
    (up.path / "inner").mkdir()

    with up.child("inner") as inner, pytest.raises(InputError, match="is not a git repository"):
        LOCAL.open(inner)


def test_a_config_that_is_too_large_is_refused(up: Directory) -> None:
    (up.path / ".git" / "config").write_text("#" * ((1 << 20) + 1))

    with pytest.raises(InputError, match="the git config is too large"):
        LOCAL.open(up)


def test_a_config_that_git_cannot_read_is_told(up: Directory) -> None:
    (up.path / ".git" / "config").write_text("[core\n")

    with pytest.raises(UnavailableError, match="git could not read the config ") as caught:
        LOCAL.open(up)

    assert any("bad config line 1" in line for line in caught.value.details)


def test_a_repository_without_a_config_is_opened(up: Directory) -> None:
    (up.path / ".git" / "config").unlink()

    assert LOCAL.open(up).settings == ()


def test_directories_nested_without_end_are_refused(up: Directory) -> None:
    current = up.path / ".git"
    for _ in range(70):
        current /= "d"
    current.mkdir(parents=True)

    with pytest.raises(InputError, match="bitproof does not use git in this repository"):
        LOCAL.open(up)


def test_the_files_of_a_commit_are_listed(up: Directory) -> None:
    sha = raw_commit(up.path, {"a b": ("100755", "1"), "ü\n": ("120000", "a"), "sub": ("160000", "12" * 20)})

    assert [(entry.mode, entry.path) for entry in tree(LOCAL.open(up), sha)] == [
        ("100755", "a b"),
        ("160000", "sub"),
        ("120000", "ü\n"),
    ]


def test_changes_are_found_staged_or_not_and_untracked_files_are_none(up: Directory) -> None:
    commit(up.path, {"a": "1", "b": "2", "c": "3", "d": "4"})
    (up.path / "a").write_text("x")
    (up.path / "b").write_text("x")
    git(up.path, "add", "b")
    (up.path / "c").unlink()
    (up.path / "new\n").write_text("x")
    os.utime(up.path / "d")

    assert changed_files(LOCAL.open(up)) == ["a", "b", "c"]


def test_reading_changes_nothing_in_the_repository(up: Directory) -> None:
    sha = commit(up.path, {"a": "1"})
    os.utime(up.path / "a", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in (up.path / ".git").rglob("*")}
    repository = LOCAL.open(up)

    changed_files(repository)
    conflicts(repository, tree(repository, sha))
    assert has_commit(repository, sha)
    assert not has_commit(repository, "12" * 20)

    assert {path: path.stat().st_mtime_ns for path in (up.path / ".git").rglob("*")} == before


def test_a_commit_without_a_time_is_refused(up: Directory) -> None:
    made = git(up.path, "hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=b"tree x\n\nmessage\n")

    with pytest.raises(InputError, match="the commit has no time"):
        commit_time(LOCAL.open(up), made)


def test_a_log_gets_what_is_written_while_it_is_and_errors_quote_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab+") as log:
        log.write(b"before\n")
        log.flush()
        with pytest.raises(UnavailableError) as caught:
            run([SH, "-c", "echo out; echo err >&2; exit 3"], log=log.fileno())

    assert caught.value.details == ("err",)
    assert (tmp_path / "log").read_text() == "before\nerr\n"


@pytest.mark.parametrize("logged", [False, True])
def test_a_program_that_takes_too_long_is_quoted_too(tmp_path: Path, logged: bool) -> None:
    began = time.monotonic()
    with (tmp_path / "log").open("ab+") as log, pytest.raises(OverdueError) as caught:
        run([SH, "-c", "echo slow >&2; exec sleep 60"], timeout=0.5, log=log.fileno() if logged else None)

    assert caught.value.details == ("slow",)
    assert time.monotonic() - began < 10


def test_two_locks_of_one_directory_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with (
        Directory(tmp_path) as directory,
        locked(directory, name="a.lock", wait=False),
        locked(directory, name="b.lock", wait=False),
        pytest.raises(UnavailableError, match="locked by another process"),
        locked(directory, name="a.lock", wait=False),
    ):
        pass


def test_a_directory_is_moved_only_where_nothing_is_lost(tmp_path: Path) -> None:
    for name in ("from/d/x", "to/full/mine", "to/empty"):
        (tmp_path / name).mkdir(parents=True)

    with Directory(tmp_path / "from") as source, Directory(tmp_path / "to") as target:
        with pytest.raises(UnavailableError, match="it cannot be renamed"):
            source.move("d", target, "full")
        source.move("d", target, "empty")
        target.remove_tree("full")
        target.remove_tree("full")

    assert [path.name for path in sorted((tmp_path / "to").rglob("*"))] == ["empty", "x"]


def test_a_tree_is_removed_without_following_symlinks(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(tmp_path / "outside")

    with Directory(tmp_path) as directory:
        directory.remove_tree("d")
        with pytest.raises(UnavailableError, match="the directory cannot be removed"):
            directory.remove_tree("link")

    assert [path.name for path in sorted(tmp_path.iterdir())] == ["link", "outside"]
    assert (tmp_path / "outside" / "x").exists()
