"""What packages an image was made of: ``inventory.json`` beside the images, and the same document as a lock.

```
format               1
arches.<A>.base      the container image that the rootfs began with; absent without one
arches.<A>.kernel    packages that were unpacked to take kernel and initrd from
arches.<A>.rootfs    packages that are installed in the rootfs
                     each {"name", "version", "arch", "suite"?, "sha256"?}
```

``sha256`` is that of the .deb which was unpacked; a package that came with a container's base image has none. ``suite``
says where the .deb was found; it moves when Debian moves a package, so a lock does not compare it. A package is one
line, sorted by name: a lock is reviewed as a diff.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bitproof.errors import InputError, IntegrityError, Problem
from bitproof.model.decode import Table, matching, parse_json
from bitproof.model.digest import Digest
from bitproof.model.guest_config import BASE_IMAGE
from bitproof.model.guest_kernel import PACKAGE
from bitproof.model.names import check_name

FORMAT = 1
PARTS = ("kernel", "rootfs")

_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]*", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~:-]*", re.ASCII)
_DEBIAN_ARCH = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One Debian package. ``suite`` is empty and ``sha256`` None when it came with a container's base image."""

    name: str
    version: str
    arch: str
    suite: str = ""
    sha256: Digest | None = None

    def document(self) -> dict[str, str]:
        """As JSON has it, without what is not known."""
        digest = self.sha256.value if self.sha256 else ""
        fields = {"name": self.name, "version": self.version, "arch": self.arch, "suite": self.suite, "sha256": digest}
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The packages of one arch's images, each part sorted; ``base`` is the container image the rootfs began with."""

    arch: str
    kernel: tuple[Package, ...]
    rootfs: tuple[Package, ...]
    base: str = ""

    def parts(self) -> tuple[tuple[str, tuple[Package, ...]], ...]:
        """Each part's name and packages."""
        return ("kernel", self.kernel), ("rootfs", self.rootfs)


@dataclass(frozen=True, slots=True)
class Lock:
    """The inventories of some arches, sorted by arch: the document that is written and read."""

    inventories: tuple[Inventory, ...]

    def arch(self, arch: str, where: str) -> Inventory:
        """The inventory of one arch.

        Raises:
            InputError: the lock does not have the arch.
        """
        for inventory in self.inventories:
            if inventory.arch == arch:
                return inventory
        known = ", ".join(inventory.arch for inventory in self.inventories) or "no arch"
        fix = "build without --locked, then: bitproof assets lock"
        raise InputError("the lock does not have this arch", where=where, expected=arch, found=known, fix=fix)

    def replaced(self, inventory: Inventory) -> "Lock":
        """The same lock with another inventory of one arch."""
        others = {one.arch: one for one in self.inventories} | {inventory.arch: inventory}
        return Lock(tuple(others[arch] for arch in sorted(others)))

    def to_bytes(self) -> bytes:
        """UTF-8, a package a line, a final newline; the same bytes for the same content."""
        arches = ",\n".join(f"    {json.dumps(one.arch)}: {_inventory_text(one)}" for one in self.inventories)
        return f'{{\n  "format": {FORMAT},\n  "arches": {{\n{arches}\n  }}\n}}\n'.encode()


def _inventory_text(inventory: Inventory) -> str:
    fields = [f'"base": {json.dumps(inventory.base)}'] if inventory.base else []
    for part, packages in inventory.parts():
        lines = ",\n".join(f"        {json.dumps(package.document())}" for package in packages)
        fields.append(f'"{part}": [\n{lines}\n      ]' if lines else f'"{part}": []')
    return "{\n      " + ",\n      ".join(fields) + "\n    }"


def read_lock(data: bytes, where: str) -> Lock:
    """Read a lock or an inventory.

    Raises:
        InputError: it is not one; names ``where`` and every problem.
    """
    problems: list[Problem] = []
    root = Table(parse_json(data, where), "", problems)
    root.only("format", "arches")
    found = root.integer("format", 0, 1 << 31)
    if not problems and found != FORMAT:
        expected, fix = f"format {FORMAT}", "use a newer bitproof, or make the lock anew"
        raise InputError("this format is not known", where=where, expected=expected, found=f"format {found}", fix=fix)
    lock = Lock(tuple(sorted(_inventories(root.table("arches")), key=lambda one: one.arch)))
    if problems:
        fix = "make it anew: bitproof assets build, then bitproof assets lock"
        raise InputError("the list of packages is not usable", where=where, problems=problems, fix=fix)
    return lock


def _inventories(arches: Table) -> Iterator[Inventory]:
    for arch, table in arches.tables():
        try:
            check_name(arch)
        except ValueError as error:
            arches.problem(arch, str(error))
        table.only("base", *PARTS)
        kernel, rootfs = (_packages(table, part) for part in PARTS)
        base = table.parsed("base", matching(BASE_IMAGE, "a container image"), "", required=False)
        yield Inventory(arch=arch, kernel=kernel, rootfs=rootfs, base=base)


def _packages(table: Table, part: str) -> tuple[Package, ...]:
    if part not in table.values:
        table.problem(part, "missing", expected="an array")
    packages: dict[tuple[str, str], Package] = {}
    for row in table.rows(part):
        package = _package(row)
        if _place(package) in packages:
            row.problem("name", "the package stands more than once", found=f"{package.name} {package.arch}")
        packages[_place(package)] = package
    return tuple(packages[place] for place in sorted(packages))


def _package(row: Table) -> Package:
    row.only("name", "version", "arch", "suite", "sha256")
    digest = row.parsed("sha256", partial(Digest.parse, algorithm="sha256"), None, required=False)
    return Package(
        name=row.parsed("name", matching(PACKAGE, "a Debian package"), ""),
        version=row.parsed("version", matching(_VERSION, "a Debian version"), ""),
        arch=row.parsed("arch", matching(_DEBIAN_ARCH, "a Debian architecture"), ""),
        suite=row.parsed("suite", matching(_SUITE, "a suite such as bookworm"), "", required=False),
        sha256=digest,
    )


def _place(package: Package) -> tuple[str, str]:
    return package.name, package.arch


def preferences(locked: Inventory) -> str:
    r"""What makes apt take the locked versions wherever the mirror still has them (apt_preferences(5)).

    >>> package = Package(name="apt", version="2.6.1", arch="amd64")
    >>> preferences(Inventory(arch="x86_64", kernel=(), rootfs=(package,)))
    'Package: apt\nPin: version 2.6.1\nPin-Priority: 1001\n'
    """
    versions = {package.name: package.version for _, packages in locked.parts() for package in packages}
    return "\n".join(
        f"Package: {name}\nPin: version {versions[name]}\nPin-Priority: 1001\n" for name in sorted(versions)
    )


def check_locked(locked: Inventory, found: Inventory, where: str) -> None:
    """Compare what a build would use with its lock. Pure.

    Args:
        locked: what the lock allows, and nothing else.
        found: what the suite and the mirror gave.
        where: how the message names the lock.

    Raises:
        IntegrityError: they differ; names every package, with what was expected and found.
    """
    problems = list(_differences(locked, found))
    if problems:
        what = "the packages are not the locked ones, so nothing was published"
        fix = (
            "to take these: build without --locked, then bitproof assets lock; "
            "to keep the locked ones: let arch.*.mirror name a mirror that still has them, such as a snapshot"
        )
        raise IntegrityError(what, where=f"{where}: {locked.arch}", problems=problems, fix=fix)


def _differences(locked: Inventory, found: Inventory) -> Iterator[Problem]:
    if locked.base != found.base:
        yield Problem("base image", "another one", expected=locked.base or "none", found=found.base or "none")
    for (part, wanted), (_, given) in zip(locked.parts(), found.parts(), strict=True):
        before = {_place(package): package for package in wanted}
        after = {_place(package): package for package in given}
        for place in sorted(before.keys() | after.keys()):
            yield from _difference(f"{part}: {place[0]} ({place[1]})", before.get(place), after.get(place), found.base)


def _difference(where: str, locked: Package | None, found: Package | None, base: str) -> Iterator[Problem]:
    if locked is None or found is None:
        told = [f"version {one.version}" if one else "no such package" for one in (locked, found)]
        what = "a package that is not locked" if locked is None else "a locked package is missing"
        yield Problem(where, what, expected=told[0], found=told[1])
    elif locked.version != found.version:
        yield Problem(where, "another version", expected=locked.version, found=found.version)
    elif locked.sha256 != found.sha256:
        told = [str(one.sha256) if one.sha256 else "no digest" for one in (locked, found)]
        yield Problem(where, f"another .deb of version {found.version}", expected=told[0], found=told[1])
    elif found.sha256 is None and "@" not in base:
        what = "comes with a base image that is not pinned, so nothing proves it"
        yield Problem(where, what, expected="a base image with its digest", found=base or "none")
