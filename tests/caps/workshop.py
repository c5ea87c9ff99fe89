"""A place for builds: a git root, the manifest's own repository, a cache; and small repositories to build there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bitproof.caps.builds.build import build, ignored, never
from bitproof.caps.builds.environment import BuildSettings, CapBuild, Job
from bitproof.model.caps_manifest import NO_DIGEST, Cap
from bitproof.proof.inputs import RecordedInputs

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "pylon"
COMMIT = "1" * 40
EPOCH = 1_700_000_000
WASM = "wasm32-unknown-unknown"
NAME = "thing"

Files = Mapping[str, str]


class Workshop:
    """Builds below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git, self.own = root / "git", root / "product"
        self.git.mkdir(parents=True)
        self.own.mkdir()
        cache = self.git / ".bitproof"
        self.settings = BuildSettings(own=self.own, git_root=self.git, cache=cache, environ=dict(os.environ))

    def set(self, **changes: object) -> None:
        """Change settings."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type] # each test names its own fields

    def configure(self, *command: str, adapter: str = "", env: Files | None = None) -> None:
        """Give the cap a ``[caps.build.thing]``."""
        self.set(builds={NAME: CapBuild(command=command, adapter=adapter, env=env or {})})

    def sibling(self, files: Files) -> Path:
        """A repository with these files; shell scripts may be executed."""
        return write(self.git / NAME, files)

    def build(self, cap: Cap) -> RecordedInputs:
        """Build a cap in its repository."""
        return build(cap, self.directory(cap), self.settings, commit=COMMIT, epoch=EPOCH)

    def directory(self, cap: Cap) -> Path:
        """The repository of a cap."""
        return self.own if cap.precomposed else self.git / cap.sibling

    def job(self, cap: Cap) -> Job:
        """A job as `build` makes it, with the directories that are there by then."""
        job = Job(
            cap=cap,
            repository=self.directory(cap),
            commit=COMMIT,
            epoch=EPOCH,
            settings=self.settings,
            began=ignored,
            stopped=never,
        )
        job.home.mkdir(parents=True, exist_ok=True)
        return job

    def log(self, cap: Cap) -> str:
        """The kept log of a cap's build."""
        return self.settings.log(cap).read_text()


def write(directory: Path, files: Files) -> Path:
    """Make a directory with these files."""
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    return directory


def cap(artifact: str = f"{NAME}.wasm", target: str = "", *, name: str = NAME, precomposed: bool = False) -> Cap:
    """A cap; its sibling has its id as name."""
    return Cap(
        id=name,
        repo="" if precomposed else f"https://example.org/{name}.git",
        sha=COMMIT,
        target=target,
        artifact=artifact,
        digest=NO_DIGEST,
        precomposed=precomposed,
    )


def component(name: str = NAME, target: str = "") -> Cap:
    """A cap whose artifact is wrapped."""
    return cap(f"target/component/{name}.wasm", target, name=name)


def example(workshop: Workshop, name: str) -> Path:
    """The sources of one of the example's siblings, in the git root."""
    return Path(shutil.copytree(EXAMPLE / "siblings" / name, workshop.git / name))


def wasm_tools(*arguments: str) -> None:
    """Run the wasm-tools that came with the requirements."""
    subprocess.run([Path(sys.executable).parent / "wasm-tools", *arguments], check=True, capture_output=True)


def assembled(path: Path, text: str) -> Path:
    """A binary module from the text format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".wat")
    source.write_text(text)
    wasm_tools("parse", str(source), "-o", str(path))
    source.unlink()
    return path


def leftovers(root: Path) -> list[Path]:
    """Temporaries that a writer left."""
    return list(root.rglob(".bitproof-*.tmp"))
