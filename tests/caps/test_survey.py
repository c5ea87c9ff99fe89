import os
from pathlib import Path

import pytest

from bitproof.caps.plan import SiblingState
from bitproof.caps.survey import survey
from bitproof.model.digest import Digest
from bitproof.system.digest_cache import CACHE_NAME
from tests.caps.shelf import SHA, Shelf, cap, settle, sha256, temporaries


def test_survey_sees_head_and_artifact(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    composed, one, moved = cap("p", precomposed=True), cap("one"), cap("moved")
    shelf.put(composed, one)
    shelf.at(moved, "2" * 40)

    assert survey((composed, one, moved, cap("gone")), shelf.roots) == {
        "p": SiblingState("", sha256(b"p")),
        "one": SiblingState(SHA, sha256(b"one")),
        "moved": SiblingState("2" * 40, None),
        "gone": SiblingState(),
    }


def test_survey_makes_no_git_root(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.roots.git_root.rmdir()
    composed = cap("p", precomposed=True)
    shelf.put(composed)

    assert survey((composed, cap()), shelf.roots)["p"] == SiblingState("", sha256(b"p"))
    assert not shelf.roots.git_root.exists()


def test_survey_believes_a_remembered_digest_only_while_the_file_is_as_it_was(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    path = shelf.roots.artifact(cap())
    settle(path)
    survey((cap(),), shelf.roots)
    cache = shelf.roots.git_root / CACHE_NAME
    lied = cache.read_text().replace(sha256(b"one").value, "f" * 64)
    cache.write_text(lied)

    assert survey((cap(),), shelf.roots)["one"].artifact == Digest("sha256", "f" * 64)
    assert survey((cap(),), shelf.roots, use_cache=False)["one"].artifact == sha256(b"one")
    assert cache.read_text() == lied
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert survey((cap(),), shelf.roots)["one"].artifact == sha256(b"two")


def test_survey_does_not_remember_a_file_that_changed_just_now(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    ahead = shelf.roots.artifact(cap()).stat().st_mtime_ns + 10**12
    os.utime(shelf.roots.artifact(cap()), ns=(ahead, ahead))

    survey((cap(),), shelf.roots)

    assert sha256(b"one").value not in _read(shelf.roots.git_root / CACHE_NAME)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_survey_keeps_what_it_remembers_of_other_caps(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap("a"), cap("b"))
    settle(shelf.roots.artifact(cap("b")))
    survey((cap("a"), cap("b")), shelf.roots)
    before = _read(shelf.roots.git_root / CACHE_NAME)

    survey((cap("b"),), shelf.roots)

    assert sha256(b"a").value in before
    assert sorted(_read(shelf.roots.git_root / CACHE_NAME)) == sorted(before)


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b'{"x": NaN}', b'{"%s": [1, 2]}'])
def test_a_damaged_cache_is_no_cache(tmp_path: Path, garbage: bytes) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    path = str(shelf.roots.artifact(cap())).encode()
    (shelf.roots.git_root / CACHE_NAME).write_bytes(garbage.replace(b"%s", path))

    assert survey((cap(),), shelf.roots)["one"] == SiblingState(SHA, sha256(b"one"))
    assert temporaries(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    settle(shelf.roots.artifact(cap()))
    (shelf.roots.git_root / CACHE_NAME / "x").mkdir(parents=True)

    assert survey((cap(),), shelf.roots)["one"] == SiblingState(SHA, sha256(b"one"))
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("form", ["symlink", "fifo", "directory", "linked directory"])
def test_an_artifact_that_is_no_regular_file_counts_as_missing(tmp_path: Path, form: str) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    path = shelf.roots.artifact(cap())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / path.name).write_bytes(b"one")
    path.unlink()
    if form == "symlink":
        path.symlink_to(tmp_path / "elsewhere" / path.name)
    elif form == "fifo":
        os.mkfifo(path)
    elif form == "directory":
        path.mkdir()
    else:
        path.parent.rmdir()
        path.parent.symlink_to(tmp_path / "elsewhere")

    assert survey((cap(),), shelf.roots)["one"] == SiblingState(SHA, None)


def test_a_sibling_that_is_a_symlink_or_has_no_readable_head_counts_as_not_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(cap("a"), cap("b"))
    (shelf.roots.git_root / "a").rename(tmp_path / "moved")
    (shelf.roots.git_root / "a").symlink_to(tmp_path / "moved")
    (shelf.roots.git_root / "b" / ".git" / "HEAD").write_text("garbage")

    assert survey((cap("a"), cap("b")), shelf.roots) == {
        "a": SiblingState("", None),
        "b": SiblingState("", sha256(b"b")),
    }
