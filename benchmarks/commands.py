"""Whole commands, timed by hyperfine next to what one would type without bitproof; writes ``docs/benchmarks.md``.

All sides of a row are measured by turns, in several runs of hyperfine, on the same files. What has to be set up anew
before each turn (an empty store, a changed init) is not timed. Then the memory of commands on large files. Works in a
scratch directory under TMPDIR, which needs 16 GB.

``python3 -m benchmarks.commands [assets|image|caps|channels|chunks]…`` measures these alone and only prints.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol, cast

from benchmarks import assets, caps, channels, chunks, image
from benchmarks.contest import Contest, Row, here, machine, measured, milliseconds, working
from benchmarks.memory import Footprint, Peak, measured_peak

PAGE = image.ROOT / "docs" / "benchmarks.md"


class Room(Protocol):
    """What a module of rows offers."""

    FOOTPRINTS: Sequence[Footprint]

    def make(self, scratch: Path, environment: Mapping[str, str]) -> None:
        """Set up what the contests need."""

    def contests(self, environment: Mapping[str, str]) -> Sequence[Contest]:
        """The rows; those that share a rival and its setting, one after the other, are measured together."""

    def notes(self, scratch: Path, environment: Mapping[str, str]) -> Iterable[str]:
        """What the page says of them."""


_MODULES = {"assets": assets, "image": image, "caps": caps, "channels": channels, "chunks": chunks}
ROOMS = {name: cast("Room", module) for name, module in _MODULES.items()}


def main() -> None:
    """Measure, print, write the page."""
    rooms = [ROOMS[name] for name in sys.argv[1:] or ROOMS]
    with tempfile.TemporaryDirectory(prefix="bitproof-bench-") as name, working(Path(name)) as environment:
        scratch = Path(name)
        for room in rooms:
            room.make(scratch, environment)
        contests = [contest for room in rooms for contest in room.contests(environment)]
        together = groupby(filter(here, contests), key=lambda contest: contest.setting)
        rows = [row for _, group in together for row in measured(tuple(group), scratch, environment)]
        peaks = [measured_peak(one, scratch, environment) for room in rooms for one in room.FOOTPRINTS]
        notes = [line for room in rooms for line in room.notes(scratch, environment)]
    absent = sorted({contest.needs for contest in contests if not here(contest)})
    notes += [f"- Left out, since it is not installed here: {', '.join(f'`{one}`' for one in absent)}."] * bool(absent)
    page = "\n".join(printed(rows, peaks, notes))
    if not sys.argv[1:]:
        PAGE.write_text(page)
    print(page)


def printed(rows: Iterable[Row], peaks: Iterable[Peak], notes: Iterable[str]) -> Iterator[str]:
    """The page, line by line."""
    yield "# Benchmarks"
    yield ""
    yield "Written by `make bench`: medians of whole commands, start-up included, all sides of a row by turns with"
    yield "hyperfine on the same files, which the page cache holds. Expect ± 20 % from one run to the next."
    yield ""
    yield "| command | bitproof | compared with | that | ratio | goal |"
    yield "|---|---:|---|---:|---:|---:|"
    for row in rows:
        contest = row.contest
        ratio = f"{row.ours / row.rival:.{2 if row.ours >= row.rival / 10 else 3}f}"
        yield (
            f"| {contest.what} | {milliseconds(row.ours)} | {contest.rival_text} | {milliseconds(row.rival)} "
            f"| {ratio} | {contest.goal} |"
        )
    yield ""
    yield "| command | peak of anonymous memory | goal |"
    yield "|---|---:|---:|"
    yield from (f"| {peak.footprint.what} | {peak.size / 1e6:.0f} MB | {peak.footprint.goal} |" for peak in peaks)
    yield ""
    yield from notes
    yield ""
    yield f"Measured on: {machine()}."
    yield ""


if __name__ == "__main__":
    main()
