"""Bytes that are not what they should be: no digest is taken on trust, and what was hashed is what boots.

Each check takes a warmed-up Python and an empty directory, and returns what is wrong.
"""

import fcntl
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.assets.layouts import build, installed, recorded, stored
from tests.faults.cases import ARCH, ASSETS, STORE, case, settle
from tests.faults.commands import Outcome, Zygote
from tests.faults.oracle import tree
from tests.model.samples import BINARY, NAMES, hex_of

Check = Callable[[Zygote, Path], list[str]]
INSTALL = case("install", "over an older release").argv
BOOT = ("boot.py", STORE, BINARY, ARCH)
OPENS = range(1, 11)
"""The calls with which a cleanup opens one file after the other."""
NOT_AS_RECORDED = "error: the asset is not what the manifest says\n"
BOOTS = [
    f"{what} blake3:{hex_of(name + 'a')}" for what, name in zip(("kernel", "initrd", "rootfs"), NAMES, strict=True)
]
HANDED_ON = "".join(f"{line}{'' if line.startswith('rootfs') else ' sealed'}\n" for line in BOOTS)


def spoil(path: Path) -> None:
    """Change a byte in place, and leave size and mtime as they were, as bit rot does."""
    state = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"\xff")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def source(zygote: Zygote, root: Path) -> list[str]:
    """An asset that is no longer what was recorded is not installed: changed, truncated, grown."""
    found = []
    changes: tuple[Callable[[Path], None], ...] = (
        spoil,
        partial(os.truncate, length=3),
        partial(os.truncate, length=99),
    )
    for number, change in enumerate(changes):
        place = root / str(number)
        recorded(place / ASSETS)
        change(place / ASSETS / ARCH / NAMES[-1])
        done = zygote.run(INSTALL, place)
        left = [path for path in tree(place) if path.startswith(STORE) and NAMES[-1].partition(".")[0] in path]
        if (
            done.code != 1
            or not done.text.startswith(NOT_AS_RECORDED)
            or left
            or (place / STORE / "manifest.json").exists()
        ):
            found.append(f"installed what was not recorded: {done} {left}")
    return found


def base_of_the_initrd(zygote: Zygote, root: Path) -> list[str]:
    """A repack from a damaged packages' part is refused, and the initrd stays."""
    repack = case("repack")
    repack.lay_out(root)
    (base,) = (root / ASSETS / ARCH).glob(".initrd-base-*")
    spoil(base)
    before = tree(root)
    done = zygote.run(repack.argv, root)
    refused = done.code == 1 and done.text.startswith("error: the initrd's base is not what was built\n")
    return [] if refused and tree(root) == before else [f"repacked from a damaged base: {done}"]


def verify(zygote: Zygote, root: Path) -> list[str]:
    """Verify finds one changed byte in each file."""
    found = []
    for name in stored("a"):
        installed(root / name / ASSETS, root / name / STORE)
        spoil(root / name / STORE / name)
        done = zygote.run(("assets", "verify", "--base", STORE, "--arch", ARCH), root / name)
        if done.code != 1:
            found.append(f"verified a damaged {name}: {done}")
    return found


def boot(zygote: Zygote, root: Path) -> list[str]:
    """A boot set with one changed byte does not boot, and says which file differs."""
    found = []
    for name in stored("a"):
        installed(root / name / ASSETS, root / name / STORE)
        spoil(root / name / STORE / name)
        done = zygote.run(BOOT, root / name)
        if done.code != 1 or name not in done.text or "the boot set is not the pinned one" not in done.text:
            found.append(f"booted a damaged {name}: {done}")
    return found


def cache(zygote: Zygote, root: Path) -> list[str]:
    """A file whose bytes changed is hashed again, although size and mtime are what they were."""
    manifest = case("manifest", "the next")
    build(root / ASSETS)
    expected = {}
    for tag in ("a", "b"):
        times = [(root / ASSETS / ARCH / name).stat() for name in NAMES]
        for name, state in zip(NAMES, times, strict=True):
            path = root / ASSETS / ARCH / name
            path.write_bytes((name + tag).encode())
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        settle(root)
        done = zygote.run(manifest.argv, root)
        expected[tag] = [name for name in NAMES if hex_of(name + tag) not in done.text]
    return [f"remembered what is no longer so: {names}" for names in expected.values() if names]


def in_use(zygote: Zygote, root: Path) -> list[str]:
    """What a running VM holds stays, although no release in force needs it; what it was given stays as it was.

    So it does when a cleanup has no descriptor left to find out that it is held.
    """
    installed(root / ASSETS, root / STORE)
    zygote.warm(case("cleanup").argv, root)
    ready = root / "ready"
    running = zygote.start((*BOOT, str(ready)), root)
    try:
        while not ready.exists() and not zygote.ended(running):
            os.sched_yield()
        for name in ("vmlinuz", "initrd"):
            spoil(next((root / STORE).glob(f"{name}-*")))
        (root / STORE / "manifest.json").write_bytes(_deprecated(root))
        for number in OPENS:
            refused = f"inject=openat:error=EMFILE:when={number}"
            zygote.traced(case("cleanup").argv, root, "-e", "trace=openat", "-e", refused)
        cleaned = zygote.run(case("cleanup").argv, root)
        kept = [name for name in stored("a") if (root / STORE / name).exists()]
    finally:
        os.kill(running.pid, signal.SIGUSR1)
        done = zygote.wait(running)
    found = [] if cleaned.code == 0 and kept == stored("a") else [f"removed what a VM holds: {cleaned} {kept}"]
    if done != Outcome(0, HANDED_ON * 2):
        found.append(f"what was verified is not what boots: {done}")
    zygote.run(case("cleanup").argv, root)
    left = [name for name in stored("a") if (root / STORE / name).exists()]
    return found + ([f"kept what nobody holds: {left}"] if left else [])


def going(zygote: Zygote, root: Path) -> list[str]:
    """A file that is removed, or replaced, between the open and the hold of a boot is not what boots."""
    found = []
    for number, (replaced, code) in enumerate(((False, 3), (True, 0))):
        place = root / str(number)
        installed(place / ASSETS, place / STORE)
        rootfs = place / STORE / stored("a")[1]
        with rootfs.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            running = zygote.start(BOOT, place)
            while not (_waits(running.pid) or zygote.ended(running)):
                os.sched_yield()
            good = rootfs.read_bytes()
            rootfs.unlink()
            if replaced:
                rootfs.write_bytes(good)
        done = zygote.wait(running)
        if done.code != code or (replaced and done.text != HANDED_ON):
            found.append(f"booted what was {'replaced' if replaced else 'removed'}: {done}")
    return found


def _waits(pid: int) -> bool:
    """Whether a process waits for a lock (proc_locks(5))."""
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def _deprecated(root: Path) -> bytes:
    """The store's manifest, with its only release deprecated."""
    text = (root / STORE / "manifest.json").read_text()
    return text.replace('"deprecated": false', '"deprecated": true').encode()


CHECKS: dict[str, Check] = {
    "a damaged source": source,
    "a damaged initrd base": base_of_the_initrd,
    "a damaged store, verified": verify,
    "a damaged store, booted": boot,
    "a cache that is too old": cache,
    "files in use": in_use,
    "files that go while they are taken": going,
}
