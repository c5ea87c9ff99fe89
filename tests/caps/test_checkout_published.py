from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.published import published_head, uncommitted
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.system.files import Directory
from tests.caps.repositories import LOCAL, cap, commit, git, raw_commit, upstream

DESCRIBED = '[submodule "s"]\n\tpath = d/sub\n\turl = ../inner\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def changes(root: Path) -> list[str]:
    with Directory(root / "sib") as sibling:
        return uncommitted(LOCAL, sibling)


def test_untracked_files_are_no_change_and_tracked_ones_are(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    checkout(cap(f"file://{up}", commit(up, {"a": "1"})), root, LOCAL, base=tmp_path)
    (root / "sib" / "untracked").touch()
    assert changes(root) == []
    (root / "sib" / "a").write_text("2")

    assert changes(root) == ["a"]


def test_a_submodule_that_moved_or_changed_makes_its_sibling_dirty(tmp_path: Path, root: Path) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = commit(inner, {"i": "1"})
    up = upstream(tmp_path / "up")
    sha = raw_commit(up, {".gitmodules": ("100644", DESCRIBED), "d/sub": ("160000", recorded)})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    assert changes(root) == []
    commit(root / "sib" / "d" / "sub", {"i": "2"})
    (root / "sib" / "d" / "sub" / "i").write_text("3")

    assert changes(root) == ["d/sub", "d/sub/i"]


def test_a_submodule_that_is_not_checked_out_is_no_change(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = raw_commit(up, {"a": ("100644", "1"), "sub": ("160000", "12" * 20)})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert changes(root) == []
    (root / "sib" / "sub").rmdir()
    assert changes(root) == []


def test_a_repository_without_a_commit_has_no_submodules(root: Path) -> None:
    upstream(root / "sib")

    assert changes(root) == []


def test_a_submodules_own_config_runs_nothing(tmp_path: Path, root: Path) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = commit(inner, {"i": "1"})
    up = upstream(tmp_path / "up")
    sha = raw_commit(up, {".gitmodules": ("100644", DESCRIBED), "d/sub": ("160000", recorded)})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    canary = tmp_path / "canary"
    git(root / "sib" / "d" / "sub", "config", "core.fsmonitor", f"touch {canary}; false")

    changes(root)
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert not canary.exists()


def test_the_head_of_a_clean_sibling_that_was_pushed_is_published(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    pin = cap(f"file://{up}", sha)
    checkout(pin, root, LOCAL, base=tmp_path)
    commit(up, {"a": "2"})

    assert published_head(pin, root, LOCAL, base=tmp_path) == sha


def test_a_dirty_sibling_cannot_be_pinned(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    pin = cap(f"file://{up}", commit(up, {"a": "1"}))
    checkout(pin, root, LOCAL, base=tmp_path)
    (root / "sib" / "a").write_text("2")

    with pytest.raises(IntegrityError) as caught:
        published_head(pin, root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "the sibling has uncommitted changes\n"
        f"  where:    {root / 'sib'}\n"
        "  found:    1 file\n"
        "  - a\n"
        "  fix:      commit and push them first"
    )


def test_a_commit_that_was_not_pushed_cannot_be_pinned(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    pin = cap(f"file://{up}", commit(up, {"a": "1"}))
    checkout(pin, root, LOCAL, base=tmp_path)
    sha = commit(root / "sib", {"a": "2"})

    with pytest.raises(IntegrityError) as caught:
        published_head(pin, root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "no branch or tag of the remote has the sibling's HEAD\n"
        f"  where:    {root / 'sib'}\n"
        f"  expected: a commit of file://{up}\n"
        f"  found:    {sha}\n"
        "  fix:      push it first"
    )


def test_a_sibling_that_is_missing_or_has_no_commit_cannot_be_pinned(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    pin = cap(f"file://{tmp_path}/up", "12" * 20)

    with pytest.raises(UnavailableError, match="the directory cannot be opened"):
        published_head(pin, root, LOCAL, base=tmp_path)
    upstream(root / "sib")
    with pytest.raises(InputError, match="the sibling has no commit"):
        published_head(pin, root, LOCAL, base=tmp_path)
