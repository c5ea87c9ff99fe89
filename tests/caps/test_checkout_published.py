from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.published import uncommitted
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
