"""The container driver: a Debian tree made by docker, podman or buildah, for hosts that have no mmdebstrap.

1. Pull the base image by its digest (a local one is there), and name it for this build alone.
2. Render the Dockerfile, build it, export the result as a tar.
3. Remove containers and names, whatever happened: all bear this build's random name, those of an ended build too.

The tree's tar has the form that `images.debian.mmdebstrap` gives it, so what follows is the same for both.
"""

import os
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import PROXIES, TIMEOUT, Job, debian_arch, explained
from bitproof.images.drivers.dockerfile import TREE, render, write_context
from bitproof.images.drivers.engines import Engine
from bitproof.model.guest_config import ArchConfig
from bitproof.system.process import run

MARKS = {".dockerenv", "run/.containerenv", "var/lib/apt/lists/auxfiles"}
OS_RELEASE = "usr/lib/os-release"
PASSED = (
    *PROXIES,
    *("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "CONTAINER_HOST"),
    *("BUILDAH_ISOLATION", "STORAGE_DRIVER", "STORAGE_OPTS", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"),
)
"""Variables that say where an engine has its images and how it runs: they are the machine's, not the build's."""

NAMING_TRIES = 5
_NAMING = threading.Lock()
"""Held while names of images change: kernel and rootfs are fetched at the same time, from one base image."""
_CODENAME = re.compile(r'^VERSION_CODENAME="?([^"\n]*)"?$', re.MULTILINE)


def is_local(image: str) -> bool:
    """Whether an image is only on this machine, so that it cannot be pulled."""
    return image.startswith("localhost/")


def fetch_in_container(engine: Engine, job: Job, variant: str, packages: tuple[str, ...], target: Path) -> None:
    """Make a Debian tree and pack it as the tar ``target``, with a note of its packages.

    Args:
        engine: what builds it.
        job: base image, suite, mirror, arch and time.
        variant: ``extract`` (the packages unpacked, nothing else) or ``minbase`` (base image and packages).
        packages: names of the packages.
        target: the tar to write.

    Raises:
        InputError: a package that the suite does not have; a base image of another suite.
        UnavailableError: no base image, no network, too few rights…; quotes the engine's last lines.
    """
    config = job.config
    platform = f"linux/{debian_arch(config.arch)}"
    exported = target.with_suffix(".exported")
    with _names(engine) as name:
        base, made = f"localhost/{name}-base", f"localhost/{name}-tree"
        _name_base(engine, job, base, platform)
        directory = job.work / name
        write_context(job, directory, render(job, variant, packages, base))
        try:
            _run(engine.build(made, str(directory), platform), job)
        except UnavailableError as error:
            raise explained(error, config, "check the network, the suite and the mirror") from None
        _run(engine.create(name, made), job)
        _run(engine.export(name, str(exported)), job)
    if not config.mirror:
        check_suite(exported, config)
    rewrite(exported, target, f"{TREE[1:]}/" if variant == "extract" else "")


def _name_base(engine: Engine, job: Job, name: str, platform: str) -> None:
    """Have the base image here, and give it this build's name.

    buildah and podman write all names of an image at once: of two programs that name it, one may undo the other's.
    """
    image = job.config.base_image
    try:
        if not is_local(image):
            _run(engine.pull(image, platform), job)
        with _NAMING:
            for _ in range(NAMING_TRIES):
                _run(engine.tag(image, name), job)
                if _has(engine, name):
                    break
    except UnavailableError as error:
        fix = "check its name and digest, and that this machine can pull or has it"
        what = "the base image is not to be had"
        raise UnavailableError(what, where=image, found=error.found, details=error.details, fix=fix) from None


def _has(engine: Engine, image: str) -> bool:
    try:
        call(engine.inspect(image))
    except UnavailableError:
        return False
    return True


@contextmanager
def _names(engine: Engine) -> Iterator[str]:
    """A name that only this build has; in the end nothing of the engine's bears it any more.

    buildah and podman name what they work in after the image they begin with, so the base image gets the name too.
    """
    name = f"bitproof-{os.urandom(8).hex()}"
    try:
        yield name
    finally:
        with suppress(UnavailableError):
            if left := [word for word in call(engine.containers()).decode("utf-8", "replace").split() if name in word]:
                call(engine.remove(*left))
        for image in (f"localhost/{name}-tree", f"localhost/{name}-base"):
            with _NAMING, suppress(UnavailableError):  # it was not made
                call(engine.remove_image(image))


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED if name in os.environ}


def call(argv: list[str]) -> bytes:
    """Run an engine's command that takes no time, in the machine's environment of containers."""
    return run(argv, environment=_environment())


def _run(argv: list[str], job: Job) -> None:
    environment = _environment() | {"TMPDIR": str(job.work / "trees")}
    run(argv, environment=environment, timeout=TIMEOUT, stopped=job.stopped)


def check_suite(exported: Path, config: ArchConfig) -> None:
    """Without a mirror of the config's the base image says where packages come from: it must be of the suite.

    Raises:
        InputError: it is of another one.
    """
    with tarfile.open(exported, "r:") as tar:
        files = (member for member in tar if member.name.removeprefix("./") == OS_RELEASE and member.isreg())
        content = next((tar.extractfile(member) for member in files), None)
        found = _CODENAME.search(content.read().decode("utf-8", "replace") if content else "")
    codename = found[1] if found else "no VERSION_CODENAME"
    if codename != config.suite:
        where, fix = config.base_image, f"name another image, or set arch.{config.arch}.mirror"
        what = "the base image is of another suite"
        raise InputError(what, where=where, expected=config.suite, found=codename, fix=fix)


def rewrite(exported: Path, target: Path, below: str) -> None:
    """Write the tar ``target`` from an exported one, without what engines put into every container.

    These are two files that mark a container, an empty ``etc/hosts`` to mount one on, and the mode of a mount point.
    A directory that apt makes for itself goes too: on a base image from mmdebstrap the tree is mmdebstrap's.

    Args:
        exported: an engine's tar.
        target: the tar to write.
        below: only what lies below this directory, as a tree of its own; all when it is empty.
    """
    with tarfile.open(exported, "r:") as tar, tarfile.open(target, "w:", format=tarfile.GNU_FORMAT) as out:
        for member in tar:
            path = str(PurePosixPath("/", member.name))[1:]
            if not path.startswith(below) or path in MARKS or (path == "etc/hosts" and not member.size):
                continue
            member.name = f"./{path.removeprefix(below)}"
            if not path:
                member.mode = 0o755
            out.addfile(member, tar.extractfile(member) if member.isreg() else None)
    exported.unlink()
