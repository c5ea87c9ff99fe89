import threading
from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.workshop import sibling_lock
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from bitproof.system.git.worktree import commit_time
from tests.caps.repositories import LOCAL, cap, commit, files, git, leftovers, upstream

FORMATS = ("sha1", "sha256")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def head_of(path: Path) -> str | None:
    with Directory(path) as directory:
        return head(directory)


@pytest.mark.parametrize("object_format", FORMATS)
def test_a_missing_sibling_is_cloned_at_exactly_the_pinned_commit(
    tmp_path: Path, root: Path, object_format: str
) -> None:
    up = upstream(tmp_path / "up", object_format=object_format)
    first = commit(up, {"a": "1"})
    commit(up, {"a": "2", "b": "new"})

    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "1"}
    assert head_of(root / "sib") == first
    assert git(root / "sib", "status", "--porcelain") == ""
    assert git(root / "sib", "rev-list", "--all", "HEAD") == first
    assert git(root / "sib", "remote", "--verbose").split()[:2] == ["origin", f"file://{up}"]
    assert not leftovers(root)


@pytest.mark.parametrize("object_format", FORMATS)
def test_a_checkout_moves_to_the_pin_and_keeps_untracked_files(tmp_path: Path, root: Path, object_format: str) -> None:
    up = upstream(tmp_path / "up", object_format=object_format)
    first = commit(up, {"a": "1", "gone": "x"})
    second = commit(up, {"a": "2", "gone": None, "d/b": "new", ".gitignore": "ignored\n"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    (root / "sib" / "notes.txt").write_text("mine")

    checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)
    assert files(root / "sib") == {"a": "2", "d/b": "new", ".gitignore": "ignored\n", "notes.txt": "mine"}
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "1", "gone": "x", "notes.txt": "mine"}
    assert head_of(root / "sib") == first
    assert not leftovers(root)


def test_a_users_own_complete_clone_keeps_its_history_and_its_refs(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2"})
    root.mkdir()
    git(root, "clone", "--quiet", f"file://{up}", "sib")
    third = commit(up, {"a": "3"})
    before = git(root / "sib", "for-each-ref")

    checkout(cap(f"file://{up}", third), root, LOCAL, base=tmp_path)

    assert git(root / "sib", "rev-list", "HEAD").split() == [third, second, first]
    assert git(root / "sib", "for-each-ref") == before
    assert not (root / "sib" / ".git" / "shallow").exists()
    assert not (root / "sib" / ".git" / "FETCH_HEAD").exists()


@pytest.mark.parametrize("staged", [False, True])
def test_uncommitted_changes_are_never_overwritten(tmp_path: Path, root: Path, staged: bool) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1", "same": "s"})
    second = commit(up, {"a": "2"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    sibling = root / "sib"
    (sibling / "same").write_text("my work")
    if staged:
        git(sibling, "add", "same")

    with pytest.raises(IntegrityError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "would overwrite 1 file\n"
        f"  where:    {sibling}\n"
        "  found:    uncommitted changes\n"
        "  - same\n"
        "  fix:      commit, stash or move them away, then try again"
    )
    assert files(sibling) == {"a": "1", "same": "my work"}
    assert head_of(sibling) == first


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_told_to_overlook_is_not_overwritten(tmp_path: Path, root: Path, flag: str) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    git(root / "sib", "update-index", flag, "a")
    (root / "sib" / "a").write_text("my work")

    with pytest.raises(IntegrityError, match="would overwrite 1 file\n"):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "my work"}


def test_untracked_files_in_the_way_are_named_ten_at_most(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {".gitignore": "*.log\n"})
    second = commit(up, {f"{number:02}": "theirs" for number in range(11)})
    git(up, "add", "--force", "--all")
    (up / "x.log").write_text("theirs")
    git(up, "add", "--force", "x.log")
    second = commit(up, {})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    sibling = root / "sib"
    mine = {f"{number:02}": "mine" for number in range(11)} | {"x.log": "ignored, and mine"}
    for name, content in mine.items():
        (sibling / name).write_text(content)

    with pytest.raises(IntegrityError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert caught.value.what == "would overwrite 12 files"
    assert [str(problem) for problem in caught.value.problems] == [f"{number:02}" for number in range(10)]
    assert files(sibling) == {".gitignore": "*.log\n", **mine}
    assert head_of(sibling) == first


@pytest.mark.parametrize("in_the_way", ["file", "symlink"])
def test_an_untracked_file_where_a_directory_must_go_is_kept(tmp_path: Path, root: Path, in_the_way: str) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"d/b": "theirs"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    if in_the_way == "file":
        (root / "sib" / "d").write_text("mine")
    else:
        (root / "sib" / "d").symlink_to(outside)

    with pytest.raises(IntegrityError, match="would overwrite 1 file\n"):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert list(outside.iterdir()) == []
    assert head_of(root / "sib") == first


def test_files_in_an_untracked_directory_where_a_file_must_go_are_kept(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"d": "theirs"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    (root / "sib" / "d").mkdir()
    (root / "sib" / "d" / "mine").write_text("mine")

    with pytest.raises(UnavailableError, match="git could not check out the pinned commit"):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "1", "d/mine": "mine"}
    assert head_of(root / "sib") == first
    assert not leftovers(root)


def test_a_file_may_become_a_directory_and_a_directory_a_file(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1", "d/b": "2"})
    (up / "a").unlink()
    (up / "d" / "b").unlink()
    (up / "d").rmdir()
    second = commit(up, {"a/x": "3", "d": "4"})

    for sha, content in ((first, {"a": "1", "d/b": "2"}), (second, {"a/x": "3", "d": "4"})) * 2:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
        assert files(root / "sib") == content


def test_a_directory_that_is_no_repository_is_left_alone(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    (root / "sib").mkdir(parents=True)
    (root / "sib" / "mine").write_text("mine")

    with pytest.raises(Exception, match="the directory is there and is not a git repository") as caught:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert "if nothing in it is needed, move it away and let `bitproof caps sync` clone it" in str(caught.value)
    assert files(root / "sib") == {"mine": "mine"}


def test_an_empty_directory_is_cloned_into(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    (root / "sib").mkdir(parents=True)

    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert head_of(root / "sib") == sha


def test_a_relative_local_repo_starts_at_the_manifest(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "product" / "remotes" / "up")
    sha = commit(up, {"a": "1"})

    checkout(cap("./remotes/up", sha), root, LOCAL, base=tmp_path / "product")

    assert head_of(root / "sib") == sha


def test_two_checkouts_of_one_git_root_at_once_both_end_well(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {str(number): "x" * 1000 for number in range(50)})
    failures: list[BaseException] = []

    def run() -> None:
        try:
            checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
        except BaseException as error:  # noqa: BLE001 - judged below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert head_of(root / "sib") == sha
    assert not leftovers(root)


def test_whoever_waits_for_a_sibling_is_told(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    waiting = threading.Event()
    other = threading.Thread(
        target=lambda: checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path, waiting=lambda _: waiting.set())
    )
    with sibling_lock(root, "sib"):
        other.start()
        assert waiting.wait(30)
        assert not (root / "sib").exists()
    other.join()

    assert head_of(root / "sib") == sha


def test_the_log_has_every_command(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})

    with (tmp_path / "log").open("ab+") as log:
        checkout(cap(f"file://{up}", sha), root, Git(allow_local=True, log=log.fileno()), base=tmp_path)

    commands = (tmp_path / "log").read_text()
    assert f"-- file://{up} {sha}\n" in commands
    assert f"checkout --quiet --detach --no-recurse-submodules --no-overwrite-ignore {sha} --\n" in commands


def test_the_time_of_a_commit_is_read(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})

    with Directory(up) as directory:
        assert commit_time(LOCAL.open(directory), sha) == 1_700_000_000


def test_a_repository_without_a_commit_is_checked_out(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    upstream(root / "sib")
    (root / "sib" / "mine").write_text("mine")

    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert files(root / "sib") == {"a": "1", "mine": "mine"}
    assert not leftovers(root)
