"""The commands that are put to the test, each with what it works on: small files, the real command line."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bitproof.assets.history import HISTORY
from bitproof.images.initrd import image as initrd
from bitproof.images.initrd.cpio import directory as cpio_directory
from bitproof.model.history import Entry, Event, History
from bitproof.model.names import CHANNEL_STATE, MANIFEST, SELECTION
from bitproof.model.selection import Selection
from bitproof.model.version import Version
from bitproof.signed.install import install as install_signed
from bitproof.system.digest_cache import QUIET_NS
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import LOCK_NAME
from tests.assets.layouts import build, fill, installed, recorded, stored, write_manifest
from tests.faults import channels
from tests.images.layouts import CONFIG
from tests.model.samples import BINARY, FIRST, document, release
from tests.signed.releases import sign
from tests.trust.keys import ALICE, publics

ARCH = "x86_64"
SETTLED_NS = QUIET_NS + 5_000_000
ASSETS, STORE = "assets", "store"
DEAD = ".bitproof-0123456789abcdef.tmp"
"""What a writer that was killed leaves."""
CLEANUP = ("-q", "assets", "cleanup", "--base")
CHECK = ("-q", "channel", "check", "--place")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command and what it works on.

    Args:
        name: for people.
        command: which command it is a case of.
        argv: the command line; paths are relative to the directory that ``lay_out`` fills.
        lay_out: makes what is there before.
        place: the directory that is written, and that is cleaned up afterwards.
        last: what comes last, in this order: each may be new only when all else is but for what follows it.
        locks: of those directories in which only who holds the lock writes; none is the place's own.
        between: what a path may be that is neither old nor new, told from the directory that ``lay_out`` filled.
    """

    name: str
    command: str
    argv: tuple[str, ...]
    lay_out: Callable[[Path], None]
    place: str
    last: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    between: Callable[[Path], Mapping[str, bytes]] = lambda _: {}

    def __str__(self) -> str:
        """As a table shows it."""
        return f"{self.command} {self.name}"

    def copy(self, template: Path, target: Path) -> Path:
        """A copy of what it works on."""
        copy_of(template, target)
        if self.command == "manifest":
            settle(target)
        return target

    @property
    def cleanup(self) -> tuple[str, ...]:
        """The command that removes what a killed run left; a place is only looked at, since its next publish does."""
        return (*CHECK, self.place) if self.command == "publish" else (*CLEANUP, self.place)


def _fresh(root: Path) -> None:
    recorded(root / ASSETS)


def _older_release(root: Path) -> None:
    """A store of release a; the dev layout is at b, of which the kernel is that of a."""
    installed(root / ASSETS, root / STORE)
    build(root / ASSETS, "b")
    shutil.copy(root / STORE / stored("a")[-1], root / ASSETS / ARCH / "vmlinuz")
    _record(root)


def _record(root: Path) -> None:
    from bitproof.assets.record import record
    from bitproof.system.files import Directory
    from tests.assets.layouts import NOW

    with Directory(root / ASSETS) as assets:
        record(assets, NOW)


def _older_signed_release(root: Path) -> None:
    """As `_older_release`, and both are signed, by the same key."""
    recorded(root / ASSETS)
    sign(root / ASSETS, ALICE)
    install_signed(root / ASSETS, root / STORE, [ARCH], publics(ALICE))
    build(root / ASSETS, "b")
    _record(root)
    sign(root / ASSETS, ALICE)


def _damaged_store(root: Path) -> None:
    installed(root / ASSETS, root / STORE)
    damaged = root / STORE / stored("a")[1]
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)


def _built(root: Path) -> None:
    build(root / ASSETS)


def _rebuilt(root: Path) -> None:
    recorded(root / ASSETS)
    build(root / ASSETS, "b")


def _two_releases(root: Path) -> None:
    recorded(root / ASSETS)
    recorded(root / ASSETS, "b")


def _guest_changed(root: Path) -> None:
    """A build that kept the packages' part of its initrd, and an init that the initrd does not have."""
    build(root / ASSETS)
    base = initrd.segment([cpio_directory("proc", 0o755)], "zstd", 1, 0)
    (root / ASSETS / ARCH / initrd.base_name(base)).write_bytes(base)
    _record(root)
    (root / "guest/config").mkdir(parents=True)
    (root / "guest/config/build.toml").write_bytes(CONFIG)
    (root / "guest/artifacts").mkdir()
    (root / "guest/artifacts/init").write_bytes(b"#!/bin/sh\n")


def _rubbish(root: Path) -> None:
    """A store of a; b is deprecated, c is of no release, and there is what dead writers and old versions left."""
    store = root / STORE
    write_manifest(store, document({FIRST: release("a"), "2026.0415.2": release("b", deprecated=True)}))
    fill(store, "a", "b", "c")
    fill(store / ARCH, "b")
    (store / "v1/deep").mkdir(parents=True)
    for path in (store / DEAD, store / ARCH / DEAD, store / "v1/deep/rootfs", store / "key.pub"):
        path.write_bytes(b"x")


def _built_anew(root: Path) -> None:
    """An older build, published; new files beside it; and what a killed build left."""
    recorded(root / ASSETS)
    (root / ASSETS / ARCH / ".initrd-base-old").write_bytes(b"x")
    (root / ASSETS / ARCH / DEAD).write_bytes(b"x")
    build(root / "new", "b")


def _another_arch(root: Path) -> None:
    """A layout that has only arm64 so far."""
    recorded(root / ASSETS, "a", "arm64")
    build(root / "new", "b")


def _three_releases(root: Path) -> None:
    """A store of c, which is current, of b, which is deprecated, and of a."""
    store = root / STORE
    releases = {FIRST: release("a"), "2026.0416.1": release("b", deprecated=True), "2026.0417.1": release("c")}
    write_manifest(store, document(releases, current="2026.0417.1"))
    fill(store, "a", "b", "c")


def _rolled_back(root: Path) -> None:
    """As `_three_releases`, with a VM that is pinned, and a machine that has gone back from c to b."""
    _three_releases(root)
    selection = Selection().with_pin(Version(FIRST), "web").rolled_back(Version("2026.0416.1"), Version("2026.0417.1"))
    (root / STORE / SELECTION).write_bytes(selection.to_bytes())
    went = Entry(Version("2026.0416.1"), 1, Event.ROLLED_BACK, bytes_digest(b"manifest"))
    (root / STORE / CHANNEL_STATE).mkdir()
    (root / STORE / CHANNEL_STATE / HISTORY).write_bytes(History((went,)).to_bytes())


_WHERE = ("--assets", ASSETS)
_INSTALL = ("-q", "assets", "install", "--arch", ARCH, *_WHERE, "--base")
_ROLLBACK = ("-q", "rollback", FIRST, "--arch", ARCH, "--base")
_MANIFEST = ("-q", "assets", "manifest", "--binary-version", BINARY, *_WHERE)
_PUBLISH = ("publish.py", ASSETS, ARCH, f"new/{ARCH}")
_LAST_RECORDED, _LAST_INSTALLED = (f"{ASSETS}/{MANIFEST}",), (f"{STORE}/{MANIFEST}",)
_UPDATE = ("-q", "update", "--arch", ARCH, "--base", STORE)
_UPDATE_LAST = (*_LAST_INSTALLED, f"{STORE}/{SELECTION}", f"{STORE}/{CHANNEL_STATE}/{HISTORY}", channels.STATE_PATH)
_UPDATE_LOCKS = (f"{STORE}/{LOCK_NAME}", f"{STORE}/{CHANNEL_STATE}/{LOCK_NAME}")

CASES = (
    Case(
        name="into nothing",
        command="install",
        argv=(*_INSTALL, "home/deep/store"),
        lay_out=_fresh,
        place="home/deep/store",
        last=(f"home/deep/store/{MANIFEST}",),
    ),
    Case(
        name="over an older release",
        command="install",
        argv=(*_INSTALL, STORE),
        lay_out=_older_release,
        place=STORE,
        last=_LAST_INSTALLED,
    ),
    Case(
        name="signed over an older signed one",
        command="install",
        argv=(*_INSTALL, STORE, "--require-signature", ALICE.public.text()),
        lay_out=_older_signed_release,
        place=STORE,
    ),
    Case(name="over a damaged file", command="install", argv=(*_INSTALL, STORE), lay_out=_damaged_store, place=STORE),
    Case(name="the first", command="manifest", argv=_MANIFEST, lay_out=_built, place=ASSETS, last=_LAST_RECORDED),
    Case(name="the next", command="manifest", argv=_MANIFEST, lay_out=_rebuilt, place=ASSETS, last=_LAST_RECORDED),
    Case(
        name="a changed init",
        command="repack",
        argv=("-q", "assets", "repack", "--arch", ARCH, *_WHERE, "--config", "guest/config"),
        lay_out=_guest_changed,
        place=ASSETS,
    ),
    Case(name="of all kinds of rubbish", command="cleanup", argv=(*CLEANUP, STORE), lay_out=_rubbish, place=STORE),
    Case(
        name="the older of two",
        command="deprecate",
        argv=("-q", "assets", "deprecate", "2026.0416.1", "--manifest", f"{ASSETS}/{MANIFEST}"),
        lay_out=_two_releases,
        place=ASSETS,
    ),
    Case(
        name="a deprecated release",
        command="pin",
        argv=("-q", "pin", "2026.0416.1", "--arch", ARCH, "--base", STORE),
        lay_out=_three_releases,
        place=STORE,
    ),
    Case(
        name="and let it go",
        command="pin",
        argv=("-q", "pin", "--remove", "--arch", ARCH, "--base", STORE),
        lay_out=_rolled_back,
        place=STORE,
    ),
    Case(
        name="the first",
        command="rollback",
        argv=(*_ROLLBACK, STORE),
        lay_out=_three_releases,
        place=STORE,
        last=(f"{STORE}/{CHANNEL_STATE}/{HISTORY}",),
    ),
    Case(
        name="further",
        command="rollback",
        argv=(*_ROLLBACK, STORE),
        lay_out=_rolled_back,
        place=STORE,
        last=(f"{STORE}/{CHANNEL_STATE}/{HISTORY}",),
    ),
    Case(
        name="into nothing",
        command="update",
        argv=_UPDATE,
        lay_out=channels.fresh,
        place=STORE,
        last=_UPDATE_LAST,
        locks=_UPDATE_LOCKS,
        between=channels.on_the_way,
    ),
    Case(
        name="to the next release",
        command="update",
        argv=_UPDATE,
        lay_out=channels.rolled_back,
        place=STORE,
        last=_UPDATE_LAST,
        locks=_UPDATE_LOCKS,
    ),
    Case(
        name="over HTTP",
        command="update",
        argv=_UPDATE,
        lay_out=channels.over_http,
        place=STORE,
        last=_UPDATE_LAST,
        locks=_UPDATE_LOCKS,
    ),
    Case(
        name="the next release",
        command="publish",
        argv=("-q", "channel", "publish", "--place", channels.PLACE, "--keys", channels.KEYS, *_WHERE),
        lay_out=channels.built,
        place=channels.PLACE,
        last=(channels.POINTER, channels.BUNDLE),
        locks=(f"{channels.PLACE}/.stable.lock", f"{channels.PLACE}/blobs/{LOCK_NAME}"),
    ),
    Case(
        name="its last step",
        command="build",
        argv=_PUBLISH,
        lay_out=_built_anew,
        place=ASSETS,
    ),
    Case(
        name="a new arch",
        command="build",
        argv=_PUBLISH,
        lay_out=_another_arch,
        place=ASSETS,
    ),
)


def copy_of(template: Path, target: Path) -> Path:
    """A copy to be spoiled."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(template, target, symlinks=True))


def settle(directory: Path) -> None:
    """Wait until all files are so old that a cache of digests takes them: then it is written in every run alike."""
    made = max(path.lstat().st_ctime_ns for path in directory.rglob("*"))
    while (age := time.time_ns() - made) <= SETTLED_NS:
        time.sleep((SETTLED_NS - age) / 1e9)


def case(command: str, name: str = "") -> Case:
    """The case of a command with this name, or its first one."""
    return next(found for found in CASES if found.command == command and name in {"", found.name})


def descriptors(root: Path) -> Iterator[tuple[int, bytes]]:
    """Every file below a directory, held open, with its bytes: as a running VM would."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield os.open(path, os.O_RDONLY), path.read_bytes()
