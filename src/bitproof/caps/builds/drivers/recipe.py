"""What a driver answers: the steps of a build, what they need, and why this driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run. ``name`` is what messages call it; ``cwd`` None is the repository."""

    name: str
    argv: tuple[str, ...]
    cwd: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a cap is built.

    Args:
        driver: the driver's name.
        reason: why this one.
        steps: what runs, in order.
        environment: variables beside `Job.environment`.
        flags: what the compilers are given beside their commands, for the record.
        toolchain: names or paths of the programs that make the bytes; those that are there are recorded.
        names: directories and the names that stand for them in the record, beside `Job.path_names`.
        stale: files, relative to the repository, that the build must make anew.
    """

    driver: str
    reason: str
    steps: tuple[Step, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    toolchain: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()


C_TOOLCHAIN = ("clang", "wasm-ld", "zig")
"""What may compile and link in a build that does not say so itself."""
EVERY_TOOLCHAIN = ("cargo", "rustc", *C_TOOLCHAIN, "make", "cmake", "wasm-tools")
"""The same for a build that runs whatever it likes."""
