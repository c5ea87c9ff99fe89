import os
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.caps.siblings import digest_below, directory_below, open_below, open_sibling, write_below
from bitproof.errors import InputError, UnavailableError
from tests.caps.shelf import Shelf, cap, sha256, temporaries


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_a_siblings_artifact_lies_below_the_git_root_and_a_precomposed_one_below_the_manifests_repository(
    shelf: Shelf,
) -> None:
    roots, one, composed = shelf.roots, cap(local_dir="elsewhere"), cap(precomposed=True)

    assert roots.place(one) == (roots.git_root, ("elsewhere", "out", "one.wasm"))
    assert roots.place(composed) == (roots.own, ("out", "one.wasm"))
    assert roots.artifact(one) == roots.git_root / "elsewhere/out/one.wasm"
    assert roots.artifact(composed) == roots.own / "out/one.wasm"


def test_a_file_is_digested_below_its_root(shelf: Shelf) -> None:
    shelf.put(cap())
    told: list[int] = []

    assert digest_below(*shelf.roots.place(cap()), told.append) == sha256(b"one")
    assert told == [3]


@pytest.mark.parametrize("there", ["", "git/one", "git/one/out"])
def test_a_missing_part_of_the_way_is_a_missing_file(tmp_path: Path, there: str) -> None:
    (tmp_path / there).mkdir(parents=True, exist_ok=True)

    assert open_below(tmp_path / "git", ("one", "out", "one.wasm")) is None
    assert digest_below(tmp_path / "git", ("one", "out", "one.wasm")) is None


def test_an_artifact_that_is_a_symlink_is_not_read(shelf: Shelf) -> None:
    shelf.put(cap())
    path = shelf.roots.artifact(cap())
    path.unlink()
    path.symlink_to("/etc/hostname")

    with pytest.raises(InputError) as refused:
        digest_below(*shelf.roots.place(cap()))

    assert str(refused.value) == f"the artifact is a symlink\n  where:    {path}\n  expected: a regular file"


@pytest.mark.parametrize("number", [0, 1])
def test_a_directory_on_the_way_that_is_a_symlink_is_not_followed(shelf: Shelf, tmp_path: Path, number: int) -> None:
    shelf.put(cap())
    link = shelf.roots.git_root.joinpath(*("one", "out")[: number + 1])
    link.rename(tmp_path / "moved")
    link.symlink_to(tmp_path / "moved")

    with pytest.raises(InputError) as refused:
        digest_below(*shelf.roots.place(cap()))

    assert str(refused.value) == (f"a directory on the way is a symlink\n  where:    {link}\n  expected: a directory")


def test_a_fifo_and_a_directory_are_no_artifacts(shelf: Shelf) -> None:
    path = shelf.roots.artifact(cap())
    path.mkdir(parents=True)
    with pytest.raises(InputError, match=r"^the artifact is not a regular file\b"):
        digest_below(*shelf.roots.place(cap()))
    path.rmdir()
    os.mkfifo(path)

    with pytest.raises(InputError, match=r"^the artifact is not a regular file\b"):
        digest_below(*shelf.roots.place(cap()))


def test_a_sibling_that_is_a_symlink_is_not_opened(shelf: Shelf) -> None:
    (shelf.roots.git_root / "one").symlink_to(shelf.roots.own)

    with pytest.raises(UnavailableError) as refused:
        open_sibling(shelf.roots, cap())

    assert refused.value.where == str(shelf.roots.git_root / "one")
    with open_sibling(shelf.roots, cap(precomposed=True)) as own:
        assert own.path == shelf.roots.own


def test_a_part_longer_than_a_name_may_be_is_an_error_of_ours(shelf: Shelf) -> None:
    shelf.put(cap())

    with pytest.raises(UnavailableError) as refused:
        digest_below(*shelf.roots.place(replace(cap(), artifact="x" * 300)))

    assert refused.value.found == "File name too long"


def test_a_file_is_written_with_the_directories_on_its_way(tmp_path: Path) -> None:
    write_below(tmp_path, "a/b/c", b"new")

    assert (tmp_path / "a/b/c").read_bytes() == b"new"
    assert temporaries(tmp_path) == []


def test_nothing_is_written_through_a_symlink(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(outside)

    with pytest.raises(InputError, match=r"^a directory on the way is a symlink\b"):
        write_below(root, "a/b", b"new")

    assert list(outside.iterdir()) == []


def test_a_directory_that_is_missing_is_only_made_when_asked(tmp_path: Path) -> None:
    assert directory_below(tmp_path, ("a", "b")) is None
    made = directory_below(tmp_path, ("a", "b"), create=True)

    assert made is not None
    with made:
        assert made.path == tmp_path / "a/b"
