"""``bitproof assets build | repack | manifest | deprecate``: what changes a dev layout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof import pipeline
from bitproof.cli.progress import byte_progress, stages
from bitproof.cli.project import (
    MAKE_LAYOUT,
    PATH,
    VERSION,
    arches_option,
    arches_or_host,
    assets_option,
    binary_version,
    binary_version_option,
    settings,
    waiting_note,
    when_unusable,
)
from bitproof.cli.session import Session, pass_session
from bitproof.model.names import LOCK, MANIFEST
from bitproof.model.version import Version

if TYPE_CHECKING:
    from bitproof.assets.record import Recording

CONFIG = click.option("--config", type=PATH, metavar="DIR", help="The guest config; default: guest/config.")
MIN_BINARY = click.option("--min-binary", type=VERSION, metavar="V", help="Oldest binary that can use these assets.")


def project(
    assets: Path | None,
    config: Path | None = None,
    version: Version | None = None,
    min_binary: Version | None = None,
) -> pipeline.Project:
    """The project of the working directory, as its settings and the command line say."""
    found = settings()
    return pipeline.Project(
        assets=assets or found.directory("assets").value,
        config=config or found.directory("config").value,
        artifacts=found.directory("artifacts").value if config is None else config.parent / "artifacts",
        binary_version=binary_version(version, found),
        min_binary=min_binary,
        environ=os.environ,
    )


@contextmanager
def reporters(session: Session) -> Iterator[pipeline.Reporters]:
    """Stages and bytes on the terminal, and a word when a lock is waited for."""
    with stages(session) as stage:
        yield pipeline.Reporters(stage=stage, bytes=partial(byte_progress, session), waiting=waiting_note(session))


@click.command()
@CONFIG
@assets_option
@arches_option
@click.option(
    "--driver",
    type=click.Choice(["auto", "rootless", "container"]),
    default="auto",
    help="What makes Debian's trees: mmdebstrap, or docker, podman or buildah.",
)
@click.option(
    "--locked",
    type=PATH,
    metavar="[FILE]",
    is_flag=False,
    flag_value=Path(),
    help="Take the locked packages and no others; default: packages.lock of the guest config.",
)
@binary_version_option
@MIN_BINARY
@pass_session
def build(
    session: Session,
    config: Path | None,
    assets: Path | None,
    arches: tuple[str, ...],
    driver: str,
    locked: Path | None,
    **versions: Version | None,
) -> None:
    """Build kernel, initrd and rootfs, and record them.

    The guest config says what they are made of. The same config, packages and SOURCE_DATE_EPOCH give the same bytes.
    """
    what = project(assets, config, versions["binary_version"], versions["min_binary"])
    lock = what.config / LOCK if locked == Path() else locked
    with reporters(session) as tell:
        recording = pipeline.build(what, arches_or_host(arches), tell, driver=driver, lock=lock)
    _tell(session, what.assets, recording)


@click.command()
@CONFIG
@assets_option
@arches_option
@pass_session
def repack(session: Session, config: Path | None, assets: Path | None, arches: tuple[str, ...]) -> None:
    """Pack the initrd again, and touch nothing else.

    Record the result with `bitproof assets manifest`.
    """
    what = project(assets, config)
    with reporters(session) as tell, when_unusable(what.assets, "bitproof assets build"):
        changed = pipeline.repack(what, arches_or_host(arches), tell)
    lines = (
        f"{what.assets / arch / 'initrd.img'}: {'repacked' if new else 'unchanged'}" for arch, new in changed.items()
    )
    session.result("\n".join(lines), {"ok": True, "changed": changed})
    if any(changed.values()):
        session.note("to record it: bitproof assets manifest")


@click.command()
@assets_option
@binary_version_option
@MIN_BINARY
@pass_session
def manifest(session: Session, assets: Path | None, binary_version: Version | None, min_binary: Version | None) -> None:
    """Write B3SUMS and manifest.json for the images that are there.

    Earlier releases and other arches are kept; identical assets keep their version.
    """
    what = project(assets, None, binary_version, min_binary)
    with reporters(session) as tell, when_unusable(what.assets, "bitproof assets build"):
        recording = pipeline.record_layout(what, tell)
    _tell(session, what.assets, recording)


@click.command()
@click.argument("version", type=VERSION)
@click.option("--manifest", "path", type=PATH, metavar="FILE", help="Default: assets/manifest.json.")
@pass_session
def deprecate(session: Session, version: Version, path: Path | None) -> None:
    """Mark an asset release as deprecated.

    It is no longer resolved, and `assets cleanup` may remove its files.
    """
    path = path or settings().directory("assets").value / MANIFEST
    with when_unusable(path, MAKE_LAYOUT):
        changed = pipeline.deprecate(path, version, pipeline.today(os.environ), waiting_note(session))
    text = f"{path}: {version} is {'now' if changed else 'already'} deprecated"
    session.result(text, {"ok": True, "version": str(version), "manifest": str(path), "changed": changed})


def _tell(session: Session, assets: Path, recording: "Recording") -> None:
    current = recording.manifest.current
    release = recording.manifest.releases[current]
    text = f"{assets / MANIFEST}: assets {current}{'' if recording.changed else ', unchanged'}"
    for arch, entries in release.arches.items():
        text += "".join(f"\n  {asset.digest}  {arch}/{asset.name}" for asset in entries.values())
    document = {
        "ok": True,
        "asset_version": str(current),
        "manifest": str(assets / MANIFEST),
        "changed": recording.changed,
    }
    session.result(text, document)
