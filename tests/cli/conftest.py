"""A project of small files, and two ways to run a command: in this process, and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

import pytest
from blake3 import blake3

from bitproof.cli.main import main
from bitproof.cli.settings import host_arch

from .channels import BEGIN, KEYS

SCRIPT = Path(sys.executable).with_name("bitproof")
ARCH = host_arch()
BINARY = "1.0.1776269479"
EPOCH = "1776269479"
VERSION = "2026.0415.1"
SECONDS = 60
CONTENTS = {"vmlinuz": b"a kernel", "initrd.img": b"an initrd", "rootfs.squashfs": b"a rootfs"}


def digest(data: bytes) -> str:
    """A BLAKE3 digest in hex, independently of bitproof."""
    return blake3(data).hexdigest()


def stored(name: str, data: bytes | None = None) -> str:
    """The hash name of an asset."""
    stem, dot, rest = name.partition(".")
    return f"{stem}-{digest(CONTENTS[name] if data is None else data)[:16]}{dot}{rest}"


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes; what changed nothing left this as it was."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def temporaries(root: Path) -> list[Path]:
    """Temporary files that a writer left behind."""
    return list(root.rglob(".bitproof-*.tmp"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code, and what it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        """The JSON document on stdout; there must be just one, and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def command(*argv: str | Path) -> Outcome:
        code = main([str(word) for word in argv])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return command


def spawn(*argv: str | Path, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - Popen's
    """Start a command as a process of its own; its environment is this one's, changed by ``environment``."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        [sys.executable, "-m", "bitproof", *(str(word) for word in argv)],
        env={**os.environ, **(environment or {})},
        text=True,
        **pipes,
    )


def run_process(*argv: str | Path, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a command as a process of its own, to its end."""
    with spawn(*argv, environment=environment) as child:
        out, err = child.communicate(timeout=60)
        return Outcome(child.returncode, out, err)


@contextmanager
def descriptor(data: bytes) -> Iterator[str]:
    """The number of an open descriptor that gives some bytes."""
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        yield str(reader)
    finally:
        os.close(reader)


def typed(words: list[str], *lines: str) -> tuple[int, str]:
    """Run a command on a terminal of its own and type lines; its exit code, and all the terminal showed.

    A line is typed when the blank after a prompt is there: what is typed before echo is off gets lost, as it should.
    """
    master, slave = os.openpty()
    argv = [sys.executable, "-m", "bitproof", *words]
    child = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    shown, answers = b"", list(lines)
    try:
        with suppress(OSError):  # the other end was closed
            while select([master], [], [], SECONDS)[0] and (chunk := os.read(master, 4096)):
                shown += chunk
                if answers and shown.endswith(b": "):
                    os.write(master, f"{answers.pop(0)}\n".encode())
        return child.wait(SECONDS), shown.decode()
    finally:
        child.kill()
        child.wait()
        os.close(master)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, a home beside it, and an environment that says nothing but the time."""
    directory, home = tmp_path / "project", tmp_path / "home"
    directory.mkdir()
    home.mkdir()
    for name in ("BITPROOF_ASSETS_DIR", "BITPROOF_HOME", "NO_COLOR", "FORCE_COLOR", "_BITPROOF_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.chdir(directory)
    return directory


def write_layout(assets: Path, arch: str = ARCH, **changed: bytes) -> None:
    """Put the three files of an arch into a dev layout; ``initrd=b"…"`` gives one other bytes."""
    (assets / arch).mkdir(parents=True, exist_ok=True)
    for name, data in CONTENTS.items():
        (assets / arch / name).write_bytes(changed.get(name.partition(".")[0], data))


@pytest.fixture
def layout(project: Path) -> Path:
    """A recorded dev layout in the project."""
    write_layout(project / "assets")
    assert main(["-q", "assets", "manifest", "--binary-version", BINARY]) == 0
    return project / "assets"


@pytest.fixture
def store(layout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A store in the home, with the layout installed."""
    assert layout.is_dir()
    assert main(["assets", "install"]) == 0
    capsys.readouterr()
    return tmp_path / "home" / ".bitproof" / "assets"


@pytest.fixture
def site(layout: Path, run: Run) -> Path:
    """A channel with the layout's release; its keys and its root are in the working directory."""
    assert run(*BEGIN).code == 0
    assert run("channel", "publish", *KEYS).code == 0
    return layout.parent / "site"


@pytest.fixture
def exported(site: Path, run: Run) -> Path:
    """The channel's release in ``release.tar``."""
    assert run("channel", "export", "release.tar", "--place", "site").code == 0
    return site.parent / "release.tar"


def publish_next(run: Run) -> None:
    """A second release, in ``next.tar`` too."""
    write_layout(Path("assets"), rootfs=b"another rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    assert run("channel", "export", "next.tar", "--place", "site").code == 0


def visible(place: str) -> dict[str, bytes]:
    """What a client could see of a place: nothing before its timestamp is there."""
    return tree(Path(place)) if (Path(place) / "stable/metadata/timestamp.json").exists() else {}


def write_guest(project: Path, build: str) -> None:
    """A guest config and artifacts that are complete but for what the test is about."""
    config = project / "guest" / "config"
    config.mkdir(parents=True)
    (config / "build.toml").write_text(build)
    (project / "guest" / "artifacts").mkdir()
    (project / "guest" / "artifacts" / "init").write_text("#!/bin/sh\n")


GOOD_BUILD = f"""
compression = "gzip"
level = 1
[arch.{ARCH}]
suite = "bookworm"
kernel = {{ package = "linux-image-cloud-amd64" }}
rootfs = {{ format = "squashfs" }}
"""
