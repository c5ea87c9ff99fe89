"""Commands at the same time, run by `zygote`: ``racer.py SCENARIO ROUNDS ROOT`` prints what came of it as JSON.

Each racer is a fork; a barrier lets all of a round go at once, and the first one judges the state when all are done.
What they work on was laid out by `races`.
"""

import io
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from multiprocessing.synchronize import Barrier
from pathlib import Path

from blake3 import blake3

from bitproof.assets.resolve import resolve
from bitproof.cli.main import main as bitproof
from bitproof.errors import UnavailableError
from bitproof.model.version import Version
from bitproof.pipeline import vm_config
from bitproof.system.files import Directory
from bitproof.vm.verified import VmConfig, open_verified

LOCKED = (
    "error: locked by another process\n  where:    {}/.bitproof.lock\n"
    "  fix:      wait until the other bitproof has finished, or leave out --no-wait\n"
)
ARCH, OTHER_ARCH, BINARY = "x86_64", "arm64", "1.0.1776269479"
FRESH_EVERY = 20
"""Rounds until a manifest begins anew, so that it does not grow to thousands of releases."""
TIMEOUT = 60


class Racer:
    """One of the processes: what it did, and what it found wrong."""

    def __init__(self, root: Path, barrier: Barrier) -> None:
        self.root = root
        self.barrier = barrier
        self.commands = 0
        self.locked = 0
        self.bad: list[str] = []

    def meet(self) -> None:
        """Wait for all the others."""
        self.barrier.wait(TIMEOUT)

    def run(self, *argv: str, place: Path) -> bool:
        """Run a command that must succeed, or be locked out when it would not wait; returns which."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = bitproof(["-q", "assets", *argv])
        self.commands += 1
        if code == 0:
            return True
        if "--no-wait" in argv and (code, err.getvalue()) == (3, LOCKED.format(place.resolve())):
            self.locked += 1
        else:
            self.bad.append(f"{argv}: {code} {err.getvalue()}")
        return False

    def install(self, layout: str, store: Path, *options: str) -> bool:
        """Install a layout of the root."""
        where = ("--assets", str(self.root / layout), "--base", str(store))
        return self.run("install", "--arch", ARCH, *where, *options, place=store)

    def check(self, store: Path, *tags: str) -> None:
        """A store must hold these boot sets, whole, each file once, and nothing else but its manifest and its lock."""
        wanted = {stored: data for tag in tags for stored, data in boot_set(self.root / tag)}
        now = {path.name: path.read_bytes() for path in store.iterdir() if path.is_file()}
        manifest = now.pop("manifest.json", b"")
        now.pop(".bitproof.lock", None)
        if manifest not in {(self.root / tag / "manifest.json").read_bytes() for tag in tags}:
            self.bad.append(f"{store.name}: the manifest is none that was installed: {manifest[:80]!r}")
        self.bad += [f"{store.name}: {name}" for name in sorted(wanted.keys() ^ now.keys())]
        self.bad += [
            f"{store.name}: {name} is torn" for name in wanted.keys() & now.keys() if wanted[name] != now[name]
        ]


Race = Callable[[Racer, int, int], None]
"""What one racer does in one round; told the number of the racer and of the round."""


def boot_set(layout: Path) -> list[tuple[str, bytes]]:
    """The files of a layout, with the names that a store gives them."""
    found = []
    for path in sorted((layout / ARCH).iterdir()):
        stem, dot, rest = path.name.partition(".")
        found.append((f"{stem}-{blake3(path.read_bytes()).hexdigest()[:16]}{dot}{rest}", path.read_bytes()))
    return found


def install_install(racer: Racer, number: int, round_: int) -> None:
    """Two layouts into a store that nobody has made yet; two wait, two do not."""
    store = racer.root / f"store-{round_}"
    layout = "ab"[number % 2]
    racer.meet()
    done = racer.install(layout, store, *(["--no-wait"] if number > 1 else []))
    if done and layout not in {path.read_text() for path in racer.root.glob("acknowledged-*")}:
        (racer.root / f"acknowledged-{number}").write_text(layout)
    racer.meet()
    if number == 0:
        acknowledged = sorted(racer.root.glob("acknowledged-*"))
        racer.check(store, *sorted({path.read_text() for path in acknowledged}))
        shutil.rmtree(store)
        for path in acknowledged:
            path.unlink()
    racer.meet()


def install_cleanup(racer: Racer, number: int, round_: int) -> None:
    """Both releases are in force; one is missing, rubbish is there: two installs against two cleanups."""
    store = racer.root / "store"
    if number == 0:
        for tag in "ab":
            racer.install(tag, store)
        for name, _ in boot_set(racer.root / "ab"[round_ % 2]):
            (store / name).unlink()
        for name in ("x-0123456789abcdef", ".bitproof-0123456789abcdef.tmp"):
            (store / name).write_bytes(b"x")
    racer.meet()
    if number < len("ab"):
        racer.install("ab"[number], store)
    else:
        options = ["--no-wait"] if number % 2 else []
        racer.run("cleanup", "--base", str(store), *options, place=store)
    racer.meet()
    if number == 0:
        racer.check(store, "a", "b")
    racer.meet()


def boot_cleanup(racer: Racer, number: int, _: int) -> None:
    """Two VMs begin to boot a release that a cleanup removes: one that has begun loses nothing."""
    store = racer.root / "store"
    if number == 0:
        shutil.rmtree(store, ignore_errors=True)
        racer.install("a", store)
    racer.meet()
    config = vm_config(resolve(store, Version(BINARY), ARCH), None, cpus=1, memory=512, append="")
    racer.meet()
    if number == 0:
        (store / "manifest.json").write_bytes((racer.root / "deprecated.json").read_bytes())
    racer.meet()
    with ExitStack() as stack:
        held = False
        if number == 0:
            racer.run("cleanup", "--base", str(store), place=store)
        else:
            held = _begin(racer, config, stack)
        racer.meet()
        if held:
            gone = [path for path in (config.kernel, config.initrd, config.rootfs) if not path.exists()]
            racer.bad += [f"{path.name} was removed under a VM" for path in gone]
    racer.meet()


def _begin(racer: Racer, config: VmConfig, stack: ExitStack) -> bool:
    """Verify and hold a boot set; that it is gone already is no fault."""
    racer.commands += 1
    try:
        stack.enter_context(open_verified(config))
    except UnavailableError as error:
        if error.found != "No such file or directory":
            racer.bad.append(str(error))
        return False
    return True


def manifest_manifest(racer: Racer, number: int, round_: int) -> None:
    """Two arches are repacked and recorded at once, and the first release is deprecated: nothing of it is lost."""
    assets = racer.root / "layout"
    manifest = assets / "manifest.json"
    if number == 0 and round_ % FRESH_EVERY == 0:
        for path in (manifest, assets / "B3SUMS", assets / ".bitproof-digests.json"):
            path.unlink(missing_ok=True)
        _record(racer, assets)
    racer.meet()
    before = json.loads(manifest.read_bytes())["assets"]["releases"]
    arches = (ARCH, OTHER_ARCH)
    if number < len(arches):
        with Directory(assets / arches[number]) as directory:
            directory.write("initrd.img", f"{number} {round_}".encode())
    racer.meet()
    if number < len(arches):
        _record(racer, assets)
    else:
        racer.run("deprecate", next(reversed(before)), "--manifest", str(manifest), place=assets)
    racer.meet()
    if number == 0:
        after = json.loads(manifest.read_bytes())["assets"]
        racer.bad += [f"release {version} is lost" for version in before if version not in after["releases"]]
        if not after["releases"][next(reversed(before))]["deprecated"]:
            racer.bad.append("a deprecation is lost")
        for arch in arches:
            digest = blake3((assets / arch / "initrd.img").read_bytes()).hexdigest()
            if after["releases"][after["current"]]["arches"][arch]["initrd.img"]["hash"] != digest:
                racer.bad.append(f"{arch} is not what was recorded last")
        racer.bad += [f"{path.name} is left" for path in assets.rglob(".bitproof-*.tmp")]
    racer.meet()


def _record(racer: Racer, assets: Path) -> None:
    racer.run("manifest", "--binary-version", BINARY, "--assets", str(assets), place=assets)


RACES: dict[str, tuple[Race, int]] = {
    "install × install": (install_install, 4),
    "install × cleanup": (install_cleanup, 4),
    "boot × cleanup": (boot_cleanup, 3),
    "manifest × manifest × deprecate": (manifest_manifest, 3),
}
"""Each with how many race."""


def main(scenario: str, rounds: str, root: str) -> None:
    """Race, and print how many commands ran, how many were locked out, and all that was bad."""
    race, racers = RACES[scenario]
    barrier = multiprocessing.get_context("fork").Barrier(racers)
    children = []
    for number in range(racers):
        reader, writer = os.pipe()
        if not os.fork():
            os.write(writer, json.dumps(_rounds(race, Racer(Path(root), barrier), number, int(rounds))).encode())
            os._exit(0)
        os.close(writer)
        children.append(reader)
    told = []
    for reader in children:
        with os.fdopen(reader, "rb") as stream:
            told.append(json.loads(stream.read() or '{"commands": 0, "locked": 0, "bad": ["a racer died"]}'))
        os.wait()
    sums = {key: sum(one[key] for one in told) for key in ("commands", "locked")}
    json.dump({**sums, "bad": [problem for one in told for problem in one["bad"]]}, sys.stdout)


def _rounds(race: Race, racer: Racer, number: int, rounds: int) -> dict[str, object]:
    """All rounds of one racer; it gives up, and so the others, when something is bad."""
    for round_ in range(rounds):
        try:
            race(racer, number, round_)
        except Exception as error:  # noqa: BLE001 - told to whoever started the race
            racer.bad.append(f"round {round_}: {type(error).__name__} {error}")
        if racer.bad:
            racer.barrier.abort()
            break
    return {"commands": racer.commands, "locked": racer.locked, "bad": racer.bad[:5]}
