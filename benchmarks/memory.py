"""The most memory that a command has at once, sampled from ``/proc`` while it runs."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POLL = 0.001
"""Seconds between two looks at a program's memory."""
ANONYMOUS = "RssAnon"
ALL = "VmHWM"
"""Names in ``/proc/PID/status`` (proc(5)): anonymous memory now; the most of any kind, mapped files included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """A command whose memory is measured, and the most that it may have.

    ``fresh`` is removed before, and ``path`` put before PATH, both below ``directory``. ``counted`` is `ANONYMOUS` or
    `ALL`, ``codes`` are the exit codes that are right.
    """

    what: str
    directory: str
    words: str
    goal: str = "< 150 MB"
    fresh: str = ""
    path: str = ""
    counted: str = ANONYMOUS
    codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Peak:
    """A measured footprint: bytes."""

    footprint: Footprint
    size: int


def measured_peak(footprint: Footprint, scratch: Path, environment: Mapping[str, str]) -> Peak:
    """Run the command once."""
    directory = scratch / footprint.directory
    if footprint.fresh:
        shutil.rmtree(directory / footprint.fresh, ignore_errors=True)
    peak = 0
    with subprocess.Popen(
        ["bitproof", *footprint.words.split()],
        cwd=directory,
        env={**environment, "PATH": f"{directory / footprint.path}:{environment['PATH']}"}
        if footprint.path
        else environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        status = Path(f"/proc/{child.pid}/status")
        while child.poll() is None:
            lines = status.read_text().splitlines()
            found = (int(line.split()[1]) << 10 for line in lines if line.startswith(f"{footprint.counted}:"))
            peak = max(peak, *found, 0)
            time.sleep(POLL)
    if child.returncode not in footprint.codes:
        raise RuntimeError(f"exit code {child.returncode} of bitproof {footprint.words}")
    return Peak(footprint, peak)
