"""Run the workload on a file system whose disk keeps a log of every write and flush."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bitproof.system.process import find_program, run
from tests.powercuts.devices import logged_disk, loop_device, mounted
from tests.powercuts.disklog import BLOCK, Event, pieces, read_log
from tests.powercuts.mutants import DYING, planted
from tests.powercuts.rules import Step
from tests.powercuts.workload import first_build, perform

SIZE = 16 << 20
"""Bytes of the file system; a block for the marks follows."""
MAKERS = {
    "ext4": ("e2fsprogs", ("-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")),
    # --unsupported: else a file system has 300 MB at least
    "xfs": ("xfsprogs", ("-q", "-K", "--unsupported", "-f")),
}


@dataclass(frozen=True, slots=True)
class Recording:
    """A disk's life: its bytes at the start, what happened to it, and the files after each command."""

    kind: str
    base: bytes
    events: tuple[Event, ...]
    steps: tuple[Step, ...]


def record(kind: str, room: Path, package: Path | None) -> Recording:
    """Run the workload on a file system of this kind.

    Args:
        kind: ext4 or xfs.
        room: an empty directory in memory.
        package: as for `perform`.

    Raises:
        RuntimeError: disk and log do not agree, so the log cannot be trusted.
    """
    disk, mount = room / "disk", room / "mount"
    _make(kind, disk)
    with loop_device(disk, SIZE) as loop, mounted(loop.path, mount, kind):
        first_build(mount)
    base = disk.read_bytes()[:SIZE]
    with (
        logged_disk(disk, room / "log", room / "exported") as exported,
        loop_device(exported, SIZE + BLOCK) as loop,
        mounted(loop.path, mount, kind),
    ):
        loop.need_direct()
        steps = perform(mount, lambda data: loop.put(SIZE, data), package, planted(DYING, room / "dying"))
    events = read_log((room / "log").read_bytes(), SIZE)
    end = bytearray(base)
    apply(end, events)
    if end != disk.read_bytes()[:SIZE]:
        raise RuntimeError("the log does not lead to what is on the disk")
    return Recording(kind, base, events, tuple(steps))


def apply(image: bytearray, events: Iterable[Event]) -> None:
    """Do to an image what was done to the disk."""
    for piece in pieces(events):
        image[piece.offset : piece.offset + len(piece.data)] = piece.data


def _make(kind: str, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(SIZE)
    package, words = MAKERS[kind]
    run([find_program(f"mkfs.{kind}", package), *words, str(disk)], timeout=60)
    with disk.open("r+b") as file:
        file.truncate(SIZE + BLOCK)
