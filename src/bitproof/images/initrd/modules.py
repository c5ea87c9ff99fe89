"""Which kernel modules an initrd needs, in the order to load them. Pure: the text of depmod's files in, paths out.

Sources: modules.dep(5); ``modules.builtin`` of the kernel's Documentation/kbuild/kbuild.rst. In the name of a
module ``-`` and ``_`` are the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bitproof.errors import InputError, Problem
from bitproof.model.decode import nearest

BASE = ("virtio_ring", "virtio", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "overlay")
"""What finds the disk of a VM, and the console ports; the file system of the rootfs comes on top."""
OPTIONAL = ("virtio_rng", "qemu_fw_cfg")
"""Loaded where the kernel has them: early entropy, and what the VMM tells the guest."""
VERITY = ("dm_verity",)
"""What maps the rootfs through its hash tree; loaded only when the kernel's command line asks for that."""
OPTIONAL_VERITY = ("sha256", "sha256_generic", "sha256_ssse3", "sha256_arm64", "sha2_ce")
"""The ways to compute SHA-256, by kernel and arch; dm-verity takes the fastest that is there."""

MAX_MODULE = 256 << 20
"""Bytes of one module, unpacked: ten times the largest there is."""


@dataclass(frozen=True, slots=True)
class ModuleIndex:
    """What a kernel can load: path below its module directory to the paths it depends on, and names built in."""

    dependencies: Mapping[str, tuple[str, ...]]
    builtin: frozenset[str]


def module_name(path: str) -> str:
    """The name of a module as the kernel shows it.

    >>> module_name("kernel/drivers/char/hw_random/virtio-rng.ko.xz")
    'virtio_rng'
    """
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def read_index(dep: str, builtin: str) -> ModuleIndex:
    """Read ``modules.dep`` and ``modules.builtin``.

    Raises:
        InputError: a line of modules.dep is not ``path: path…``.
    """
    dependencies = {}
    for number, line in enumerate(dep.splitlines(), 1):
        path, colon, needs = line.partition(":")
        if not colon or not path.strip():
            raise InputError(
                "the line is not of the form 'module: modules it needs'", where=f"modules.dep:{number}", found=line
            )
        dependencies[path.strip()] = tuple(needs.split())
    return ModuleIndex(dependencies, frozenset(module_name(line) for line in builtin.split()))


def load_order(index: ModuleIndex, wanted: Iterable[str], optional: Iterable[str] = ()) -> tuple[str, ...]:
    """The paths to load, dependencies first, each once. What is built in needs no file.

    Args:
        index: what the kernel has.
        wanted: names of modules that must be there, in either spelling.
        optional: names of modules that are left out where the kernel lacks them.

    Raises:
        InputError: wanted modules that the kernel has neither as a file nor built in; modules that need each other in
            a circle, or need one that does not exist.
    """
    paths = {module_name(path): path for path in index.dependencies}
    names = [name.replace("-", "_") for name in wanted]
    absent = [name for name in names if name not in paths and name not in index.builtin]
    if absent:
        known = {*paths, *index.builtin}
        problems = [Problem(name, "no such module", expected=nearest(name, known) if known else "") for name in absent]
        raise InputError(
            "the kernel lacks modules that the initrd must load",
            problems=problems,
            fix="mend kernel.modules; a kernel without dm_verity needs rootfs.verity = false",
        )
    names += [name.replace("-", "_") for name in optional]
    order: dict[str, None] = {}
    for name in names:
        if name in paths:
            _add(order, index.dependencies, paths[name], ())
    return tuple(order)


def _add(
    order: dict[str, None], dependencies: Mapping[str, tuple[str, ...]], path: str, above: tuple[str, ...]
) -> None:
    """Add all that ``path`` needs, then ``path``. modules.dep names the nearest first, so it is read from its end."""
    chain = (*above, path)
    if path in order:
        return
    if path in above:
        raise InputError("modules need each other in a circle", where="modules.dep", found=" → ".join(chain))
    if path not in dependencies:
        raise InputError("a module needs one that does not exist", where="modules.dep", found=" → ".join(chain))
    for need in reversed(dependencies[path]):
        _add(order, dependencies, need, chain)
    order[path] = None
