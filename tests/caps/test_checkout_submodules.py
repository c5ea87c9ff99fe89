from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.remote import relative
from bitproof.errors import InputError, IntegrityError
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from tests.caps.repositories import LOCAL, cap, commit, files, leftovers, raw_commit, serving, upstream


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def gitmodules(path: str, url: str, name: str = "sub") -> tuple[str, str]:
    return "100644", f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'


def head_of(path: Path) -> str | None:
    with Directory(path) as directory:
        return head(directory)


@pytest.mark.parametrize("url", ["../inner", "file://{base}/inner", "./../inner/"])
def test_submodules_are_at_their_recorded_commits(tmp_path: Path, root: Path, url: str) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = commit(inner, {"i": "1"})
    commit(inner, {"i": "2"})
    up = upstream(tmp_path / "up")
    described = gitmodules("vendor/sub", url.format(base=tmp_path))
    sha = raw_commit(up, {".gitmodules": described, "vendor/sub": ("160000", recorded), "a": ("100644", "1")})

    for _ in range(2):
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert head_of(root / "sib" / "vendor" / "sub") == recorded
    assert (root / "sib" / "vendor" / "sub" / "i").read_text() == "1"
    assert not leftovers(root)


def test_a_submodule_follows_when_the_pin_moves_and_its_changes_are_kept(tmp_path: Path, root: Path) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = [commit(inner, {"i": str(number)}) for number in range(2)]
    up = upstream(tmp_path / "up")
    described = gitmodules("sub", "../inner")
    pins = [raw_commit(up, {".gitmodules": described, "sub": ("160000", sha)}) for sha in recorded]
    checkout(cap(f"file://{up}", pins[0]), root, LOCAL, base=tmp_path)

    checkout(cap(f"file://{up}", pins[1]), root, LOCAL, base=tmp_path)
    assert (root / "sib" / "sub" / "i").read_text() == "1"
    (root / "sib" / "sub" / "i").write_text("my work")
    with pytest.raises(IntegrityError, match="would overwrite 1 file\n"):
        checkout(cap(f"file://{up}", pins[0]), root, LOCAL, base=tmp_path)

    assert (root / "sib" / "sub" / "i").read_text() == "my work"


def test_a_gitlink_without_gitmodules_stays_an_empty_directory(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = raw_commit(up, {"sub": ("160000", "12" * 20), "a": ("100644", "1")})

    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert list((root / "sib" / "sub").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ext::touch {canary}", "not an allowed URL"),
        ("http://127.0.0.1/x", "not an allowed URL"),
        ("file:///etc", "a local repo needs --allow-local-repos"),
        ("/etc", "a local repo needs --allow-local-repos"),
        ("../../../../etc", "leads above its host"),
        ("", "its URL is empty"),
    ],
)
def test_a_hostile_submodule_url_is_refused_and_nothing_is_checked_out(
    tmp_path: Path, root: Path, url: str, why: str
) -> None:
    canary = tmp_path / "canary"
    up = upstream(tmp_path / "up")
    described = gitmodules("sub", f'"{url.format(canary=canary)}"')
    sha = raw_commit(up, {".gitmodules": described, "sub": ("160000", "12" * 20)})

    with serving(tmp_path) as server, pytest.raises(InputError) as caught:
        checkout(cap(server.url("up"), sha), root, Git(timeout=20), base=tmp_path)

    assert caught.value.what == "the submodules cannot be checked out"
    assert str(caught.value.problems[0]).startswith(f"submodule 'sub': {why}")
    assert not canary.exists()
    assert not (root / "sib").exists()
    assert not leftovers(root)


def test_an_option_as_a_submodule_url_does_not_reach_the_checkout(tmp_path: Path, root: Path) -> None:
    canary = tmp_path / "canary"
    up = upstream(tmp_path / "up")
    described = gitmodules("sub", f"--upload-pack=touch {canary}")
    sha = raw_commit(up, {".gitmodules": described, "sub": ("160000", "12" * 20)})

    with pytest.raises(Exception, match="git could not fetch all branches and tags"):  # git's own fsck refuses it
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert not canary.exists()
    assert not (root / "sib").exists()


def test_gitlinks_that_gitmodules_does_not_describe_are_all_named(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    described = gitmodules("elsewhere", "../inner")
    sha = raw_commit(up, {".gitmodules": described, "one": ("160000", "12" * 20), "two": ("160000", "12" * 20)})

    with pytest.raises(InputError) as caught:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert [str(problem) for problem in caught.value.problems] == [
        "submodule 'one': has no URL in .gitmodules",
        "submodule 'two': has no URL in .gitmodules",
    ]


def test_a_directory_on_the_way_to_a_submodule_may_not_be_a_symlink(tmp_path: Path, root: Path) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = commit(inner, {"i": "1"})
    up = upstream(tmp_path / "up")
    first = raw_commit(up, {"a": ("100644", "1")})
    described = gitmodules("vendor/sub", "../inner")
    second = raw_commit(up, {".gitmodules": described, "vendor/sub": ("160000", recorded)})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "sib" / "vendor").symlink_to(outside)

    with pytest.raises(IntegrityError, match="would overwrite 1 file\n"):
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert list(outside.iterdir()) == []


def test_a_name_with_a_newline_or_dots_leads_nowhere(tmp_path: Path, root: Path) -> None:
    inner = upstream(tmp_path / "inner")
    recorded = commit(inner, {"i": "1"})
    up = upstream(tmp_path / "up")
    described = gitmodules("sub", "../inner", name="a\\nb")
    sha = raw_commit(up, {".gitmodules": described, "sub": ("160000", recorded)})

    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert files(root / "sib" / "sub") == {"i": "1"}
    assert not (root / "sib" / ".git" / "modules").exists()


def test_a_repository_that_is_its_own_submodule_ends(tmp_path: Path, root: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    for _ in range(10):
        sha = raw_commit(up, {".gitmodules": gitmodules("sub", "../up"), "sub": ("160000", sha)})

    with pytest.raises(InputError, match="submodules are nested too deep"):
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert not (root / "sib").exists()
    assert not leftovers(root)


@pytest.mark.parametrize(
    ("repo", "url", "expected"),
    [
        ("https://example.org/team/a.git", "../b.git", "https://example.org/team/b.git"),
        ("https://example.org/team/a.git", "./b.git", "https://example.org/team/a.git/b.git"),
        ("https://example.org/team/a.git/", "../../x/b", "https://example.org/x/b"),
        ("git@example.org:team/a.git", "../b.git", "git@example.org:team/b.git"),
        ("git@example.org:a.git", "../b.git", "git@example.org:b.git"),
        ("/srv/a", "../b", "/srv/b"),
        ("ssh://git@example.org:22/a", "../b", "ssh://git@example.org:22/b"),
    ],
)
def test_a_relative_url_is_resolved_against_the_repo(repo: str, url: str, expected: str) -> None:
    assert relative(url, repo, allow_local=repo.startswith("/")) == expected
