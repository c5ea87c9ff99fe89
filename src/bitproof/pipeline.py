"""The ways that go through several rooms: build and record, repack and record, resolve and boot.

The rooms do not know each other; this module hands each step's value to the next one. What only some of the ways need
is imported there, so that each begins at once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bitproof.errors import SHOWN, InputError
from bitproof.images.config import load_guest_config, read_artifacts
from bitproof.model.guest_config import GuestConfig
from bitproof.model.names import KERNEL, MANIFEST, ROOTFS
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import Progress

if TYPE_CHECKING:
    from bitproof.assets.record import Recording
    from bitproof.assets.resolve import BootSet
    from bitproof.model.asset_edits import Occasion
    from bitproof.model.asset_manifest import BootPins
    from bitproof.vm.verified import VmConfig

FIXED_EPOCH = 315_532_800
"""1980-01-01, the time in images when ``SOURCE_DATE_EPOCH`` is not set: the same config gives the same bytes."""

EPOCH_DIGITS = 10
"""Of 2³² seconds; Python itself refuses to read thousands of digits."""

Stage = Callable[[str], None]
Bytes = Callable[[str, int], AbstractContextManager[Progress]]


def source_epoch(environ: Mapping[str, str]) -> int | None:
    """``SOURCE_DATE_EPOCH`` in seconds; None when it is not set.

    Raises:
        InputError: it is not a whole number of seconds that fits an archive's 32 bits.
    """
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= EPOCH_DIGITS and int(text) < 1 << 32):
        raise InputError("SOURCE_DATE_EPOCH is not a time", expected="whole seconds since 1970", found=text[:SHOWN])
    return int(text)


def today(environ: Mapping[str, str]) -> date:
    """The day of ``SOURCE_DATE_EPOCH`` when that is set, else of the clock; UTC."""
    epoch = source_epoch(environ)
    now = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(epoch, UTC)
    return now.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Where a project's parts are, and what a recording needs to know.

    ``binary_version`` None is the manifest's ``binaries.current``.
    """

    assets: Path
    config: Path
    artifacts: Path
    binary_version: Version | None
    min_binary: Version | None
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporters:
    """Who is told what goes on: the stages, the bytes, and that a lock is waited for."""

    stage: Stage
    bytes: Bytes
    waiting: Waiting = silent


def build(
    project: Project, arches: Sequence[str], tell: Reporters, *, driver: str = "auto", lock: Path | None = None
) -> "Recording":
    """Build the images of some arches, then write ``B3SUMS`` and ``manifest.json``.

    Args:
        project: where.
        arches: arch keys.
        tell: who is told.
        driver: what makes Debian's trees: ``auto``, ``rootless`` or ``container``.
        lock: a lock or an inventory; its packages and no others are taken.

    Raises:
        InputError: the guest config, the artifacts or the lock are not usable; nothing is built.
        IntegrityError: the packages are not the locked ones; the old images of that arch stand.
        UnavailableError: a tool or the network is missing; the old images stand.
    """
    from bitproof.images.build import build_arch, check_build
    from bitproof.images.inventory.lock import load_lock
    from bitproof.images.supply import Supply

    config = load_guest_config(project.config)
    for arch in arches:
        config.arch(arch)
    epoch = source_epoch(project.environ)
    occasion = _occasion(project, config)
    supply = Supply(driver=driver, lock=load_lock(lock) if lock else None, where=str(lock))
    check_build(config, arches, config_dir=project.config, artifacts=project.artifacts, supply=supply)
    with Directory(project.assets, create=True) as assets, locked(assets, waiting=tell.waiting):
        for arch in arches:
            build_arch(
                config,
                arch,
                config_dir=project.config,
                artifacts=project.artifacts,
                assets=assets,
                epoch=FIXED_EPOCH if epoch is None else epoch,
                stage=tell.stage,
                supply=supply,
            )
        return _record(assets, occasion, tell)


def repack(project: Project, arches: Sequence[str], tell: Reporters) -> dict[str, bool]:
    """Repack the initrd of some arches and nothing else; says of each whether its bytes changed.

    Raises:
        InputError: the guest config or the artifacts are not usable.
        UnavailableError, IntegrityError: there is no build to repack, or its kept part is damaged.
    """
    from bitproof.images.repack import repack_arch

    config = load_guest_config(project.config)
    epoch = source_epoch(project.environ)
    read_artifacts(project.artifacts)  # again below: a refusal leaves no lock behind
    with Directory(project.assets, what="the assets directory") as assets, locked(assets, waiting=tell.waiting):
        return {
            arch: repack_arch(config, arch, artifacts=project.artifacts, assets=assets, epoch=epoch) for arch in arches
        }


def record_layout(project: Project, tell: Reporters, *, carried: Sequence[str] = ()) -> "Recording":
    """Write ``B3SUMS`` and ``manifest.json`` for what lies in the dev layout.

    Args:
        project: where; ``min_binary`` of the guest config counts when there is one.
        tell: who is told.
        carried: asset names whose pins are carried over unread (see `record`).
    """
    config = load_guest_config(project.config) if project.config.is_dir() else None
    occasion = _occasion(project, config)
    with Directory(project.assets, what="the assets directory") as assets, locked(assets, waiting=tell.waiting):
        return _record(assets, occasion, tell, carried=carried)


def refresh(project: Project, arch: str, tell: Reporters) -> "Recording":
    """The daily driver's first half: repack, then record. Only the initrd gets a fresh pin.

    Kernel and rootfs keep the pins of their build, so that a byte that changed there since is refused at boot.
    """
    repack(project, [arch], tell)
    return record_layout(project, tell, carried=(KERNEL, *ROOTFS))


def _record(assets: Directory, occasion: "Occasion", tell: Reporters, *, carried: Sequence[str] = ()) -> "Recording":
    from bitproof.assets.record import layout_size, record

    with tell.bytes("recording", layout_size(assets)) as progress:
        return record(assets, occasion, progress, carried=carried)


def _occasion(project: Project, config: GuestConfig | None) -> "Occasion":
    """What a recording needs to know; a manifest that is there and bad is refused here, before anything is locked."""
    from bitproof.assets.store import load_manifest_if_any
    from bitproof.model.asset_edits import Occasion

    before = load_manifest_if_any(project.assets / MANIFEST)
    binary = project.binary_version or (before.current_binary if before else None)
    if binary is None:
        raise InputError(
            "no binary version is known",
            where=project.assets / MANIFEST,
            found="no manifest that lists one yet",
            fix="name one with --binary-version, or set product.version in bitproof.toml",
        )
    min_binary = project.min_binary or (config.min_binary if config else None)
    return Occasion(day=today(project.environ), binary_version=binary, min_binary=min_binary)


def vm_config(boot: "BootSet", pins: "BootPins | None", *, cpus: int, memory: int, append: str) -> "VmConfig":
    """What to boot: the paths of a boot set, pinned by ``pins``, else by the release the paths came from."""
    from bitproof.vm.verified import VmConfig

    return VmConfig(
        kernel=boot.kernel,
        initrd=boot.initrd,
        rootfs=boot.rootfs,
        arch=boot.arch,
        pins=pins or boot.pins,
        cpus=cpus,
        memory=memory,
        append=append,
    )


def deprecate(path: Path, version: Version, day: date, waiting: Waiting = silent) -> bool:
    """Mark an asset release of a manifest as deprecated; returns whether the file changed.

    Raises:
        InputError: a bad manifest, or it has no such release; the file stands as it was.
        UnavailableError: it cannot be read or written.
    """
    from bitproof.assets.store import load_manifest
    from bitproof.model.asset_edits import deprecated

    deprecated(load_manifest(path), version, day)  # again below: a refusal leaves no lock behind
    with Directory(path.parent, what="the manifest's directory") as directory, locked(directory, waiting=waiting):
        changed = deprecated(load_manifest(path), version, day)
        return directory.write_changed(path.name, changed.to_bytes())
