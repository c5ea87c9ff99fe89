"""Whole commands, timed by hyperfine next to what one would type without bitproof; writes ``docs/benchmarks.md``.

Both sides of a row are measured by turns, in four runs of hyperfine, on the same files. What has to be set up
anew before each turn (an empty store, a changed init) is not timed. Works in a scratch directory under TMPDIR, which
needs 3 GB.
"""

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
GUEST = ROOT / "examples" / "microvm" / "guest"
BINARY = "1.0.1776269479"
ROUNDS = 4
LARGE = 512 << 20
CHUNK = 16 << 20
QUIET = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "BITPROOF_ASSETS_DIR", "BITPROOF_HOME", "SOURCE_DATE_EPOCH")
"""Variables that would make one side slower, or lead it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One row: our command, and what it is compared with.

    ``prepare`` runs before each turn of either side and is not timed, and needs ``in_shell``, as the rival may.
    """

    what: str
    ours: str
    rival: str
    rival_text: str
    directory: str
    goal: str = ""
    prepare: str = ""
    runs: int = 20
    in_shell: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A measured contest: medians in seconds."""

    contest: Contest
    ours: float
    rival: float


CONTESTS = (
    Contest(
        what="`assets resolve`",
        ours="bitproof assets resolve --base store",
        rival="python3 -c 'import json'",
        rival_text='`python3 -c "import json"`',
        directory="large",
        goal="≤ 3",
        runs=60,
    ),
    Contest(
        what="`assets verify`, 512 MiB",
        ours="bitproof assets verify --assets assets",
        rival="b3sum --check assets.sums",
        rival_text="`b3sum --check`",
        directory="large",
    ),
    Contest(
        what="`assets install`, 512 MiB, empty store",
        ours="bitproof assets install --base copy",
        rival="cp assets/*/* copy/ && sync copy/* copy && b3sum copy/*",
        rival_text="`cp; sync; b3sum` of the same files",
        directory="large",
        prepare="rm -rf copy && mkdir copy && sync copy",
        runs=12,
        in_shell=True,
    ),
    Contest(
        what="`assets manifest`, 512 MiB, unchanged",
        ours="bitproof assets manifest",
        rival="b3sum assets/*/*",
        rival_text="`b3sum` of the same files",
        directory="large",
        in_shell=True,
    ),
    Contest(
        what="`assets repack`, `init` changed",
        ours="bitproof assets repack",
        rival="zstdcat assets/*/initrd.img | (cd tree && cpio -idm --quiet -f 'dev/*')"
        " && cp -r guest/artifacts/init guest/artifacts/bin tree/"
        " && (cd tree && find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -q -3 -o ../new.img)",
        rival_text="`zstdcat`, `cpio -i`, `cp`, `cpio -o`, `zstd -3`",
        directory="image",
        prepare="rm -rf tree new.img && mkdir tree && date +'# %N' >>guest/artifacts/init",
        in_shell=True,
    ),
)


def main() -> None:
    """Measure, print, write the page."""
    with tempfile.TemporaryDirectory(prefix="bitproof-bench-") as scratch, working(Path(scratch)) as environment:
        make_large(Path(scratch) / "large", environment)
        make_image(Path(scratch) / "image", environment)
        rows = [measured(contest, Path(scratch), environment) for contest in CONTESTS]
    page = "\n".join(printed(rows))
    PAGE.write_text(page)
    print(page)


@contextmanager
def working(scratch: Path) -> Iterator[Mapping[str, str]]:
    """The environment of all commands: a home of its own, and bytecode kept as on a user's machine."""
    home = scratch / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in QUIET}
    yield {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8"}


def make_large(directory: Path, environment: Mapping[str, str]) -> None:
    """A dev layout of three files, 512 MiB in all, that no file system can compress; recorded and installed."""
    arch = directory / "assets" / platform.machine()
    arch.mkdir(parents=True)
    for name, size in (("vmlinuz", CHUNK), ("initrd.img", CHUNK), ("rootfs.squashfs", LARGE - 2 * CHUNK)):
        with (arch / name).open("wb") as file:
            for _ in range(size // CHUNK):
                file.write(os.urandom(CHUNK))
    bitproof(directory, environment, "assets", "manifest", "--binary-version", BINARY)
    bitproof(directory, environment, "assets", "install", "--base", "store")
    sums = (directory / "assets" / "B3SUMS").read_text().splitlines()
    (directory / "assets.sums").write_text("".join(line.replace("  ", "  assets/", 1) + "\n" for line in sums))


def make_image(directory: Path, environment: Mapping[str, str]) -> None:
    """The example's image, really built: half a minute."""
    shutil.copytree(GUEST, directory / "guest")
    bitproof(directory, environment, "assets", "build", "--binary-version", BINARY)


def bitproof(directory: Path, environment: Mapping[str, str], *words: str) -> None:
    """Run one command, quietly."""
    subprocess.run(["bitproof", "-q", *words], cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)


def measured(contest: Contest, scratch: Path, environment: Mapping[str, str]) -> Row:
    """Both sides of a contest, in rounds, so that what else the machine does hits both."""
    rounds = [measured_once(contest, scratch, environment) for _ in range(ROUNDS)]
    ours, rival = ([time for sides in rounds for time in sides[side]] for side in (0, 1))
    return Row(contest, median(ours), median(rival))


def measured_once(contest: Contest, scratch: Path, environment: Mapping[str, str]) -> list[list[float]]:
    """One run of hyperfine: the times of our side, and those of the rival, in seconds."""
    result = scratch / "hyperfine.json"
    options = ["--warmup", "2", "--runs", str(contest.runs // ROUNDS), "--style", "none", "--export-json", str(result)]
    options += ["--shell", "sh" if contest.in_shell else "none"]
    options += ["--prepare", contest.prepare] if contest.prepare else []
    subprocess.run(
        ["hyperfine", *options, contest.ours, contest.rival],
        cwd=scratch / contest.directory,
        env=environment,
        check=True,
    )
    return [side["times"] for side in json.loads(result.read_text())["results"]]


def printed(rows: Iterable[Row]) -> Iterator[str]:
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
        ratio = f"{row.ours / row.rival:.2f}"
        yield (
            f"| {contest.what} | {milliseconds(row.ours)} | {contest.rival_text} | {milliseconds(row.rival)} "
            f"| {ratio} | {contest.goal} |"
        )
    yield ""
    yield "- `assets install` copies, proves what landed, syncs files and directory; its rival does the same by hand."
    yield "- `assets manifest` believes the digests of files whose inode, size and times are those of the last time;"
    yield "  `verify`, `install` and `vm boot` always read."
    yield "- `assets repack` of the example's initrd keeps the packages' part as it is and packs the guest's files; its"
    yield "  rival unpacks the initrd, copies the files and packs it again."
    yield ""
    yield f"Measured on: {machine()}."
    yield ""


def milliseconds(seconds: float) -> str:
    """Rounded to three digits or so."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004 - three digits


def machine() -> str:
    """What the numbers depend on, and nothing that names this machine."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    cores = len(os.sched_getaffinity(0))
    kernel = platform.release().partition("-")[0]
    return (
        f"{cpu or platform.machine()}, {cores} cores, {memory / (1 << 20):.0f} GiB of memory, Linux {kernel}, "
        f"Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


if __name__ == "__main__":
    main()
