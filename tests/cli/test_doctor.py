"""``bitproof doctor``."""

from pathlib import Path

import pytest

from bitproof.system import process

from .conftest import Run

PROGRAMS = ("mmdebstrap", "tar2sqfs", "mkfs.erofs", "depmod", "qemu-system-x86_64")


def test_doctor_finds_what_is_there(project: Path, run: Run) -> None:
    done = run("doctor")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[:6]] == [["OK", name] for name in (*PROGRAMS, "accelerator")]
    assert done.err == "6 ok\n"
    assert list(project.iterdir()) == []


def test_doctor_says_how_to_get_what_is_missing(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(project))
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
    assert done.err == "5 missing\n"

    found = run("doctor", "--json")
    assert found.code == 1
    assert found.document["ok"] is False
    assert found.document["summary"]["missing"] == 5
    assert found.document["settings"]["config"] == {"value": "guest/config", "source": "default"}
