"""Systems at their end: full disks, no inodes, no descriptors, small files only, read-only stores, overlays."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.assets.layouts import installed
from tests.faults.campaign import Result
from tests.faults.cases import ARCH, ASSETS, STORE, settle
from tests.faults.commands import Outcome, Zygote
from tests.faults.oracle import Expected, problems, recovery, tree
from tests.model.samples import BINARY

OUTPUT = 512
"""Bytes that a command may say, which goes to a file too."""
PAGE = resource.getpagesize()
ENOUGH = "size=16m,nr_inodes=1000"
READERS = (
    ("assets", "resolve", "--binary-version", BINARY, "--arch", ARCH, "--base", STORE),
    ("assets", "verify", "--arch", ARCH, "--base", STORE),
    ("assets", "check", f"{STORE}/manifest.json"),
    ("assets", "list", f"{STORE}/manifest.json"),
    ("assets", "hashes", "--assets", ASSETS, "--arch", ARCH, "--format", "json"),
    ("assets", "cleanup", "--dry-run", "--base", STORE),
    ("boot.py", STORE, BINARY, ARCH),
)
"""Commands that need no write."""


@contextmanager
def mounted(place: Path, kind: str, options: str) -> Iterator[Path]:
    """A file system of our own for the block."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, kind, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def remount(place: Path, options: str) -> None:
    """Change a mounted file system's options."""
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def full_disk(wanted: Expected, zygote: Zygote) -> Result:
    """Room for one page more in each run, from a disk that is full to the first one that is large enough."""
    return _until_it_fits(wanted, zygote, "size", PAGE, PAGE)


def no_inodes(wanted: Expected, zygote: Zygote) -> Result:
    """One inode more in each run, from a disk that has none to the first one that has enough."""
    return _until_it_fits(wanted, zygote, "nr_inodes", 1, 1)


def _until_it_fits(wanted: Expected, zygote: Zygote, option: str, unit: int, step: int) -> Result:
    result = Result()
    fits = False
    free = 0
    while not fits:
        with mounted(wanted.template.with_name("small"), "tmpfs", ENOUGH) as disk:
            run = wanted.case.copy(wanted.template, disk / "run")
            state = os.statvfs(disk)
            blocks, inodes = state.f_blocks - state.f_bfree, state.f_files - state.f_ffree
            used = inodes if option == "nr_inodes" else blocks * state.f_frsize
            remount(disk, f"{option}={used + free * unit}")
            fits = _limited(wanted, zygote, run, {}, result)
            remount(disk, ENOUGH)
            result.bad += recovery(wanted, run, zygote)
        free += step // unit
    return result


def _limited(wanted: Expected, zygote: Zygote, run: Path, limits: Mapping[str, int], result: Result) -> bool:
    """One run that must succeed, or fail with exit 3 and nothing done; returns which."""
    outcome = zygote.run(wanted.case.argv, run, limits=limits)
    result.bad += [f"{limits}: {problem}" for problem in problems(wanted, run, outcome)]
    if outcome.code not in {0, 3}:
        result.bad.append(f"{limits}: {outcome}")
    result.injected += outcome.code != 0
    return outcome.code == 0


def no_descriptors(wanted: Expected, zygote: Zygote) -> Result:
    """One descriptor more in each run, until it succeeds."""
    return _with_limit(wanted, zygote, "RLIMIT_NOFILE", 1)


def small_files(wanted: Expected, zygote: Zygote) -> Result:
    """Files may have a few bytes more in each run (a real short write, then EFBIG), until it succeeds."""
    largest = max(len(data) for path, (_, data) in wanted.new.items() if wanted.old.get(path, (0, b""))[1] != data)
    return _with_limit(wanted, zygote, "RLIMIT_FSIZE", max(97, largest // 40))


def _with_limit(wanted: Expected, zygote: Zygote, limit: str, step: int) -> Result:
    result = Result()
    value = OUTPUT if limit == "RLIMIT_FSIZE" else 3
    run = wanted.template.with_name("run")
    while not _limited(wanted, zygote, wanted.case.copy(wanted.template, run), {limit: value}, result):
        result.bad += recovery(wanted, run, zygote)
        value += step
    return result


def read_only(zygote: Zygote, scratch: Path) -> Result:
    """Resolve, verify and boot need no write; what does says so, and a store that is not changed stays as it was."""
    result = Result()
    with mounted(scratch / "read-only", "tmpfs", ENOUGH) as disk:
        installed(disk / ASSETS, disk / STORE)
        before = tree(disk)
        remount(disk, "ro")
        for argv in READERS:
            done = zygote.run(argv, disk)
            result.injected += 1
            result.bad += [] if done.code == 0 else [f"{argv}: {done}"]
        refused = zygote.run(("assets", "cleanup", "--base", STORE), disk)
        if refused != Outcome(3, _read_only_lock(disk)):
            result.bad.append(str(refused))
        if tree(disk) != before:
            result.bad.append("something changed")
    return result


def _read_only_lock(disk: Path) -> str:
    return (
        "error: the lock cannot be made\n"
        f"  where:    {disk / STORE}/.bitproof.lock\n"
        "  found:    Read-only file system\n"
        "  fix:      the file system is read-only; write elsewhere or remount it\n"
    )


LIMITS = (full_disk, no_inodes, no_descriptors)


@contextmanager
def overlaid(wanted: Expected) -> Iterator[Path]:
    """What a case works on as the lower layer of an overlay: nothing of it is written, all changes are copies."""
    with mounted(wanted.template.with_name("layers"), "tmpfs", ENOUGH) as layers:
        for name in ("lower", "upper", "work"):
            (layers / name).mkdir()
        shutil.copytree(wanted.template, layers / "lower", symlinks=True, dirs_exist_ok=True)
        options = f"lowerdir={layers / 'lower'},upperdir={layers / 'upper'},workdir={layers / 'work'}"
        with mounted(layers / "run", "overlay", options) as run:
            settle(run)
            yield run
        assert tree(layers / "lower") == wanted.old, "the lower layer changed"
