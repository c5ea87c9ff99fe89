"""A cap with a ``target``: ``cargo build --release --locked --target T``.

Three things stand between this machine and the bytes:

- The compiler that really runs. A rustup shim is asked once for its sysroot, in the repository so that its
  ``rust-toolchain.toml`` counts, and then cargo and rustc are run from there.
- Cargo's configuration. Cargo reads ``.cargo/config.toml`` in every directory above the one it runs in, the user's own
  when that is ``~/git/x``; so it runs in ``/`` and is given the repository's file alone (the cargo book,
  "Configuration").
- Absolute paths. A wrapper of rustc adds ``--remap-path-prefix`` to every run of it, build scripts and procedural
  macros too. RUSTFLAGS would not reach those, and would silence the flags of the repository's own configuration.
"""

import shlex
from pathlib import Path

from bitproof.caps.builds.drivers.recipe import Recipe, Step
from bitproof.caps.builds.environment import Job, found, program, rustup_home
from bitproof.errors import InputError
from bitproof.system.files import Directory
from bitproof.system.process import run

LINKER = "wasm-ld"
WRAPPER = "rustc-with-names"
DEBIAN = Path("/usr")
"""The sysroot of Debian's rustc."""


def cargo_recipe(job: Job) -> Recipe:
    """How a cargo project is built.

    Raises:
        InputError: the repository has no Cargo.toml.
        UnavailableError: cargo, rustc or the linker is not there.
    """
    if not (job.repository / "Cargo.toml").is_file():
        raise InputError(
            "the repository has no Cargo.toml",
            where=f"cap {job.cap.id}: target",
            expected="a cargo project, or a blank target",
            found=job.cap.target,
            fix=f"set caps.build.{job.cap.id}.command in bitproof.toml when it is built otherwise",
        )
    sysroot = _sysroot(job)
    cargo, rustc = _beside(sysroot, "cargo") or program(job, "cargo", "cargo"), str(sysroot / "bin" / "rustc")
    flags, linker = _remapping(job, sysroot), _linker(job, sysroot)
    environment = {"RUSTC": rustc, "RUSTC_WRAPPER": str(_wrapper(job, flags)), **linker}
    argv = (cargo, *_configuration(job), "build", "--release", "--locked", "--target", job.cap.target)
    return Recipe(
        driver="cargo",
        reason=f"the target is {job.cap.target}",
        steps=(Step("cargo build", (*argv, "--manifest-path", str(job.repository / "Cargo.toml")), Path("/")),),
        environment={**environment, **job.with_c_flags()},
        flags=tuple(flags),
        toolchain=(cargo, rustc, *_inner(sysroot), *linker.values()),
        names={} if sysroot == DEBIAN else {str(sysroot): "/rust"},
        stale=tuple(_linked(job)),
    )


def core_modules(job: Job) -> list[str]:
    """Where cargo puts the module with the artifact's stem, relative to the repository."""
    stem, suffix = Path(job.cap.artifact).stem, Path(job.cap.artifact).suffix
    names = dict.fromkeys((stem, stem.replace("-", "_"), stem.replace("_", "-")))
    return [f"target/{job.cap.target}/release/{name}{suffix}" for name in names]


def _linked(job: Job) -> list[str]:
    """What cargo must link again: the modules, and their other name in ``deps``, which it would only link back."""
    modules = core_modules(job)
    return modules + [module.replace("/release/", "/release/deps/") for module in modules]


def _sysroot(job: Job) -> Path:
    rustc = program(job, "rustc", "rustc")
    environment = {**job.environment(), **rustup_home(job)}
    told = run([rustc, "--print", "sysroot"], environment=environment, cwd=job.repository, timeout=job.settings.timeout)
    return Path(told.decode().strip())


def _beside(sysroot: Path, name: str) -> str:
    path = sysroot / "bin" / name
    return str(path) if path.is_file() else ""


def _inner(sysroot: Path) -> list[str]:
    """The compiler itself, of which the program rustc is a shell, and the linker that comes with it."""
    paths = (*sysroot.glob("lib/librustc_driver-*.so"), *sysroot.glob("lib/*/librustc_driver-*.so"))
    return [str(path) for path in sorted((*paths, *sysroot.glob("lib/rustlib/*/bin/rust-lld")))]


def _remapping(job: Job, sysroot: Path) -> list[str]:
    """The flags of rustc; of two prefixes that fit, it takes the one that is named last."""
    names = {str(sysroot / "lib" / "rustlib" / "src" / "rust"): "/rust/lib/rustlib/src/rust", **job.path_names()}
    return [f"--remap-path-prefix={path}={name}" for path, name in names.items()]


def _wrapper(job: Job, flags: list[str]) -> Path:
    """A program that cargo calls with rustc's path and arguments (RUSTC_WRAPPER)."""
    script = f'#!/bin/sh\nexec "$@" {shlex.join(flags)}\n'
    with Directory(job.home) as home:
        home.write(WRAPPER, script.encode(), mode=0o755)
    return job.home / WRAPPER


def _linker(job: Job, sysroot: Path) -> dict[str, str]:
    """A toolchain without its own lld, as Debian's, links wasm with the one of the package ``lld``."""
    if not job.cap.target.startswith("wasm") or list(sysroot.glob("lib/rustlib/*/bin/rust-lld")):
        return {}
    if found(job, LINKER) is None:
        program(job, LINKER, "lld")
    return {f"CARGO_TARGET_{job.cap.target.upper().replace('-', '_').replace('.', '_')}_LINKER": LINKER}


def _configuration(job: Job) -> list[str]:
    for name in ("config.toml", "config"):
        path = job.repository / ".cargo" / name
        if path.is_file():
            return ["--config", str(path)]
    return []
