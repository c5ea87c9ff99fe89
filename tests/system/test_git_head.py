from pathlib import Path

import pytest

from bitproof.errors import BitproofError, InputError
from bitproof.system.files import Directory
from bitproof.system.git.repository import head
from tests.caps.repositories import commit, git, upstream

SHA = "0123456789" * 4


def read(path: Path) -> str | None:
    with Directory(path) as directory:
        return head(directory)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("state", ["branch", "packed", "detached", "symbolic"])
def test_head_is_what_git_says(tmp_path: Path, object_format: str, state: str) -> None:
    up = upstream(tmp_path / "up", object_format=object_format)
    commit(up, {"a": "1"})
    git(up, "branch", "side")
    sha = commit(up, {"a": "2"})
    if state == "packed":
        git(up, "tag", "--annotate", "-m", "v1", "v1")
        git(up, "pack-refs", "--all")
        assert not (up / ".git" / "refs" / "heads" / "main").exists()
    if state == "detached":
        git(up, "checkout", "--quiet", "--detach")
    if state == "symbolic":
        git(up, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
        git(up, "symbolic-ref", "HEAD", "refs/heads/alias")

    assert read(up) == sha == git(up, "rev-parse", "HEAD")


def test_a_branch_that_moved_since_it_was_packed_is_read_loose(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")
    commit(up, {"a": "1"})
    git(up, "pack-refs", "--all")
    sha = commit(up, {"a": "2"})

    assert read(up) == sha


def test_no_repository_and_no_commit_yet_are_none(tmp_path: Path) -> None:
    up = upstream(tmp_path / "up")

    assert read(tmp_path) is None
    assert read(up) is None


def _head(text: str | bytes) -> dict[str, bytes]:
    return {"HEAD": text if isinstance(text, bytes) else text.encode()}


@pytest.mark.parametrize(
    ("files", "where", "found"),
    [
        (_head(""), "HEAD", "''"),
        (_head(SHA[:-1]), "HEAD", f"'{SHA[:-1]}'"),
        (_head(SHA.replace("0", "G")), "HEAD", f"'{SHA.replace('0', 'G')}'"),
        (_head("ref: ../../etc/passwd"), "HEAD", "'ref: ../../etc/passwd'"),
        (_head("ref: refs/../../x"), "HEAD", "'ref: refs/../../x'"),
        (_head("ref: refs"), "HEAD", "'ref: refs'"),
        (_head("ref: /etc/passwd"), "HEAD", "'ref: /etc/passwd'"),
        (_head("ref: HEAD"), "HEAD", "'ref: HEAD'"),
        (_head(b"ref: refs/heads/a\x00b"), "HEAD", "'ref: refs/heads/a\\x00b'"),
        (_head("x" * 5000), "HEAD", "'more than 4096 bytes'"),
        (
            _head("ref: refs/heads/a") | {"refs/heads/a": b"ref: refs/heads/a"},
            "HEAD",
            "'a chain of more than 5 symbolic refs'",
        ),
        (_head("ref: refs/heads/a") | {"packed-refs": b"123 refs/heads/a\n"}, "packed-refs", "'123'"),
    ],
)
def test_a_head_that_git_would_not_write_is_refused(
    tmp_path: Path, files: dict[str, bytes], where: str, found: str
) -> None:
    for name, data in files.items():
        path = tmp_path / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    with pytest.raises(InputError) as caught:
        read(tmp_path)

    assert str(caught.value) == (
        "not a git ref\n"
        f"  where:    {tmp_path / '.git' / where}\n"
        "  expected: a commit, or `ref: refs/…`\n"
        f"  found:    {found}\n"
        "  fix:      git fsck in the checkout says what is broken"
    )


@pytest.mark.parametrize("name", ["HEAD", "refs", "refs/heads", "refs/heads/a", "packed-refs"])
def test_no_symlink_is_followed(tmp_path: Path, name: str) -> None:
    directory = tmp_path / ".git"
    (directory / "refs" / "heads").mkdir(parents=True)
    (directory / "HEAD").write_text("ref: refs/heads/a\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text(SHA)
    (outside / "heads").mkdir()
    path = directory / name
    if path.is_dir():
        path.rename(tmp_path / "aside")
    path.unlink(missing_ok=True)
    path.symlink_to(outside if name in {"refs", "refs/heads"} else outside / "a")

    with pytest.raises(BitproofError):
        read(tmp_path)


@pytest.mark.parametrize(("kind", "found"), [("symlink", "a symlink"), ("file", "a file that points elsewhere")])
def test_a_dot_git_that_points_elsewhere_has_a_clear_answer(tmp_path: Path, kind: str, found: str) -> None:
    if kind == "symlink":
        (tmp_path / ".git").symlink_to(tmp_path)
    else:
        (tmp_path / ".git").write_text("gitdir: /etc\n")

    with pytest.raises(InputError) as caught:
        read(tmp_path)

    assert str(caught.value) == (
        "the repository's .git is not followed\n"
        f"  where:    {tmp_path / '.git'}\n"
        "  expected: a directory\n"
        f"  found:    {found}\n"
        "  fix:      move the checkout away and let `bitproof caps sync` clone it"
    )


@pytest.mark.parametrize("name", ["refs/heads/a", "refs/heads"])
def test_a_ref_whose_place_is_taken_by_another_kind_of_file_is_none(tmp_path: Path, name: str) -> None:
    directory = tmp_path / ".git"
    directory.mkdir()
    (directory / "HEAD").write_text("ref: refs/heads/a\n")
    if name == "refs/heads":
        (directory / "refs").mkdir()
        (directory / "refs" / "heads").write_text("")
    else:
        (directory / "refs" / "heads" / "a").mkdir(parents=True)

    assert read(tmp_path) is None
