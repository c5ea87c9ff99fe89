"""What compiles a kernel: the programs, each with its Debian package, and who they are.

They are looked for where they run: in the made environment's PATH, not in the user's.
"""

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from bitproof.errors import Problem, UnavailableError
from bitproof.images.kernel.kconfig import options
from bitproof.model.names import arch_key
from bitproof.proof.inputs import Program
from bitproof.system.hashing import sha256_digest
from bitproof.system.opened import open_file
from bitproof.system.process import ENVIRONMENT, run

ASKED = 20.0
"""Seconds that a program has to tell its version."""


@dataclass(frozen=True, slots=True)
class Target:
    """What differs from arch to arch: the kernel's name of it, the compiler's prefix and packages, and the image.

    ``image`` is the make target and ``path`` where it lies: what QEMU boots directly. On arm64 that is the plain Image;
    the self-decompressing one is for UEFI.
    """

    arch: str
    prefix: str
    compiler: str
    linker: str
    image: str
    path: str


TARGETS = {
    "x86_64": Target(
        "x86_64", "x86_64-linux-gnu-", "gcc-x86-64-linux-gnu", "binutils-x86-64-linux-gnu", "bzImage", "arch/x86/boot"
    ),
    "arm64": Target(
        "arm64", "aarch64-linux-gnu-", "gcc-aarch64-linux-gnu", "binutils-aarch64-linux-gnu", "Image", "arch/arm64/boot"
    ),
}
_COMMON = (
    ("make", "make"),
    ("gcc", "gcc"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
)
_COMPRESSORS = {
    "CONFIG_KERNEL_XZ": ("xz", "xz-utils"),
    "CONFIG_KERNEL_LZ4": ("lz4", "lz4"),
    "CONFIG_KERNEL_ZSTD": ("zstd", "zstd"),
    "CONFIG_KERNEL_LZO": ("lzop", "lzop"),
    "CONFIG_KERNEL_BZIP2": ("bzip2", "bzip2"),
}
"""What packs the kernel into itself where it is not gzip, Kconfig's default."""
_HEADERS = (("gelf.h", "libelf-dev"), ("stdio.h", "libc6-dev"))
"""What programs of the kernel's own build are compiled with."""


def find(name: str) -> str | None:
    """Where a program is, as the build will find it."""
    return shutil.which(name, path=ENVIRONMENT["PATH"])


def requirements(arch: str, defconfig: bytes) -> tuple[tuple[str, str], ...]:
    """The programs that compile a kernel and the Debian package of each; a native compiler's package is ``gcc``."""
    target = TARGETS[arch]
    native = arch_key(platform.machine()) == arch
    compiler = (f"{target.prefix}gcc", "gcc" if native else target.compiler)
    linker = (f"{target.prefix}ld", "binutils" if native else target.linker)
    return (*_COMMON, compiler, linker, *_compressors(defconfig))


def _compressors(defconfig: bytes) -> list[tuple[str, str]]:
    asked = options(defconfig.decode("utf-8", "replace"))
    return [program for option, program in _COMPRESSORS.items() if asked.get(option) == "y"]


def missing(arch: str, defconfig: bytes) -> tuple[Problem, ...]:
    """Every program and header that this machine lacks, and the package that holds it."""
    lacking = [
        Problem(name, "not installed", expected=f"the package {package}")
        for name, package in requirements(arch, defconfig)
        if find(name) is None
    ]
    compiler = find("gcc")
    if compiler is not None:
        lacking += [
            Problem(header, "not installed", expected=f"the package {package}")
            for header, package in _HEADERS
            if not _compiles(compiler, header)
        ]
    return tuple(lacking)


def check_toolchain(arch: str, defconfig: bytes) -> None:
    """Raise unless this machine can compile a kernel of this arch.

    Raises:
        UnavailableError: naming every program that is missing, and the packages that hold them.
    """
    problems = missing(arch, defconfig)
    if problems:
        packages = sorted({problem.expected.removeprefix("the package ") for problem in problems})
        raise UnavailableError(
            "this machine cannot compile a kernel",
            where=f"arch.{arch}.kernel",
            problems=problems,
            fix=f"apt-get install {' '.join(packages)}",
        )


def _compiles(compiler: str, header: str) -> bool:
    try:
        run([compiler, "-fsyntax-only", "-xc", "-"], stdin=f"#include <{header}>\n".encode(), timeout=ASKED)
    except UnavailableError:
        return False
    return True


def identities(arch: str, defconfig: bytes) -> tuple[Program, ...]:
    """The programs whose bytes decide the kernel's: compiler, assembler, linker, and what compresses the image."""
    gcc = f"{TARGETS[arch].prefix}gcc"
    parts = {name: _part(gcc, name) for name in ("cc1", "as", "ld")}
    packers = {name: find(name) or name for name, _ in _compressors(defconfig) or [("gzip", "gzip")]}
    programs = {gcc: find(gcc) or gcc, **parts, **packers}
    return tuple(_identity(name, path, gcc if name == "cc1" else path) for name, path in programs.items())


def _part(compiler: str, name: str) -> str:
    """The path of a program that a compiler runs."""
    out = run([find(compiler) or compiler, f"-print-prog-name={name}"], timeout=ASKED).decode().strip()
    return out if "/" in out else find(out) or out


def _identity(name: str, path: str, asked: str) -> Program:
    with open_file(Path(path).resolve(), f"the program {name}") as file:
        digest = sha256_digest(file)
    told = run([find(asked) or asked, "--version"], timeout=ASKED).decode("utf-8", "replace")
    return Program(name=name, version=told.partition("\n")[0].strip(), digest=digest)
