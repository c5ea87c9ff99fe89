"""What is done on the disk before the power goes: releases built, recorded, installed, deprecated and cleaned up."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import shake_256
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.model.names import INITRD, KERNEL, ROOTFS
from bitproof.system.files import Directory
from bitproof.system.process import run
from tests.powercuts.disklog import mark
from tests.powercuts.rules import ARCH, LAYOUT, STORE, Step, look

SIZES = {KERNEL: 150_001, INITRD: 70_000, ROOTFS[0]: 290_816}
"""Bytes: many blocks each; the last one is a whole number of them."""
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "1776211200", "HOME": "/nonexistent"}
"""2026-04-15, so that the releases are 2026.0415.1, .2 and so on."""
BINARY = "1.0.1776269479"
RELEASE = "2026.0415."
ELSEWHERE = "../elsewhere"
"""The same dev layout on another file system, seen from the disk."""
INTERRUPTED = "killed at each sync of a directory, then bitproof"
ATTEMPTS = 8
"""More than a command syncs directories."""

Words = Sequence[str]


def script() -> Iterator[tuple[str, Words]]:
    """The steps: ``build`` with a tag and names of assets, or a command of bitproof, which may be `INTERRUPTED` first.

    A release comes from the same disk, where XFS shares its blocks and copies nothing, or from another one.
    """
    record = ("manifest", "--assets", LAYOUT, "--binary-version", BINARY)
    put = ("install", "--assets", LAYOUT, "--base", STORE, "--arch", ARCH)
    fetch = ("install", "--assets", ELSEWHERE, "--base", STORE, "--arch", ARCH)
    clean = ("cleanup", "--base", STORE)
    yield from (("bitproof", record), ("bitproof", put))
    yield from (("build b", (INITRD,)), (INTERRUPTED, record), ("bitproof", put))
    yield from (("build c", tuple(SIZES)), ("bitproof", record), (INTERRUPTED, fetch))
    yield from (("bitproof", deprecate(1, LAYOUT)), ("bitproof", put), ("bitproof", clean))
    yield from (("build d", (KERNEL, INITRD)), ("bitproof", record), ("bitproof", fetch))
    yield from ((INTERRUPTED, deprecate(2, STORE)), ("bitproof", deprecate(3, STORE)), ("bitproof", clean))


def deprecate(number: int, directory: str) -> Words:
    """The command that takes a release out of force."""
    return ("deprecate", f"{RELEASE}{number}", "--manifest", f"{directory}/manifest.json")


def build(layout: Path, tag: str, names: Sequence[str]) -> None:
    """New images, as `assets build` leaves them: written durably, one after the other."""
    with Directory(layout / ARCH, create=True) as directory:
        for name in names:
            directory.write(name, shake_256(f"{name} {tag}".encode()).digest(SIZES[name]))


def first_build(root: Path) -> None:
    """What is there at the start."""
    build(root / LAYOUT, "a", tuple(SIZES))


def perform(root: Path, acknowledge: Callable[[bytes], object], package: Path | None, dying: Path) -> list[Step]:
    """Do all steps on a mounted disk.

    Args:
        root: where it is mounted.
        acknowledge: writes a mark into the disk's log.
        package: where the bitproof to run is imported from; None is this one.
        dying: the same for one that is killed before it syncs a directory.
    """
    steps = [Step("start", look(root))]
    for number, (what, words) in enumerate(script(), 1):
        if what.startswith("build "):
            build(root / LAYOUT, what.removeprefix("build "), words)
        else:
            if what == INTERRUPTED:
                _interrupt(root, words, dying)
            _bitproof(root, words, package)
        acknowledge(mark(number))
        steps.append(Step(f"{what} {' '.join(words)}", look(root)))
    return steps


def _interrupt(root: Path, words: Words, dying: Path) -> None:
    """Kill the command until it finds nothing left to do, or cannot get further: what it renamed is not synced."""
    killed = 0
    for _ in range(ATTEMPTS):
        with suppress(UnavailableError):
            _bitproof(root, words, dying)
            break
        killed += 1
    if not killed:
        raise RuntimeError(f"{words[0]} was not killed")


def _bitproof(root: Path, words: Words, package: Path | None) -> None:
    if ELSEWHERE in words:
        shutil.copytree(root / LAYOUT, root / ELSEWHERE, dirs_exist_ok=True)
    environment = ENVIRONMENT | ({} if package is None else {"PYTHONPATH": str(package)})
    run([sys.executable, "-m", "bitproof", "assets", *words], cwd=root, environment=environment, timeout=60)
