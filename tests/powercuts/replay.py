"""Make the states that power cuts leave, mount each, and judge it."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests.powercuts.cuts import Cut
from tests.powercuts.devices import loop_device, mounted
from tests.powercuts.disklog import pieces
from tests.powercuts.recording import SIZE, Recording, apply
from tests.powercuts.rules import judge

OPTIONS = {"ext4": "", "xfs": "nouuid"}
"""With which a copy is mounted while others of it are."""
LANES = 4
"""How many states at a time: more than cores, since most of a mount is waiting."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found after a cut; no faults is a good state."""

    cut: Cut
    faults: tuple[str, ...]


def replay(recording: Recording, cuts: Sequence[Cut], room: Path, *, first: bool) -> list[Verdict]:
    """Make and judge the states of cuts, some at a time: most of a mount is waiting.

    Args:
        recording: what was cut.
        cuts: the cuts, in the log's order.
        room: an empty directory in memory.
        first: judge no more once a bad one is found.
    """
    found = Event()

    def lane(number: int) -> list[Verdict]:
        verdicts = []
        place = room / f"lane-{number}"
        place.mkdir()
        for verdict in _judged(recording, cuts[number::LANES], place):
            verdicts.append(verdict)
            if verdict.faults:
                found.set()
            if first and found.is_set():
                break
        return verdicts

    with ThreadPoolExecutor(LANES) as lanes:
        return [verdict for verdicts in lanes.map(lane, range(LANES)) for verdict in verdicts]


def _judged(recording: Recording, cuts: Sequence[Cut], place: Path) -> Iterator[Verdict]:
    scratch = place / "scratch"
    scratch.write_bytes(recording.base)
    durable = bytearray(recording.base)
    done = 0
    with scratch.open("r+b", buffering=0) as image, loop_device(scratch, SIZE) as loop:
        for cut in cuts:
            apply(durable, recording.events[done : cut.start])
            done = cut.start
            os.pwrite(image.fileno(), durable, 0)
            for piece in pieces(recording.events[at] for at in cut.kept):
                os.pwrite(image.fileno(), piece.data, piece.offset)
            loop.forget()
            yield Verdict(cut, tuple(_faults(recording, cut, loop.path, place / "mount")))


def _faults(recording: Recording, cut: Cut, device: Path, mount: Path) -> list[str]:
    try:
        with mounted(device, mount, recording.kind, OPTIONS[recording.kind]):
            return list(judge(mount, recording.steps, cut.acknowledged))
    except OSError as error:
        return [f"{recording.kind} does not mount or read: {error}"]
