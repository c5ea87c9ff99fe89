"""A product below a directory, as the command line sees it, and what a command says of it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bitproof.cli.main import main
from tests.caps.repositories import commit, git, upstream
from tests.caps.shelf import SHA, Shelf, sha256

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "pylon"
LOCAL = "--allow-local-repos"
BITPROOF = Path(sys.executable).parent / "bitproof"
ZEROS = "0" * 64
NAMES = ("one", "two", "three")
ALL_OK = "OK all\nOK one\nOK two\nOK three\nSKIP later: no commit is pinned yet\n"


class Told(NamedTuple):
    """How a command ended: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)


class Terminal:
    """Runs commands in a directory, in this process."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.capsys = capsys
        monkeypatch.chdir(directory)
        monkeypatch.delenv("BITPROOF_GIT_ROOT", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(directory.parent / "cache"))
        monkeypatch.setenv("HOME", str(directory.parent / "home"))

    def __call__(self, *argv: str) -> Told:
        self.capsys.readouterr()
        code = main(["caps", *argv])
        out, err = self.capsys.readouterr()
        return Told(code, out, err)


def run(
    directory: Path, *argv: str, cache: Path | None = None, program: Sequence[str] = (str(BITPROOF),), **environ: str
) -> Told:
    """Run ``bitproof caps`` in a process of its own, with nothing of our environment."""
    environ = {"XDG_CACHE_HOME": str(cache or directory.parent / "cache"), "PATH": "/usr/bin:/bin", **environ}
    done = subprocess.run(
        [*program, "caps", *argv], cwd=directory, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    return Told(done.returncode, done.stdout, done.stderr)


def entry(name: str, *, sha: str = SHA, digest: str = "", more: str = "") -> str:
    """One ``[[cap]]`` of a `Shelf`: its artifact holds its name."""
    digest = digest or sha256(name.encode()).value
    return (
        f'\n[[cap]]\nid = "{name}"\nrepo = "https://example.org/{name}.git"\nsha = "{sha}"\ntarget = ""\n'
        f'artifact = "out/{name}.wasm"\nsha256 = "{digest}"\n{more}'
    )


def lay_out(root: Path, *entries: str, product: str = "", settings: str = 'git_root = "../git"') -> Shelf:
    """A manifest, a ``bitproof.toml``, and a composed artifact that is as pinned unless ``product`` is another."""
    shelf = Shelf(root)
    shelf.manifest()
    digest = product or sha256(b"pylon").value
    (shelf.roots.own / "caps-manifest.toml").write_text(f'pylon_sha256 = "{digest}"\n' + "".join(entries))
    (shelf.roots.own / "bitproof.toml").write_text(f"[caps]\n{settings}\n")
    return shelf


def siblings(root: Path) -> Path:
    """The example's product and remotes below ``root``; nothing is cloned yet."""
    subprocess.run([EXAMPLE / "make-siblings", root], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    return root / "pylon"


class Product(Shelf):
    """Three siblings with a remote each, a precomposed cap made of them, a placeholder; nothing is cloned yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remotes = {name: upstream(root / "remotes" / name) for name in NAMES}
        self.shas = {name: self.publish(name, f"printf {name} >out/{name}.wasm") for name in NAMES}
        shelf = lay_out(root)
        self.roots = shelf.roots
        git(self.own, "init", "--quiet", "--initial-branch=main")
        script = f"#!/bin/sh\nmkdir -p out\ncat {' '.join(self.built(name) for name in NAMES)} >out/all.wasm\n"
        sha = commit(self.own, {"scripts/precompose-all.sh": script})
        (self.own / "scripts/precompose-all.sh").chmod(0o755)
        made = self.entry("all", "", sha, sha256(b"onetwothree").value) + "precomposed = true\n"
        later = self.entry("later", "https://example.org/later.git", "0" * 40, ZEROS)
        entries = [made, *(self.entry(name) for name in NAMES), later]
        self.manifest_path.write_text(self.manifest_path.read_text() + "\n".join(entries))

    @property
    def own(self) -> Path:
        return self.roots.own

    @property
    def manifest_path(self) -> Path:
        return self.own / "caps-manifest.toml"

    def built(self, name: str) -> str:
        return f'"$BITPROOF_GIT_ROOT"/{name}/out/{name}.wasm'

    def publish(self, name: str, *lines: str) -> str:
        """A new commit of a remote's build script."""
        script = "\n".join(["#!/bin/sh", "set -e", "mkdir -p out", *lines, ""])
        return commit(self.remotes[name], {"build.sh": script, ".gitignore": "/out/\n"})

    def entry(self, name: str, repo: str | None = None, sha: str = "", digest: str = "") -> str:
        repo = f"../remotes/{name}" if repo is None else repo
        return (
            f'[[cap]]\nid = "{name}"\nrepo = "{repo}"\nsha = "{sha or self.shas[name]}"\ntarget = ""\n'
            f'artifact = "out/{name}.wasm"\nsha256 = "{digest or sha256(name.encode()).value}"\n'
        )

    def pin(self, name: str, sha: str) -> None:
        text = self.manifest_path.read_text()
        self.manifest_path.write_text(text.replace(self.shas[name], sha))
        self.shas[name] = sha

    def move(self, name: str, url: str) -> None:
        """Have a cap's remote at another URL."""
        text = self.manifest_path.read_text()
        self.manifest_path.write_text(text.replace(f'repo = "../remotes/{name}"', f'repo = "{url}"'))

    def sync(self, *argv: str, cache: Path | None = None) -> Told:
        return run(self.own, "sync", LOCAL, *argv, cache=cache or self.root / "cache")

    def argv(self) -> list[str]:
        return [str(BITPROOF), "caps", "sync", LOCAL]

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(self.root / "cache")}
