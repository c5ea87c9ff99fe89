"""The environment of a build: made, not inherited, so that the same sources give the same bytes on every machine.

What is fixed: locale, time zone, umask, the commit's time, a new HOME, a private CARGO_HOME, and names in place of this
machine's paths (`path_names`), which rustc and clang write into what they make. What comes in: the variables that
``caps.env`` names and the values of ``caps.build.<id>.env``. Sources: the reproducible-builds.org specification of
SOURCE_DATE_EPOCH, the cargo book's "Environment Variables", clang(1).

What is left out: a program that writes its own working directory into its output (``env!("CARGO_MANIFEST_DIR")``, a
debug string of a generator) still does, and so does clang called by make below a directory with a blank in its name.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.model.caps_manifest import Cap
from bitproof.system.process import ENVIRONMENT

GIT_ROOT_VARIABLE = "BITPROOF_GIT_ROOT"
UMASK = 0o022
DEFAULT_TIMEOUT = 3600.0
"""Seconds for one step of a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapBuild:
    """One ``[caps.build.<id>]``.

    Args:
        command: replaces the driver that would be chosen: a program and its arguments, run in the repository.
        env: variables and their values for this cap alone.
        adapter: the WASI preview 1 adapter, relative to the manifest's repository.
    """

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    adapter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """What holds for all builds of one sync.

    Args:
        own: the manifest's repository.
        git_root: where the siblings lie.
        cache: bitproof's own directory for HOMEs, cargo's downloads and logs.
        environ: the caller's environment, of which only the names in ``passed`` are taken.
        passed: ``caps.env``.
        timeout: seconds for each step.
        builds: cap id to its ``[caps.build.<id>]``.
    """

    own: Path
    git_root: Path
    cache: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    builds: Mapping[str, CapBuild] = field(default_factory=dict)

    def log(self, cap: Cap) -> Path:
        """Where the whole log of a cap's last build is kept."""
        return self.cache / "logs" / f"{cap.id}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One build of one cap.

    ``repository`` is where it runs: the sibling, or the manifest's own for a precomposed cap; ``commit`` is what is
    checked out there and ``epoch`` its time. ``began`` is told each step's name; ``stopped`` is asked now and then.
    """

    cap: Cap
    repository: Path
    commit: str
    epoch: int
    settings: BuildSettings
    began: Callable[[str], None]
    stopped: Callable[[], bool]

    @property
    def own(self) -> CapBuild:
        """This cap's own settings."""
        return self.settings.builds.get(self.cap.id, CapBuild())

    @property
    def home(self) -> Path:
        """HOME, new for each build."""
        return self.settings.cache / "homes" / self.cap.id

    @property
    def cargo_home(self) -> Path:
        """CARGO_HOME, shared by all builds: it holds downloads."""
        return self.settings.cache / "cargo"

    def path_names(self) -> dict[str, str]:
        """This machine's directories and the names that stand for them in artifacts and records."""
        name = self.settings.own.name if self.cap.precomposed else self.cap.sibling
        return {
            str(self.settings.git_root): "/git",
            str(self.settings.own): "/product",
            str(self.home): "/home",
            str(self.cargo_home): "/cargo",
            str(self.repository): "/product" if self.cap.precomposed else f"/git/{name}",
        }

    def environment(self) -> dict[str, str]:
        """Every variable of the build. A later source beats an earlier one: fixed, ``caps.env``, the cap's own."""
        settings = self.settings
        passed = {name: settings.environ[name] for name in settings.passed if name in settings.environ}
        return {**ENVIRONMENT, **self._fixed(), **passed, **self.own.env}

    def _fixed(self) -> dict[str, str]:
        # The directory of bitproof's own Python comes last: wasm-tools is there when it came as a wheel.
        fixed = {
            "PATH": f"{ENVIRONMENT['PATH']}:{Path(sys.executable).parent}",
            "HOME": str(self.home),
            "CARGO_HOME": str(self.cargo_home),
            "CARGO_INCREMENTAL": "0",
            "CARGO_TERM_COLOR": "never",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            GIT_ROOT_VARIABLE: str(self.settings.git_root),
        }
        flags = self.c_flags()
        if not any(" " in flag for flag in flags):
            # clang takes these last, whatever a Makefile sets CFLAGS to; "#" keeps it from telling so.
            fixed["CCC_OVERRIDE_OPTIONS"] = "#" + " ".join(f"+{flag}" for flag in flags)
        return fixed

    def c_flags(self) -> list[str]:
        """What makes a C compiler write names for this machine's directories."""
        return [f"-ffile-prefix-map={path}={name}" for path, name in self.path_names().items()]

    def with_c_flags(self) -> dict[str, str]:
        """CFLAGS and CXXFLAGS, for builds that add these to their own (CMake, the cc crate)."""
        flags = shlex.join(self.c_flags())
        return {name: flags for name in ("CFLAGS", "CXXFLAGS") if name not in self.environment()}


def program(job: Job, name: str, package: str) -> str:
    """The path of a program, as the build itself would find it.

    Raises:
        UnavailableError: it is not there; says which Debian package holds it.
    """
    path = found(job, name)
    if path is None:
        fix = f"apt-get install {package}; or name PATH in caps.env to use your own PATH"
        raise UnavailableError(
            f"the program {name} is not installed",
            where=f"cap {job.cap.id}",
            expected=f"{name} in {job.environment()['PATH']}",
            fix=fix,
        )
    return path


def found(job: Job, name: str) -> str | None:
    """The path of a program in the build's PATH; None when it is not there."""
    return shutil.which(name, path=job.environment()["PATH"])


def rustup_home(job: Job) -> dict[str, str]:
    """Where rustup's toolchains are, for the one question that a rustup shim is asked; HOME no longer says."""
    home = job.settings.environ.get("HOME", "")
    default = os.path.join(home, ".rustup") if home else ""  # noqa: PTH118 - text in an environment
    value = job.settings.environ.get("RUSTUP_HOME", default)
    return {"RUSTUP_HOME": value} if value else {}
