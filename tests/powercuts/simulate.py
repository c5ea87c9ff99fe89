"""Record one disk's life, then cut its power many times. ``python -m tests.powercuts.simulate``; see `run`.

Runs as the first process of its own namespaces and prints one JSON document (`Outcome`).
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.powercuts.cuts import choose_cuts
from tests.powercuts.devices import keep_mounts_private, mounted
from tests.powercuts.disklog import Flush, pieces
from tests.powercuts.outcome import Outcome
from tests.powercuts.recording import MAKERS, Recording, record
from tests.powercuts.replay import Verdict, replay

SHOWN = 5
"""Bad states that are told in full."""


def simulate(kind: str, count: int, seed: int, room: Path, package: Path | None, *, first: bool) -> Outcome:
    """Record, cut, judge.

    Args:
        kind: ext4 or xfs.
        count: how many different images are wanted.
        seed: of the random cuts.
        room: an empty directory in memory.
        package: as for `perform`.
        first: stop at the first bad state.
    """
    began = time.monotonic()
    recording = record(kind, room, package)
    recorded = time.monotonic()
    cuts, images = choose_cuts(recording.events, recording.base, count, seed)
    verdicts = replay(recording, cuts, room, first=first)
    bad = [verdict for verdict in verdicts if verdict.faults]
    return Outcome(
        kind=kind,
        seed=seed,
        commands=len(recording.steps) - 1,
        writes=sum(1 for _ in pieces(recording.events)),
        flushes=sum(isinstance(event, Flush) for event in recording.events),
        states=len(verdicts),
        images=images,
        bad=len(bad),
        faults=tuple(_told(recording, verdict) for verdict in bad[:SHOWN]),
        recording_seconds=recorded - began,
        seconds=time.monotonic() - recorded,
    )


def _told(recording: Recording, verdict: Verdict) -> str:
    """A bad state: how to get there, and its faults."""
    cut = verdict.cut
    unflushed = sum(1 for _ in pieces(recording.events[cut.start : cut.place]))
    after = recording.steps[cut.acknowledged].command
    where = f"after {cut.acknowledged} commands (the last: {after}), event {cut.place}"
    return "\n  ".join([f"{where}, {len(cut.kept)} of {unflushed} unflushed blocks on the disk:", *verdict.faults])


def main() -> None:
    """Read the words, simulate, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=MAKERS)
    parser.add_argument("room", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--first", action="store_true")
    words = parser.parse_args()
    keep_mounts_private()
    with mounted("proc", Path("/proc"), "proc"), mounted("tmpfs", words.room, "tmpfs", "size=1g") as room:
        found = simulate(words.kind, words.count, words.seed, room, words.package, first=words.first)
    json.dump(asdict(found), sys.stdout)


if __name__ == "__main__":
    main()
