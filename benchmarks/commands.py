"""Whole commands, timed by hyperfine next to what one would type without bitproof; writes ``docs/benchmarks.md``.

Both sides of a row are measured by turns, in four runs of hyperfine, on the same files. What has to be set up
anew before each turn (an empty store, a changed init) is not timed. Works in a scratch directory under TMPDIR, which
needs 4 GB.

``python3 -m benchmarks.commands [assets|caps]…`` measures these alone and only prints.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks import assets, caps
from benchmarks.contest import Contest, Row, here, machine, measured, milliseconds, working

PAGE = assets.ROOT / "docs" / "benchmarks.md"
ROOMS = ("assets", "caps")
NOTES = {"assets": assets.NOTES, "caps": caps.NOTES}


def main() -> None:
    """Measure, print, write the page."""
    rooms = sys.argv[1:] or ROOMS
    with tempfile.TemporaryDirectory(prefix="bitproof-bench-") as scratch, working(Path(scratch)) as environment:
        contests = made(Path(scratch), environment, rooms)
        rows = [measured(contest, Path(scratch), environment) for contest in contests if here(contest)]
        memory = tuple(caps.peak_memory(Path(scratch), environment)) if "caps" in rooms else ()
    left_out = sorted({contest.needs for contest in contests if not here(contest)})
    page = "\n".join(printed(rows, memory, left_out, rooms))
    if not sys.argv[1:]:
        PAGE.write_text(page)
    print(page)


def made(scratch: Path, environment: Mapping[str, str], rooms: Iterable[str]) -> list[Contest]:
    """Set up what the contests of these rooms need."""
    contests: list[Contest] = []
    if "assets" in rooms:
        assets.make_large(scratch / "large", environment)
        assets.make_image(scratch / "image", environment)
        contests += assets.CONTESTS
    if "caps" in rooms:
        caps.make_heavy(scratch / "heavy", environment)
        caps.make_small(scratch / "small", environment)
        contests += caps.CONTESTS
    return contests


def printed(
    rows: Iterable[Row], memory: Iterable[tuple[str, int]], left_out: list[str], rooms: Iterable[str]
) -> Iterator[str]:
    """The page, line by line."""
    yield "# Benchmarks"
    yield ""
    yield "Written by `make bench`: medians of whole commands, start-up included, both sides of a row by turns with"
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
    if memory:
        yield "| command | peak of anonymous memory | goal |"
        yield "|---|---:|---:|"
        yield from (f"| {what} | {peak / (1 << 20):.0f} MiB | < 150 MB |" for what, peak in memory)
        yield ""
    for room in rooms:
        yield from NOTES[room]
    if left_out:
        yield f"- Left out, since it is not installed here: {', '.join(f'`{name}`' for name in left_out)}."
    yield ""
    yield f"Measured on: {machine()}."
    yield ""


if __name__ == "__main__":
    main()
