"""``[arch.A.kernel]`` of build.toml: where a kernel comes from (seed 000, "Guest config")."""

import re
from dataclasses import dataclass

from bitproof.errors import shown
from bitproof.model.decode import Table, matching
from bitproof.model.digest import Digest

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)
"""The name of a Debian package."""

_SOURCES = ("package", "file", "source", "tarball")
_SOURCE = re.compile(r"linux-source-[0-9]+\.[0-9]+", re.ASCII)
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSource:
    """Where the kernel comes from; exactly one of the first four is not empty.

    It is Debian's package ``package``, or the given ``file``, or compiled from Debian's package ``source`` or the given
    ``tarball``, whose SHA-256 is ``digest``, with the options in ``defconfig``. Paths are relative to the config
    directory. ``modules`` are the modules the initrd must be able to load beside those that find the disk and mount the
    rootfs; only a package has any.
    """

    package: str = ""
    file: str = ""
    source: str = ""
    tarball: str = ""
    digest: Digest | None = None
    defconfig: str = ""
    modules: tuple[str, ...] = ()

    @property
    def compiled(self) -> bool:
        """Whether the kernel is compiled here."""
        return bool(self.source or self.tarball)


def read_kernel(table: Table, arch: str) -> KernelSource:
    """Read the table of one arch; what is wrong is noted in it."""
    table.only(*_SOURCES, "sha256", "defconfig", "modules")
    given = [key for key in _SOURCES if key in table.values]
    if len(given) != 1:
        found, expected = " and ".join(given) or "none", f"{', '.join(_SOURCES[:-1])} or {_SOURCES[-1]}"
        table.problem("package", "name one source of the kernel", expected=expected, found=found)
    compiled = bool({"source", "tarball"} & set(given))
    defconfig = f"kernel/defconfig.{arch}" if compiled else ""
    if compiled:
        _refuse(table, "modules", "a kernel from source has no modules: its defconfig builds all in")
    else:
        _refuse(table, "defconfig", "belongs to a kernel from source", "source or tarball beside it")
    if "tarball" not in given:
        _refuse(table, "sha256", "belongs to a tarball", "tarball beside it")
    return KernelSource(
        package=table.parsed("package", matching(PACKAGE, "a Debian package"), "", required=False),
        file=table.parsed("file", inside_config, "", required=False),
        source=table.parsed("source", matching(_SOURCE, "a package such as linux-source-6.1"), "", required=False),
        tarball=table.parsed("tarball", inside_config, "", required=False),
        digest=table.parsed("sha256", _sha256, None, required="tarball" in given),
        defconfig=table.parsed("defconfig", inside_config, defconfig, required=False),
        modules=table.texts("modules", matching(_MODULE, "a kernel module")),
    )


def _refuse(table: Table, key: str, what: str, expected: str = "") -> None:
    if key in table.values:
        table.problem(key, what, expected=expected)


def _sha256(text: str) -> Digest:
    return Digest.parse(text, "sha256")


def inside_config(text: str) -> str:
    """A path below the config directory; a ValueError says that a text is none."""
    if not text.isprintable() or text.startswith("/") or {"", ".", ".."} & set(text.split("/")):
        raise ValueError(f"not a path inside guest/config: found {shown(text)}")
    return text
