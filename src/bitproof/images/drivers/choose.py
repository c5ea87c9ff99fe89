"""Which driver makes an arch's trees, and why."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import Fetch, mmdebstrap
from bitproof.images.drivers.container import call, fetch_in_container, is_local
from bitproof.images.drivers.engines import ENGINES, Engine
from bitproof.model.guest_config import ArchConfig
from bitproof.system.process import find_program

AUTO = "auto"
DRIVERS = (AUTO, "rootless", "container")


@dataclass(frozen=True, slots=True)
class Driver:
    """A way to make trees: its name, why it was chosen, and the function. ``base`` is the image it begins with."""

    name: str
    reason: str
    fetch: Fetch
    base: str = ""


def choose_driver(wanted: str, config: ArchConfig) -> Driver:
    """The driver for one arch: the wanted one, or with ``auto`` the first that this machine can use.

    Args:
        wanted: one of `DRIVERS`.
        config: the arch's config.

    Raises:
        InputError: the container driver lacks a base image, or has a mirror that no container sees.
        UnavailableError: a program is missing.
    """
    if wanted == "container":
        return _container(config, lambda engine: f"{engine}, as asked")
    lacking = _lacking(config)
    if wanted == "rootless":
        find_program("mmdebstrap", "mmdebstrap")
    if wanted == "rootless" or not lacking:
        return Driver("rootless", f"mmdebstrap, {'as asked' if wanted == 'rootless' else 'installed here'}", mmdebstrap)
    if config.base_image:
        return _container(config, lambda engine: f"{engine}, since {lacking.what}")
    fix = f"{lacking.fix}; or set arch.{config.arch}.container.image and install {' or '.join(ENGINES)}"
    raise UnavailableError(lacking.what, fix=fix)


def _lacking(config: ArchConfig) -> UnavailableError | None:
    """What the rootless driver needs and this machine lacks.

    mmdebstrap has more than one way without root, so uidmap counts only where a container is the other choice.
    """
    try:
        find_program("mmdebstrap", "mmdebstrap")
        if config.base_image and os.geteuid() != 0:
            find_program("newuidmap", "uidmap")
    except UnavailableError as error:
        return error
    return None


def _container(config: ArchConfig, reason: Callable[[str], str]) -> Driver:
    where = f"arch.{config.arch}"
    if not config.base_image:
        expected = "an image with its digest (name@sha256:…), or a local one (localhost/…)"
        what = "the container driver has no base image"
        raise InputError(what, where=f"{where}.container.image", expected=expected, found="nothing")
    if config.mirror.startswith(("file:", "copy:")):
        what = "a container does not see this mirror"
        raise InputError(what, where=f"{where}.mirror", expected="http:// or https://", found=config.mirror)
    engine = _engine(config.base_image)
    return Driver("container", reason(engine.name), partial(fetch_in_container, engine), config.base_image)


def _engine(base: str) -> Engine:
    """The first engine that answers (docker's program may be there without its daemon); for a local image, that has it.

    Raises:
        UnavailableError: there is none; quotes what each said.
    """
    told = []
    for name in ENGINES:
        try:
            engine = Engine(name, find_program(name, name), os.geteuid() == 0)
            call(engine.version())
            if is_local(base):
                call(engine.inspect(base))
        except UnavailableError as error:
            told += [error.what, *error.details]
        else:
            return engine
    what, fix = "no program that builds containers can be used here", "apt-get install podman"
    if is_local(base):
        what, fix = "no program that builds containers has this image", "build it, or name one with its digest"
    raise UnavailableError(what, where=base, expected=" or ".join(ENGINES), details=told, fix=fix)
