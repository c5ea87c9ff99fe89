"""Start a simulation in mount and process namespaces of its own: whatever it mounts and starts dies with it."""

import json
import os
import sys
from pathlib import Path

import pytest

from bitproof.system.process import find_program, run, tethered
from tests.conftest import ROOT
from tests.powercuts.outcome import Outcome

KINDS = ("ext4", "xfs")


def simulated(
    kind: str, count: int, *, room: Path, seed: int = 1, package: Path | None = None, first: bool = False
) -> Outcome:
    """Record one disk's life and judge ``count`` different images of it after power cuts.

    Args:
        kind: ext4 or xfs.
        count: how many images.
        room: an empty directory; only the simulation sees what is in it.
        seed: of the random cuts.
        package: where the bitproof to run is imported from; None is this one.
        first: stop at the first bad state.
    """
    unshare = [find_program("unshare", "util-linux"), "--mount", "--pid", "--fork", "--kill-child"]
    words = [kind, str(room), "--count", str(count), "--seed", str(seed)]
    words += ["--package", str(package)] if package else []
    words += ["--first"] if first else []
    # the propagation is the simulation's to change: unshare cannot in a chroot
    argv = [*unshare, "--propagation", "unchanged", sys.executable, "-m", "tests.powercuts.simulate", *words]
    return Outcome(**json.loads(run(tethered(argv), cwd=ROOT, timeout=60 + count * 0.5)))


def need_root() -> None:
    """Skip where this cannot run; in CI it always can, or fails."""
    if os.geteuid() != 0 and os.environ.get("CI") != "true":
        pytest.skip("power cuts: only root can mount file systems and attach loop devices")
