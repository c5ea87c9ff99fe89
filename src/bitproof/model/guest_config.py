"""``guest/config/*.toml``: what an image is made of (seed 000, "Guest config").

``build.toml`` is required; ``packages/*.toml``, ``vm/resources.toml``, ``vm/environment.toml`` and ``manifest.toml``
are optional. `read_guest_config` takes the bytes of all of them and reports every problem of every file at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bitproof.errors import InputError, Problem, shown
from bitproof.model.decode import Table, matching, parse_toml
from bitproof.model.guest_kernel import PACKAGE, KernelSource, inside_config, read_kernel
from bitproof.model.names import ROOTFS_FORMATS, arch_key, check_name
from bitproof.model.version import Version

BUILD = "build.toml"
RESOURCES = "vm/resources.toml"
ENVIRONMENT = "vm/environment.toml"
IMAGE = "manifest.toml"
PACKAGES = "packages/"

COMPRESSIONS = ("zstd", "xz", "gzip")
ROOTFS_COMPRESSIONS = {"squashfs": ("zstd", "xz", "gzip"), "erofs": ("lz4hc", "lz4", "zstd")}
LEVELS = {"zstd": 22, "xz": 9, "gzip": 9, "lz4hc": 12, "lz4": 0}
"""Each codec's highest level; the lowest is 1 (lz4 has none)."""

CPUS = (1, 64)
MEMORY_MIB = (128, 1 << 20)

_SUITE = re.compile(r"[a-z][a-z0-9.-]*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEYRING = re.compile(r"[A-Za-z0-9_./-]+\.(?:gpg|asc)", re.ASCII)
_IMAGE_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_IMAGE_PATH = rf"{_IMAGE_PART}(?:/{_IMAGE_PART})*"
_TAG = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
_PINNED = r"@sha256:[0-9a-f]{64}"
BASE_IMAGE = re.compile(
    rf"localhost/{_IMAGE_PATH}{_TAG}(?:{_PINNED})?|(?:[a-z0-9][a-z0-9.-]*(?::[0-9]{{1,5}})?/)?{_IMAGE_PATH}{_PINNED}",
    re.ASCII,
)
_MIRROR = re.compile(r"(?:https?|file|copy)://[^\s|\[\]]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchConfig:
    """One architecture's table: ``arch`` is the manifest's key, ``suite`` Debian's release name.

    ``verity`` gives the rootfs a hash tree, and the initrd what maps it. ``keyring`` is a file below the config
    directory whose keys sign the mirror, Debian's own when empty; ``base_image`` is what the container driver begins
    with, pinned by its digest unless it is local.
    """

    arch: str
    suite: str
    kernel: KernelSource
    rootfs_format: str
    rootfs_compression: str
    rootfs_level: int
    verity: bool = True
    mirror: str = ""
    keyring: str = ""
    base_image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a VM gets when nobody says otherwise: virtual CPUs, memory in MiB."""

    cpus: int = 2
    memory: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestConfig:
    """The whole guest config. ``compression`` and ``level`` are the initrd's and the rootfs's default."""

    compression: str
    level: int
    arches: tuple[ArchConfig, ...]
    packages: tuple[str, ...] = ()
    resources: Resources = Resources()
    environment: tuple[tuple[str, str], ...] = ()
    min_binary: Version | None = None

    def arch(self, arch: str) -> ArchConfig:
        """The table of one arch.

        Raises:
            InputError: the config has no such table.
        """
        for config in self.arches:
            if config.arch == arch:
                return config
        known = ", ".join(config.arch for config in self.arches)
        raise InputError(
            "the guest config does not know this arch",
            where=BUILD,
            expected=known,
            found=arch,
            fix=f"add a table [arch.{arch}] to {BUILD}, or name another --arch",
        )


def read_guest_config(files: Mapping[str, bytes], where: str = "guest/config") -> GuestConfig:
    """Read the config from the bytes of its files.

    Args:
        files: path below the config directory (``build.toml``, ``packages/base.toml``) to bytes.
        where: how messages name the config directory.

    Raises:
        InputError: with every problem of every file, each with file and key.
    """
    problems: list[Problem] = []
    parsed = {path: _parse(path, data, problems) for path, data in sorted(files.items())}
    tables = {path: table for path, table in parsed.items() if table is not None}
    if BUILD not in files:
        problems.append(Problem(BUILD, "missing"))

    def table(path: str) -> Table:
        return tables.get(path, Table({}, "", []))

    build = table(BUILD)
    compression, level = _codec(build, COMPRESSIONS)
    packages = {name for path in tables if path.startswith(PACKAGES) for name in _packages(tables[path])}
    config = GuestConfig(
        compression=compression,
        level=level,
        arches=_arches(build, compression, level),
        packages=tuple(sorted(packages)),
        resources=_resources(table(RESOURCES)),
        environment=_environment(table(ENVIRONMENT)),
        min_binary=_image(table(IMAGE)),
    )
    build.only("compression", "level", "arch")
    problems += [problem.within(path) for path, read in tables.items() for problem in read.problems]
    if problems:
        raise InputError(
            "the guest config is not usable", where=where, problems=problems, fix="mend these; nothing was built"
        )
    return config


def _parse(path: str, data: bytes, problems: list[Problem]) -> Table | None:
    """One file as a table with a problem list of its own; None when it cannot be read."""
    known = (BUILD, RESOURCES, ENVIRONMENT, IMAGE)
    try:
        if path not in known and not path.startswith(PACKAGES):
            problems.append(
                Problem(path, "not a known config file", expected=f"{', '.join(known)} or {PACKAGES}*.toml")
            )
            return None
        return Table(parse_toml(data, path), "", [])
    except InputError as error:
        problems.append(Problem(error.where, error.what, expected=error.expected, found=error.found))
        return None


def _codec(
    table: Table, choices: tuple[str, ...], compression: str | None = None, level: int | None = None
) -> tuple[str, int]:
    """``compression`` and ``level`` of a table; required where there are no defaults."""
    name = table.choice("compression", choices, compression)
    highest = LEVELS.get(name, max(LEVELS.values()))
    default = highest if level is None or name != compression else level
    return name, table.integer("level", min(1, highest), highest, None if level is None else default)


def _arches(build: Table, compression: str, level: int) -> tuple[ArchConfig, ...]:
    arches = []
    for name, table in build.table("arch").tables():
        try:
            check_name(name)
        except ValueError as error:
            build.problem("arch", str(error))
        if arch_key(name) != name:
            build.problem("arch", "not an arch key", expected=arch_key(name), found=shown(name))
        arches.append(_arch(name, table, compression, level))
    if not arches and isinstance(build.values.get("arch"), dict):
        build.problem("arch", "no architecture", expected="a table such as [arch.x86_64]")
    return tuple(arches)


def _arch(name: str, table: Table, compression: str, level: int) -> ArchConfig:
    rootfs = table.table("rootfs")
    form = rootfs.choice("format", ROOTFS_FORMATS)
    codecs = ROOTFS_COMPRESSIONS.get(form, COMPRESSIONS)
    inherited = compression if form != "erofs" and compression in codecs else codecs[0]
    rootfs_compression, rootfs_level = _codec(
        rootfs, codecs, inherited, level if inherited == compression else LEVELS[inherited]
    )
    rootfs.only("format", "compression", "level", "verity")
    table.only("suite", "mirror", "keyring", "kernel", "rootfs", "container")
    return ArchConfig(
        arch=name,
        suite=table.parsed("suite", matching(_SUITE, "a suite such as bookworm"), ""),
        mirror=table.parsed("mirror", matching(_MIRROR, "a URL"), "", required=False),
        keyring=table.parsed("keyring", _keyring, "", required=False),
        base_image=_container(table.table("container", required=False)),
        kernel=read_kernel(table.table("kernel"), name),
        rootfs_format=form,
        rootfs_compression=rootfs_compression,
        rootfs_level=rootfs_level,
        verity=rootfs.flag("verity", default=True),
    )


def _container(table: Table) -> str:
    table.only("image")
    expected = "an image with its digest (name@sha256:…), or a local one (localhost/…)"
    return table.parsed("image", matching(BASE_IMAGE, expected), "", required=False)


def _packages(table: Table) -> tuple[str, ...]:
    table.only("manager", "packages")
    table.choice("manager", ("apt",), "apt")
    return table.texts("packages", matching(PACKAGE, "a Debian package"))


def _resources(table: Table) -> Resources:
    table.only("cpus", "memory")
    default = Resources()
    return Resources(
        cpus=table.integer("cpus", *CPUS, default.cpus), memory=table.integer("memory", *MEMORY_MIB, default.memory)
    )


def _environment(table: Table) -> tuple[tuple[str, str], ...]:
    read = {name: table.text(name) for name in table.values}
    for name, value in read.items():
        if not _VARIABLE.fullmatch(name):
            table.problem(name, "not the name of a variable", expected="[A-Za-z_][A-Za-z0-9_]*")
        if not value.isprintable():
            table.problem(name, "a control character in the value", found=shown(value))
    return tuple(sorted(read.items()))


def _image(table: Table) -> Version | None:
    table.only("min_binary")
    return table.parsed("min_binary", Version, None, required=False)


def _keyring(text: str) -> str:
    return matching(_KEYRING, "a keyring (.gpg or .asc)")(inside_config(text))
