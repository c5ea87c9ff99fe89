"""What an update fetches between two Debian minbase images that differ by two packages, against a full download.

The images are built as ``assets build`` builds a rootfs. A client that has the first one gets the second one: by its
chunk index, by ``zstd --patch-from`` (which somebody has to make in advance for every pair), by casync's chunk store.
What is assembled is compared with what was wanted. These rows are bytes, not times: `notes` prints their table.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.assets import ARCH
from benchmarks.contest import Contest, run
from benchmarks.memory import Footprint
from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.chunks.assemble import assemble
from bitproof.channel.chunks.cut import make_index, plan_reuse
from bitproof.channel.chunks.index import parse_index
from bitproof.channel.chunks.plan import ReusePlan
from bitproof.channel.ports import Blob
from bitproof.images.debian import Job
from bitproof.images.rootfs.image import fetch_rootfs, make_rootfs
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource
from bitproof.system.hashing import both_digests
from bitproof.system.opened import OpenFile, ignore, open_file

EPOCH = 1_760_000_000
CHANGED = ("less", "vim-tiny")
GOAL = 0.07


class Form(NamedTuple):
    """How the images are packed."""

    what: str
    format: str
    codec: str
    level: int
    verity: bool
    goal: float | None


FORMS = (
    Form("squashfs, zstd 3 (the default)", "squashfs", "zstd", 3, verity=True, goal=GOAL),
    Form("squashfs, zstd 15 (a release)", "squashfs", "zstd", 15, verity=True, goal=GOAL),
    Form("squashfs, zstd 15, no hash tree", "squashfs", "zstd", 15, verity=False, goal=GOAL),
    Form("erofs, lz4hc", "erofs", "lz4hc", 9, verity=True, goal=None),
)
FOOTPRINTS: tuple[Footprint, ...] = ()


class Update(NamedTuple):
    """A measured update: bytes of the new image and of its index, the plan, and seconds to index and to plan."""

    size: int
    index_size: int
    plan: ReusePlan
    indexing: float
    planning: float


def contests(_: Mapping[str, str]) -> tuple[Contest, ...]:
    """None: bytes are not timed."""
    return ()


def make(scratch: Path, environment: Mapping[str, str]) -> None:
    """Both trees, packed in each form; mmdebstrap runs twice."""
    for name, packages in (("old", ()), ("new", CHANGED)):
        work = scratch / "chunks" / name
        (work / "trees").mkdir(parents=True)
        tree, _ = fetch_rootfs(_job(FORMS[0], work), packages)
        for number, form in enumerate(FORMS):
            place = work / str(number)
            place.mkdir()
            shutil.copy(tree, place / "rootfs.tar")
            made = make_rootfs(_job(form, place), place / "rootfs.tar", ())
            made.rename(work / f"{number}.image")
            shutil.rmtree(place)
        tree.unlink()
    run(scratch, environment, "sync")


def _job(form: Form, work: Path) -> Job:
    config = ArchConfig(
        arch=ARCH,
        suite="bookworm",
        kernel=KernelSource(),
        rootfs_format=form.format,
        rootfs_compression=form.codec,
        rootfs_level=form.level,
        verity=form.verity,
    )
    return Job(config=config, epoch=EPOCH, work=work, stage=lambda _: None, stopped=lambda: False)


def notes(scratch: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The table of updates, and what it counts."""
    yield ""
    more = " and ".join(f"`{package}`" for package in CHANGED)
    yield f"An update between two Debian minbase images, the new one with {more}:"
    yield ""
    yield "| image | full | update | of it index | requests | ratio | goal | `zstd --patch-from` | casync |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for number, form in enumerate(FORMS):
        old, new = (scratch / "chunks" / name / f"{number}.image" for name in ("old", "new"))
        made = update(old, new, scratch / "chunks")
        fetched = made.plan.fetched + made.index_size
        peers = [patched(old, new, environment), casync(old, new, environment)]
        yield (
            f"| {form.what} | {_mb(made.size)} | {_mb(fetched)} | {_mb(made.index_size)} | {made.plan.requests} "
            f"| {fetched / made.size:.4f} | {f'≤ {form.goal}' if form.goal else ''} "
            f"| {' | '.join(f'{peer / made.size:.4f}' if peer else 'not here' for peer in peers)} |"
        )
        timed = f"{made.indexing * 1000:.0f} ms to index, {made.planning * 1000:.0f} ms to cut the old one and plan"
        print(f"{form.what}: {timed}")
    yield ""
    yield "- The update's bytes are the index and all ranges; headers of HTTP are not counted. A patch has to be made"
    yield "  in advance for every pair. casync has a chunk store on its server, here with chunks of 8 KiB and zstd."


def update(old: Path, new: Path, scratch: Path) -> Update:
    """Make the index, plan, assemble from a place that is a directory, and compare."""
    shutil.rmtree(scratch / "place", ignore_errors=True)
    place = DirectoryPlace(scratch / "place")
    with open_file(old) as local, open_file(new) as file:
        digests = both_digests(file)
        blob = Blob(digests.blake3, digests.sha256, digests.size)
        start = time.perf_counter()
        index = make_index(file, blob.blake3)
        indexing = time.perf_counter() - start
        place.put(blob, file, ignore)
        start = time.perf_counter()
        plan = plan_reuse(parse_index(index, blob.blake3, blob.size, "the index"), [local])
        planning = time.perf_counter() - start
        with _new(scratch / "assembled") as target:
            assemble(plan, [local], target, place, blob)
    with open_file(scratch / "assembled") as landed:
        if both_digests(landed) != digests:
            raise RuntimeError("what was assembled is something else")
    return Update(blob.size, len(index), plan, indexing, planning)


def _new(path: Path) -> OpenFile:
    path.unlink(missing_ok=True)
    return OpenFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644), path)


def patched(old: Path, new: Path, environment: Mapping[str, str]) -> int:
    """Bytes of a patch by zstd at its best; 0 where it is not installed."""
    if not shutil.which("zstd"):
        return 0
    patch = new.with_suffix(".patch")
    options = ["-q", "-f", "-19", "--long=27", f"--patch-from={old}", str(new), "-o", str(patch)]
    run(new.parent, environment, "zstd", *options)
    return patch.stat().st_size


def casync(old: Path, new: Path, environment: Mapping[str, str]) -> int:
    """Bytes of the index, and of those chunks that the old image's store has not; 0 where it is not installed."""
    if not shutil.which("casync"):
        return 0
    held: Sequence[dict[str, int]] = [{}, {}]
    for chunks, image in zip(held, (old, new), strict=True):
        store, index = image.with_suffix(".castr"), image.with_suffix(".caibx")
        words = ["make", "--chunk-size=8192", f"--store={store}", str(index), str(image)]
        run(image.parent, environment, "casync", *words)
        chunks |= {path.name: path.stat().st_size for path in store.rglob("*.cacnk")}
        shutil.rmtree(store)
    return sum(size for name, size in held[1].items() if name not in held[0]) + index.stat().st_size


def _mb(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
