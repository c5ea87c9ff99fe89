"""Commands at the same time: lays out what `racer` races on, and tells what came of it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from bitproof.model.names import MANIFEST
from bitproof.system.files import Directory
from bitproof.system.lock import locked
from tests.assets.layouts import build, recorded
from tests.faults.campaign import Result
from tests.faults.cases import ARCH, ASSETS
from tests.faults.commands import Zygote
from tests.model.samples import BINARY


def _releases(root: Path) -> None:
    """Layouts a and b, whose manifests name both releases, and each its own as current."""
    recorded(root / "a")
    shutil.copytree(root / "a", root / "b")
    recorded(root / "b", "b")
    both = json.loads((root / "b/manifest.json").read_bytes())
    both["assets"]["current"] = next(iter(both["assets"]["releases"]))
    (root / "a/manifest.json").write_text(json.dumps(both, indent=2))
    for release in both["assets"]["releases"].values():
        release["deprecated"] = True
    (root / "deprecated.json").write_text(json.dumps(both))
    for path in [*root.glob("*/B3SUMS"), *root.glob("*/.bitproof*")]:
        path.unlink()


def _two_arches(root: Path) -> None:
    for arch in (ARCH, "arm64"):
        build(root / "layout", arch=arch)


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "install × install": _releases,
    "install × cleanup": _releases,
    "boot × cleanup": _releases,
    "manifest × manifest × deprecate": _two_arches,
}


LATE = "a manifest that changes while a command waits"
WAITING = {
    "manifest": ("assets", "manifest", "--binary-version", BINARY, "--assets", ASSETS),
    "deprecate": ("assets", "deprecate", "2026.0416.1", "--manifest", f"{ASSETS}/{MANIFEST}"),
}


def late(zygote: Zygote, root: Path) -> list[str]:
    """A command that waited for the lock works on the manifest as it is then, not on the one it saw before."""
    found = []
    for name, argv in WAITING.items():
        place = root / name
        recorded(place / ASSETS)
        recorded(place / ASSETS, "b")
        build(place / ASSETS, "c")
        with Directory(place / ASSETS) as assets, locked(assets):
            running = zygote.start(argv, place)
            while not (running.output.stat().st_size or zygote.ended(running)):
                os.sched_yield()
            before = json.loads((place / ASSETS / MANIFEST).read_bytes())
            assets.write(MANIFEST, json.dumps({**before, "meanwhile": True}).encode())
        done = zygote.wait(running)
        after = json.loads((place / ASSETS / MANIFEST).read_bytes())
        if done.code or not after.pop("meanwhile", False) or after == before:
            found.append(f"{name} lost what happened while it waited: {done}")
    return found


def race(scenario: str, rounds: int, zygote: Zygote, root: Path) -> Result:
    """Let the racers of a scenario go at each other."""
    LAYOUTS[scenario](root)
    done = zygote.run(("racer.py", scenario, str(rounds), str(root)), root)
    if done.code:
        return Result(bad=[str(done)])
    told = json.loads(done.text)
    return Result(injected=told["commands"], locked=told["locked"], bad=told["bad"])
