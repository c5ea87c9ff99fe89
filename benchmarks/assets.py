"""The rows of ``bitproof assets`` on layouts and stores: 1 GiB, 500 MB, 10 GB, and manifests of 10,000 releases."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.contest import Contest, bitproof
from benchmarks.memory import ALL, Footprint
from bitproof import verify
from bitproof.vm.qemu import MACHINES

ARCH = platform.machine()
BINARY = "1.0.1776269479"
NAMES = ("vmlinuz", "initrd.img", "rootfs.squashfs")
CHUNK = 16 << 20
LARGE = 1 << 30
HALF = 500_000_000
HUGE = 10_000_000_000
MANY = 10_000
FEW = 10
STANDIN = "standin"
FIRST_DAY = date(2000, 1, 1)

CONTESTS = (
    Contest(
        what="`assets resolve`",
        ours="bitproof assets resolve --base store",
        rival="python3 -c 'import json'",
        rival_text='`python3 -c "import json"`',
        directory="half",
        goal="≤ 3",
        runs=60,
    ),
    Contest(
        what="`bitproof.verify`, 1 GiB, in a running process",
        ours="",
        call=lambda directory: verify(directory / "assets", [ARCH]),
        rival="b3sum --check assets.sums",
        rival_text="`b3sum --check`",
        directory="large",
        goal="≤ 1.1",
    ),
    Contest(
        what="`assets verify`, 1 GiB, a process",
        ours="bitproof assets verify --assets assets",
        rival="b3sum --check assets.sums",
        rival_text="`b3sum --check`",
        directory="large",
        goal="≤ 1.25",
    ),
    Contest(
        what="`assets install`, 500 MB, empty store",
        ours="bitproof assets install --base copy",
        rival="cp assets/*/* copy/ && sync copy/* copy && b3sum copy/*",
        rival_text="`cp; sync; b3sum` of the same files",
        directory="half",
        goal="≤ 0.9",
        prepare="rm -rf copy && mkdir copy && sync copy",
        runs=12,
        in_shell=True,
    ),
    Contest(
        what="`assets manifest`, 500 MB, unchanged",
        ours="bitproof assets manifest",
        rival="b3sum assets/*/*",
        rival_text="`b3sum` of the same files",
        directory="half",
        in_shell=True,
    ),
    Contest(
        what="`assets check`, 10,000 releases",
        ours="bitproof assets check many/manifest.json; test $? -le 1",
        rival="bitproof assets check few/manifest.json; test $? -le 1",
        rival_text="the same, 10 releases",
        directory="manifests",
        goal="< 500 ms",
        runs=12,
        warmup=1,
        in_shell=True,
    ),
    Contest(
        what="`assets resolve`, 10,000 releases",
        ours="bitproof assets resolve --base many",
        rival="bitproof assets resolve --base few",
        rival_text="the same, 10 releases",
        directory="manifests",
        goal="< 500 ms",
        runs=12,
        warmup=1,
    ),
)
FOOTPRINTS = (
    Footprint(
        what="`assets check`, 10,000 releases, all kinds of memory",
        directory="manifests",
        words="assets check many/manifest.json",
        goal="< 100 MB",
        counted=ALL,
        codes=(0, 1),
    ),
    Footprint(
        what="`assets resolve`, 10,000 releases, all kinds of memory",
        directory="manifests",
        words="assets resolve --base many",
        goal="< 100 MB",
        counted=ALL,
    ),
    Footprint(what="`assets manifest`, 10 GB", directory="huge", words=f"assets manifest --binary-version {BINARY}"),
    Footprint(what="`assets check`, 10 GB", directory="huge", words="assets check"),
    Footprint(what="`assets hashes`, 10 GB", directory="huge", words="assets hashes --format json"),
    Footprint(what="`assets verify`, 10 GB, dev layout", directory="huge", words="assets verify --assets assets"),
    Footprint(what="`assets install`, 10 GB", directory="huge", words="assets install --base store"),
    Footprint(what="`assets install`, 10 GB, there already", directory="huge", words="assets install --base store"),
    Footprint(what="`assets verify`, 10 GB, store", directory="huge", words="assets verify --base store"),
    Footprint(what="`assets resolve`, 10 GB", directory="huge", words="assets resolve --base store"),
    Footprint(what="`assets cleanup`, 10 GB", directory="huge", words="assets cleanup --base store"),
    Footprint(
        what="`vm boot` up to QEMU, 10 GB",
        directory="huge",
        words="vm boot --assets assets -- true",
        path=f"../{STANDIN}",
        codes=(1,),
    ),
)
NOTES = (
    "- `b3sum` and bitproof read through a memory map, on all cores. A process of bitproof is Python's start, that of",
    "  its command line library, and then the row above it: what is added to `b3sum` does not grow with the files.",
    "- `assets install` copies, proves what landed, syncs files and directory; its rival does the same by hand.",
    "- `assets manifest` believes the digests of files whose inode, size and times are those of the last time;",
    "  `verify`, `install` and `vm boot` always read.",
    "- The rootfs of 10 GB is a sparse file: 10 GB to hash and to copy.",
)
"""What the page says of the rows."""


def contests(_: Mapping[str, str]) -> tuple[Contest, ...]:
    """All of them."""
    return CONTESTS


def notes(_: Path, __: Mapping[str, str]) -> tuple[str, ...]:
    """What the page says of them."""
    return NOTES


def make(scratch: Path, environment: Mapping[str, str]) -> None:
    """Dev layouts that no file system can compress, recorded; one of them installed; a sparse one; the manifests."""
    for name, size in (("large", LARGE), ("half", HALF)):
        make_layout(scratch / name, size)
        bitproof(scratch / name, environment, "assets", "manifest", "--binary-version", BINARY)
    bitproof(scratch / "half", environment, "assets", "install", "--base", "store")
    sums = (scratch / "large/assets/B3SUMS").read_text().splitlines()
    (scratch / "large/assets.sums").write_text("".join(line.replace("  ", "  assets/", 1) + "\n" for line in sums))
    make_layout(scratch / "huge", 3 * CHUNK)
    os.truncate(scratch / "huge/assets" / ARCH / "rootfs.squashfs", HUGE)
    make_standin(scratch)
    for name, count in (("many", MANY), ("few", FEW)):
        make_store(scratch / "manifests" / name, count)


def make_standin(scratch: Path) -> None:
    """A QEMU that ends at once."""
    program = scratch / STANDIN / MACHINES[ARCH].program
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def make_layout(directory: Path, size: int) -> None:
    """A dev layout of three files of random bytes, ``size`` bytes in all."""
    arch = directory / "assets" / ARCH
    arch.mkdir(parents=True)
    for name, length in zip(NAMES, (CHUNK, CHUNK, size - 2 * CHUNK), strict=True):
        with (arch / name).open("wb") as file:
            for start in range(0, length, CHUNK):
                file.write(os.urandom(min(CHUNK, length - start)))


def make_store(directory: Path, count: int) -> None:
    """A store of so many releases and binaries; only the current one's files are there, and these are empty."""
    directory.mkdir(parents=True)
    days = (FIRST_DAY + timedelta(days=number) for number in range(count))
    versions = [f"{day.year}.{day.month:02}{day.day:02}.1" for day in days]
    releases = {version: _release(number) for number, version in enumerate(versions)}
    binaries = {
        f"1.{number}.{int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + number}": {"min_assets": version}
        for number, version in enumerate(versions)
    }
    tracks = {
        "assets": {"current": versions[-1], "releases": releases},
        "binaries": {"current": list(binaries)[-1], "releases": binaries},
    }
    (directory / "manifest.json").write_text(json.dumps({"format": 2, **tracks}, indent=2) + "\n")
    for name in NAMES:
        stem, dot, rest = name.partition(".")
        (directory / f"{stem}-{_digest('hash', name, count - 1)[:16]}{dot}{rest}").touch()


def _release(number: int) -> dict[str, object]:
    """One arch's three assets; digests that are those of nothing."""
    assets = {
        name: {
            "hash": _digest("hash", name, number),
            "size": CHUNK + number,
            "sha256": _digest("sha256", name, number),
        }
        for name in NAMES
    }
    return {"arches": {ARCH: assets}}


def _digest(kind: str, name: str, number: int) -> str:
    return hashlib.sha256(f"{kind} {name} {number}".encode()).hexdigest()
