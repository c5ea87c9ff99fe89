"""A repository behind nginx, and a machine on which the adaptor runs as a process."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.servers import Nginx, nginx

from .client import main
from .repository import Repository

CLIENT = Path(__file__).with_name("client.py")


class Outcome(NamedTuple):
    """How a run ended; ``said`` is what was refused and what was found, in one line."""

    code: int
    said: str


@dataclass(frozen=True)
class Machine:
    """Where the client keeps metadata and puts files; each command is a process of its own when ``spawns``."""

    directory: Path
    server: Nginx
    spawns: bool = False

    @property
    def spawning(self) -> "Machine":
        """The same machine, on which every command is a process."""
        return replace(self, spawns=True)

    @property
    def metadata(self) -> Path:
        return self.directory / "metadata"

    @property
    def downloads(self) -> Path:
        return self.directory / "downloads"

    @property
    def first_root(self) -> Path:
        return self.directory / "initial_root.json"

    def init(self, root: bytes) -> Outcome:
        self.first_root.write_bytes(root)
        return self._run("init", str(self.first_root))

    def refresh(self) -> Outcome:
        return self._run("--metadata-url", f"{self.server.url}/metadata/", "refresh")

    def download(self, name: str) -> Outcome:
        urls = ("--metadata-url", f"{self.server.url}/metadata/", "--target-base-url", f"{self.server.url}/targets/")
        return self._run(*urls, "--target-name", name, "--target-dir", str(self.downloads), "download")

    def trusted(self) -> dict[str, int]:
        """The version of each role that the machine believes."""
        found = {path.stem: json.loads(path.read_bytes()) for path in sorted(self.metadata.iterdir())}
        return {role: document["signed"]["version"] for role, document in found.items()}

    def kept(self) -> dict[str, bytes]:
        """What the machine keeps of the metadata, byte for byte."""
        return {path.name: path.read_bytes() for path in self.metadata.iterdir()}

    def files(self) -> list[bytes]:
        """What was downloaded."""
        return [path.read_bytes() for path in sorted(self.downloads.iterdir())]

    def asked(self) -> list[str]:
        """The paths of the requests so far."""
        return [line.split()[1] for line in self.server.asked()]

    def _run(self, *words: str) -> Outcome:
        words = ("--metadata-dir", str(self.metadata), *words)
        code, told = spawned(words) if self.spawns else called(words)
        what, *facts = told.splitlines() or [""]
        found = [fact.partition(":")[2].strip() for fact in facts if fact.startswith("  found:")]
        return Outcome(code, ": ".join([what, *found]))


def spawned(words: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard error of the adaptor as the suite starts it."""
    done = subprocess.run([sys.executable, CLIENT, *words], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout == ""
    return done.returncode, done.stderr


def called(words: Sequence[str]) -> tuple[int, str]:
    """The same without a process: a third of a second less."""
    with redirect_stderr(StringIO()) as told:
        code = main(words)
    return code, told.getvalue()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Version 1 of every role, and no files."""
    return Repository(tmp_path / "served")


@pytest.fixture
def machine(tmp_path: Path, repository: Repository) -> Iterator[Machine]:
    """A machine that trusts the repository's first root, and has asked for nothing yet."""
    with nginx(repository.place, tmp_path / "nginx") as server:
        made = Machine(tmp_path / "machine", server)
        for path in (made.metadata, made.downloads):
            path.mkdir(parents=True)
        assert made.init(repository.path("root").read_bytes()) == (0, "")
        yield made


@pytest.fixture
def fresh(machine: Machine) -> Machine:
    """A machine that believes version 1 of every role."""
    assert machine.refresh() == (0, "")
    return machine
