"""Hostile pins and hostile siblings. A canary shows that nothing ran and nothing outside the git root was touched."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bitproof.caps.checkouts.checkout import checkout
from bitproof.caps.checkouts.published import remote_contains
from bitproof.errors import BitproofError, InputError, UnavailableError
from bitproof.system.files import Directory
from bitproof.system.git.repository import Git, head
from tests.caps.repositories import LOCAL, cap, commit, files, git, leftovers, raw_commit, upstream

Spoil = Callable[[Path, str], None]
"""Makes a sibling hostile: its path, and a shell command that leaves the canary."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Does not exist, unless something ran."""
    return tmp_path / "canary"


@pytest.mark.parametrize(
    "repo",
    [
        "--upload-pack=touch {canary}",
        "-u touch {canary}",
        "ext::sh -c touch% {canary}",
        "ext::touch {canary}",
        "fd::17",
        "http://127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "https://-oProxyCommand=touch {canary}/x",
        "ssh://-oProxyCommand=touch%20{canary}/x",
        "git@-oProxyCommand=touch:x",
        "git@host:-x",
        "git@host:x\ny",
        "user@host:x",
        "",
    ],
)
def test_a_hostile_repo_is_refused_before_git_runs(tmp_path: Path, root: Path, canary: Path, repo: str) -> None:
    with pytest.raises(InputError, match="cap aead cannot be cloned: "):
        checkout(cap(repo.format(canary=canary), "12" * 20), root, LOCAL, base=tmp_path)
    with pytest.raises(InputError, match="cap aead has no remote that can be asked: "):
        remote_contains(cap(repo.format(canary=canary), "12" * 20), "12" * 20, root, LOCAL, base=tmp_path)

    assert not canary.exists()
    assert not (root / "sib").exists()


@pytest.mark.parametrize("form", ["file://{up}", "{up}", "../up"])
def test_a_local_repo_needs_leave(tmp_path: Path, root: Path, form: str) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})

    with pytest.raises(InputError, match="a local repo needs --allow-local-repos"):
        checkout(cap(form.format(up=up), sha), root, Git(), base=root)


def test_git_itself_refuses_other_transports(canary: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        LOCAL.run("list", "ls-remote", "--", f"ext::sh -c touch% {canary}")

    assert caught.value.details[-1] == "fatal: transport 'ext' not allowed"
    assert not canary.exists()


@pytest.mark.parametrize("name", [".bitproof", "a/b"])
def test_a_sibling_may_not_have_the_name_of_bitproofs_own_directory(tmp_path: Path, root: Path, name: str) -> None:
    with pytest.raises(InputError, match="not a name for a sibling"):
        checkout(cap(f"file://{tmp_path}", "12" * 20, name), root, LOCAL, base=tmp_path)

    assert not root.exists()


def _config(key: str, value: str) -> Spoil:
    return lambda sibling, command: print(git(sibling, "config", key, value.format(command=command)), end="")  # noqa: T201


def _hooks(sibling: Path, command: str) -> None:
    hooks = sibling / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "post-merge", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\n{command}\n")
        (hooks / name).chmod(0o755)


def _filter(sibling: Path, command: str) -> None:
    for variable in ("clean", "smudge", "process"):
        git(sibling, "config", f"filter.a=b.{variable}", command)
    git(sibling, "config", "filter.a=b.required", "true")
    (sibling / ".git" / "info").mkdir(exist_ok=True)
    (sibling / ".git" / "info" / "attributes").write_text("* filter=a=b\n")
    os.utime(sibling / "a")  # git must read it to know whether it changed


NEUTRALISED: dict[str, Spoil] = {
    "hooks": _hooks,
    "filter": _filter,
    "fsmonitor": _config("core.fsmonitor", "{command}; false"),
    "hooksPath": _config("core.hooksPath", "{command}"),
    "sshCommand": _config("core.sshCommand", "{command};"),
    "gitProxy": _config("core.gitProxy", "{command}"),
    "askPass": _config("core.askPass", "{command}"),
    "credential": _config("credential.helper", "!{command}"),
    "pager": _config("core.pager", "{command}"),
    "editor": _config("core.editor", "{command}"),
    "diff": _config("diff.external", "{command}"),
    "alias": _config("alias.checkout", "!{command}"),
    "merge": _config("merge.x.driver", "{command}"),
    "recurse": _config("submodule.recurse", "true"),
    "gc": _config("gc.auto", "1"),
}


@pytest.mark.parametrize("name", NEUTRALISED)
def test_what_a_siblings_config_would_run_does_not_run(tmp_path: Path, root: Path, canary: Path, name: str) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2", "b": "3"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    NEUTRALISED[name](root / "sib", f"touch {canary}")

    checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert not canary.exists()
    assert files(root / "sib") == {"a": "2", "b": "3"}
    with Directory(root / "sib") as sibling:
        assert head(sibling) == second


def test_ssh_runs_the_users_ssh_and_not_the_siblings(tmp_path: Path, root: Path, canary: Path) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    git(root / "sib", "config", "core.sshCommand", f"touch {canary};")

    with pytest.raises(UnavailableError, match="git could not fetch all branches and tags"):
        checkout(cap("ssh://127.0.0.1:1/x", "12" * 20), root, LOCAL, base=tmp_path)

    assert not canary.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("include.path", "/etc/gitconfig"),
        ("includeIf.gitdir:/.path", "/etc/gitconfig"),
        ("url.ext::x.insteadOf", "file://"),
        ("core.worktree", "/etc"),
        ("core.alternateRefsCommand", "touch {canary}"),
        ("core.sparseCheckout", "true"),
        ("extensions.worktreeConfig", "true"),
        ("remote.origin.uploadpack", "touch {canary};"),
        ("remote.origin.vcs", "ext"),
        ("remote.origin.promisor", "true"),
        ("remote.file:///x.url", "/etc"),
        ("http.proxy", "http://127.0.0.1:1"),
        ("http.sslVerify", "false"),
        ("fetch.fsck.skipList", "/etc/passwd"),
        ("hook.evil.command", "touch {canary}"),
        ("trace2.eventTarget", "{canary}"),
    ],
)
def test_a_config_key_that_cannot_be_made_harmless_is_refused_by_name(
    tmp_path: Path, root: Path, canary: Path, key: str, value: str
) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    config = root / "sib" / ".git" / "config"
    key = key.format(canary=canary)
    git(tmp_path, "config", "--file", str(config), key, value.format(canary=canary))
    section, _, rest = key.partition(".")
    listed = f"{section.lower()}.{rest.rpartition('.')[0]}.{rest.rpartition('.')[2].lower()}".replace("..", ".")

    with pytest.raises(InputError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "bitproof does not use git under this config\n"
        f"  where:    {config}\n"
        f"  - {listed!r}: this key could run a program or lead elsewhere\n"
        "  fix:      remove these keys (git config --unset-all KEY), "
        "or move it away and let `bitproof caps sync` clone it"
    )
    assert not canary.exists()
    assert files(root / "sib") == {"a": "1"}


def _alternates(git_directory: Path, outside: Path) -> None:
    (git_directory / "objects" / "info").mkdir(exist_ok=True)
    (git_directory / "objects" / "info" / "alternates").write_text(f"{outside}\n")


LEADING_OUTSIDE: dict[str, Callable[[Path, Path], None]] = {
    "objects/info/alternates": _alternates,
    "commondir": lambda git_directory, outside: _write(git_directory / "commondir", f"{outside}\n"),
    "logs": lambda git_directory, outside: _replace(git_directory / "logs", outside),
    "refs/bitproof": lambda git_directory, outside: _replace(git_directory / "refs" / "bitproof", outside),
    "objects/pack": lambda git_directory, outside: _replace(git_directory / "objects" / "pack", outside),
    "index": lambda git_directory, outside: _replace(git_directory / "index", outside / "index"),
    "shallow": lambda git_directory, _: _fifo(git_directory / "shallow"),
}


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _replace(path: Path, target: Path) -> None:
    if path.exists():
        path.rename(path.with_name("aside"))
    path.symlink_to(target)


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize("name", LEADING_OUTSIDE)
def test_a_repository_that_leads_outside_is_refused(tmp_path: Path, root: Path, name: str) -> None:
    up = upstream(tmp_path / "up")
    first = commit(up, {"a": "1"})
    second = commit(up, {"a": "2"})
    checkout(cap(f"file://{up}", first), root, LOCAL, base=tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    git_directory = root / "sib" / ".git"
    LEADING_OUTSIDE[name](git_directory, outside)

    with pytest.raises(InputError) as caught:
        checkout(cap(f"file://{up}", second), root, LOCAL, base=tmp_path)

    assert str(caught.value) == (
        "bitproof does not use git in this repository\n"
        f"  where:    {git_directory}\n"
        f"  - {name!r}: leads out of the repository\n"
        "  fix:      move it away and let `bitproof caps sync` clone it"
    )
    assert list(outside.iterdir()) == []
    assert files(root / "sib") == {"a": "1"}


@pytest.mark.parametrize(("kind", "found"), [("symlink", "a symlink"), ("file", "a file that points elsewhere")])
def test_a_dot_git_that_points_elsewhere_is_not_followed(tmp_path: Path, root: Path, kind: str, found: str) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    sibling = root / "sib"
    sibling.mkdir(parents=True)
    if kind == "symlink":
        (sibling / ".git").symlink_to(up / ".git")
    else:
        (sibling / ".git").write_text(f"gitdir: {up}/.git\n")
    before = git(up, "for-each-ref"), (up / ".git" / "HEAD").read_text()

    with pytest.raises(InputError) as caught:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert (caught.value.what, caught.value.found) == ("the repository's .git is not followed", found)
    assert before == (git(up, "for-each-ref"), (up / ".git" / "HEAD").read_text())


@pytest.mark.parametrize("place", ["root/sib", "root/.bitproof"])
def test_a_symlink_in_the_git_root_is_not_followed(tmp_path: Path, root: Path, place: str) -> None:
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    outside = tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (tmp_path / place).symlink_to(outside)

    with pytest.raises(BitproofError):
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert list(outside.iterdir()) == []


def test_a_repository_of_another_user_is_not_trusted(tmp_path: Path, root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    up = upstream(tmp_path / "up")
    sha = commit(up, {"a": "1"})
    checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)
    os.chown(root / "sib" / ".git", 4711, 4711)

    with pytest.raises(UnavailableError, match="the repository belongs to another user") as caught:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert (caught.value.expected, caught.value.found) == ("user 0", "user 4711")


def test_a_commit_with_a_file_in_dot_git_is_refused(tmp_path: Path, root: Path, canary: Path) -> None:
    up = upstream(tmp_path / "up")
    blob = git(up, "hash-object", "-w", "--stdin", stdin=f"#!/bin/sh\ntouch {canary}\n".encode())
    hooks = git(up, "mktree", stdin=f"100755 blob {blob}\tpost-checkout\n".encode())
    inner = git(up, "mktree", stdin=f"040000 tree {hooks}\thooks\n".encode())
    outer = git(up, "mktree", stdin=f"040000 tree {inner}\t.git\n".encode())
    sha = git(up, "commit-tree", "-m", "evil", outer)
    git(up, "update-ref", "refs/heads/main", sha)

    with pytest.raises(UnavailableError) as caught:
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert any("hasDotgit" in line for line in caught.value.details)
    assert not canary.exists()
    assert not (root / "sib").exists()
    assert not leftovers(root)


def test_a_symlink_in_a_commit_leads_no_file_outside(tmp_path: Path, root: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    up = upstream(tmp_path / "up")
    first = raw_commit(up, {"d": ("120000", str(outside))})
    second = raw_commit(up, {"d/x": ("100644", "content")})

    for sha in (first, second, first, second):
        checkout(cap(f"file://{up}", sha), root, LOCAL, base=tmp_path)

    assert list(outside.iterdir()) == []
    assert files(root / "sib") == {"d/x": "content"}
