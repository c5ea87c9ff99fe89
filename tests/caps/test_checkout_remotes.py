import os
import time
from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.published import remote_contains
from bitproof.errors import InputError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from tests.caps.repositories import (
    LOCAL,
    Answer,
    Garbage,
    HangUp,
    Stall,
    cap,
    commit,
    files,
    git,
    leftovers,
    serving,
    upstream,
)
from tests.conftest import Mount

REMOTE = Git(timeout=20)
ABSENT = "1234567890" * 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def small_root(mounted: Mount) -> Path:
    """A git root of 1 MB."""
    return mounted("size=1m")


def test_a_server_that_refuses_a_commit_by_name_gives_all_branches_and_tags(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2"})

    with serving(tmp_path) as server:
        checkout(cap(server.url("up"), second), root, REMOTE, base=tmp_path)
        assert server.asked == ["up"]  # a tip is given by name
        checkout(cap(server.url("up"), first), root, REMOTE, base=tmp_path)

    with Directory(root / "sib") as sibling:
        assert head(sibling) == first
    assert files(root / "sib") == {"a": "1"}
    assert not leftovers(root)


def test_a_new_clone_from_such_a_server_ends_well_too(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    commit(up, {"a": "2"})

    with serving(tmp_path) as server:
        checkout(cap(server.url("up"), first), root, REMOTE, base=tmp_path)

    assert files(root / "sib") == {"a": "1"}


def test_a_commit_that_the_remote_does_not_have_is_named(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    commit(up, {"a": "1"})

    with pytest.raises(UnavailableError) as caught:
        checkout(cap(f"file://{up}", ABSENT), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "the repository does not have the pinned commit\n"
        f"  where:    file://{up}\n"
        f"  expected: {ABSENT}\n"
        "  fix:      check the pin: was it pushed, and is it of this repository?"
    )
    assert not (root / "sib").exists()
    assert not leftovers(root)


def test_a_pin_that_is_a_tree_is_refused(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    commit(up, {"a": "1"})
    tree = git(up, "rev-parse", "HEAD^{tree}")

    with pytest.raises(InputError, match=f"the pin is not a commit\n.*\n.*commit {tree}\n  found:    {tree} tree"):
        checkout(cap(f"file://{up}", tree), root, LOCAL, base=tmp_path)

    assert not (root / "sib").exists()


def test_a_sha256_pin_is_refused_in_a_sha1_checkout(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    with pytest.raises(InputError) as caught:
        checkout(cap(f"file://{up}", "12" * 32), root, LOCAL, base=tmp_path)

    assert caught.value.what == "the pin is of another kind of repository"
    assert (caught.value.expected, caught.value.found) == (f"sha256: {'12' * 32}", "sha1")


def test_a_remote_that_is_gone_is_told_with_step_and_command(tmp_path: Path, root: Path) -> None:
    with serving(tmp_path) as server:
        url = server.url("up")

    with pytest.raises(UnavailableError) as caught:
        checkout(cap(url, ABSENT), root, REMOTE, base=tmp_path)

    assert caught.value.what == "git could not fetch all branches and tags"
    assert caught.value.found.startswith("exit code 128 of git --git-dir=.git --work-tree=. fetch ")
    assert f"-- {url} +refs/heads/*" in caught.value.found
    assert any("Connection refused" in line for line in caught.value.details)
    assert not (root / "sib").exists()
    assert not leftovers(root)


@pytest.mark.parametrize("answer", [Garbage(), HangUp()], ids=["garbage", "hang up"])
def test_a_remote_that_answers_garbage_is_an_error_safe_to_print(tmp_path: Path, root: Path, answer: Answer) -> None:
    with serving(tmp_path, answer) as server, pytest.raises(UnavailableError) as caught:
        checkout(cap(server.url("up"), ABSENT), root, REMOTE, base=tmp_path)

    assert caught.value.what == "git could not fetch all branches and tags"
    assert caught.value.details
    assert "\x1b" not in str(caught.value)
    assert not (root / "sib").exists()
    assert not leftovers(root)


def test_a_remote_that_stalls_ends_at_the_deadline(tmp_path: Path, root: Path) -> None:
    began = time.monotonic()

    with serving(tmp_path, Stall()) as server, pytest.raises(UnavailableError) as caught:
        checkout(cap(server.url("up"), ABSENT), root, Git(timeout=0.5), base=tmp_path)

    assert time.monotonic() - began < 5
    assert caught.value.what == "git could not fetch the pinned commit in time"
    assert caught.value.expected == "at most 0.5 s"
    assert caught.value.fix == "see whether the server answers, or raise caps.timeout in bitproof.toml"
    assert not (root / "sib").exists()
    assert not leftovers(root)


def test_a_stall_while_a_sibling_is_moved_leaves_it_as_it_was(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    later = commit(up, {"a": "2"})

    with serving(tmp_path, Stall()) as server, pytest.raises(UnavailableError, match="in time"):
        checkout(cap(server.url("up"), later), root, Git(timeout=0.5), base=tmp_path)

    assert files(root / "sib") == {"a": "1"}
    assert not leftovers(root)
    checkout(cap(f"file://{up}", later), root, LOCAL, base=tmp_path)
    assert files(root / "sib") == {"a": "2"}


def test_a_stopped_sync_ends_its_git(tmp_path: Path, root: Path) -> None:
    began = time.monotonic()

    with serving(tmp_path, Stall()) as server, pytest.raises(UnavailableError):
        checkout(cap(server.url("up"), ABSENT), root, Git(timeout=60, stopped=lambda: True), base=tmp_path)

    assert time.monotonic() - began < 10


def test_a_disk_that_fills_up_during_a_clone_leaves_nothing(tmp_path: Path, small_root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {str(number): os.urandom(200_000).hex() for number in range(10)})

    with pytest.raises(UnavailableError) as caught:
        checkout(cap(f"file://{up}", sha), small_root, LOCAL, base=tmp_path)

    assert any("No space left on device" in line for line in caught.value.details)
    assert not (small_root / "sib").exists()
    assert not leftovers(small_root)


def test_a_disk_that_fills_up_during_a_checkout_leaves_the_old_commit(tmp_path: Path, small_root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2", "big": "x" * 2_000_000})
    checkout(cap(f"file://{up}", first), small_root, LOCAL, base=tmp_path)

    with pytest.raises(UnavailableError):
        checkout(cap(f"file://{up}", second), small_root, LOCAL, base=tmp_path)

    assert files(small_root / "sib") == {"a": "1"}
    assert git(small_root / "sib", "status", "--porcelain") == ""
    assert not leftovers(small_root)


def test_a_commit_of_a_branch_or_tag_is_contained_and_a_forks_is_not(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    tip = commit(up, {"a": "2"})
    git(up, "checkout", "--quiet", "-b", "side")
    git(up, "tag", "--annotate", "-m", "v1", "v1")
    tagged = commit(up, {"a": "3"})
    git(up, "tag", "--annotate", "-m", "v2", "v2")
    git(up, "checkout", "--quiet", "main")
    git(up, "branch", "--quiet", "-D", "side")
    git(up, "checkout", "--quiet", "--detach")
    fork = commit(up, {"a": "evil"})
    git(up, "update-ref", "refs/pull/1/head", fork)
    git(up, "checkout", "--quiet", "main")

    for sha, contained in ((first, True), (tip, True), (tagged, True), (fork, False), (ABSENT, False)):
        assert remote_contains(cap(f"file://{up}", first), sha, root, LOCAL, base=tmp_path) is contained
    assert not leftovers(root)
    checkout(cap(f"file://{up}", fork), root, LOCAL, base=tmp_path)  # served all the same: why regen must ask


def test_what_the_sibling_says_does_not_decide_what_the_remote_contains(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    sibling = root / "sib"
    own = commit(sibling, {"a": "not pushed"})
    git(sibling, "update-ref", "refs/remotes/origin/main", own)
    git(sibling, "replace", "--graft", own)
    (sibling / ".git" / "info").mkdir(exist_ok=True)
    (sibling / ".git" / "info" / "grafts").write_text(f"{sha} {own}\n")

    assert remote_contains(cap(f"file://{up}", sha), own, root, LOCAL, base=tmp_path) is False
    assert remote_contains(cap(f"file://{up}", sha), sha, root, LOCAL, base=tmp_path) is True


def test_a_sha256_remote_can_be_asked(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up", object_format="sha256")
    first = commit(up, {"a": "1"})
    commit(up, {"a": "2"})

    assert remote_contains(cap(f"file://{up}", first), first, root, LOCAL, base=tmp_path)
    assert not remote_contains(cap(f"file://{up}", first), "12" * 32, root, LOCAL, base=tmp_path)


def test_an_empty_remote_contains_nothing(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")

    assert not remote_contains(cap(f"file://{up}", ABSENT), ABSENT, root, LOCAL, base=tmp_path)


def test_a_remote_of_protocol_v0_without_filters_can_be_asked(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    commit(up, {"a": "2"})

    with serving(tmp_path) as server:
        assert remote_contains(cap(server.url("up"), first), first, root, REMOTE, base=tmp_path)
        assert not remote_contains(cap(server.url("up"), first), ABSENT, root, REMOTE, base=tmp_path)


def test_a_server_that_fails_on_a_filter_is_asked_without_one(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    commit(up, {"a": "2"})

    with serving(tmp_path, breaks_at=frozenset({2})) as server:
        assert remote_contains(cap(server.url("up"), first), first, root, REMOTE, base=tmp_path)
        assert len(server.asked) == 3


def test_a_remote_that_stalls_cannot_be_asked(tmp_path: Path, root: Path) -> None:
    with serving(tmp_path, Stall()) as server, pytest.raises(UnavailableError) as caught:
        remote_contains(cap(server.url("up"), ABSENT), ABSENT, root, Git(timeout=0.5), base=tmp_path)

    assert caught.value.what == "git could not list the branches and tags in time"
    assert not leftovers(root)


def test_a_connection_that_breaks_while_a_sibling_is_moved_leaves_it_as_it_was(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    second = commit(up, {"a": "2"})

    with serving(tmp_path, breaks_at=frozenset({1, 2})) as server:
        with pytest.raises(UnavailableError):
            checkout(cap(server.url("up"), second), root, REMOTE, base=tmp_path)
        assert files(root / "sib") == {"a": "1"}
        assert not leftovers(root)
        checkout(cap(server.url("up"), second), root, REMOTE, base=tmp_path)

    assert files(root / "sib") == {"a": "2"}
