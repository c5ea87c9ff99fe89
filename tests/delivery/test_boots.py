"""The built image on a machine that was attacked: it boots what it had, and updates from an honest place."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import shake_128
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from bitproof.errors import IntegrityError
from bitproof.system.hashing import bytes_digest
from tests.cli.conftest import run_process

from .conftest import ARCH, World, begun, metadata, refused

pytestmark = pytest.mark.image

IMAGE, NEXT = "2026.0415.2", "2026.0415.3"


@pytest.fixture
def attacked(tmp_path: Path, built_assets: Path) -> World:
    """A machine with the built image; the place has a next release, whose kernel and rootfs are a little longer."""
    world = begun(tmp_path)
    arch = world.root / "assets" / ARCH
    for path in (built_assets / ARCH).iterdir():
        (arch / path.name).write_bytes(path.read_bytes())
    world.record()
    world.publish()
    assert world.update().version == IMAGE
    for name in ("vmlinuz", "rootfs.squashfs"):
        with (arch / name).open("ab") as file:
            file.write(shake_128(name.encode()).digest(4096))
    world.record()
    world.publish()
    return world


@contextmanager
def untouched(world: World) -> Iterator[None]:
    """The channel's metadata and manifests, and the clock, as they were before."""
    now, kept = world.now, world.root / "kept"
    copytree(world.place / "stable", kept)
    yield
    world.now = now
    rmtree(world.place / "stable")
    kept.rename(world.place / "stable")


def attacks(world: World) -> Iterator[str]:
    """What a place may try, and how it is refused; what was believed before a refusal stays believed at the next."""
    with untouched(world):
        world.later(days=8)
        yield refused(world, IntegrityError).what
    with untouched(world):
        earlier = metadata(world.backend, "3.snapshot.json").read_bytes()
        metadata(world.backend, "4.snapshot.json").write_bytes(earlier)
        yield refused(world, IntegrityError).what
    for name in ("timestamp.json", "4.snapshot.json", "4.targets.json"):
        with untouched(world):
            path = metadata(world.backend, name)
            path.write_bytes(path.read_bytes() + bytes(6_000_000))
            yield refused(world, IntegrityError).what
    with untouched(world):
        (manifest,) = (path for path in (world.place / "stable/targets").iterdir() if NEXT in path.read_text())
        manifest.write_bytes(manifest.read_bytes().replace(b"x86_64", b"x86_65"))
        yield refused(world, IntegrityError).what
    kernel = world.place / "blobs" / bytes_digest((world.root / "assets" / ARCH / "vmlinuz").read_bytes()).value
    whole = kernel.read_bytes()
    for tampered in (whole[:-1] + b"\1", whole[:-1]):
        kernel.write_bytes(tampered)
        yield refused(world, IntegrityError).what
    kernel.write_bytes(whole)


def test_a_machine_that_was_attacked_boots_what_it_had_and_then_updates(attacked: World) -> None:
    assert list(attacks(attacked)) == [
        "the channel's timestamp has expired",
        "the channel's snapshot does not belong to the rest of its metadata",
        "the file is larger than it may be",
        "the file is larger than it may be",
        "the file is larger than it may be",
        "the channel's manifest.json is not what was signed",
        "the place serves other bytes",
        "the blob has another size",
    ]
    boot = ("vm", "boot", "--base", attacked.base, "--arch", ARCH, "--timeout", "120", "--", "true")
    assert run_process(*boot).code == 0
    assert attacked.update().version == NEXT
    assert run_process(*boot).code == 0
