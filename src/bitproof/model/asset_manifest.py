"""``manifest.json``, format 2 (seed 000, FORMATS section 1): read strictly, printed canonically.

An `AssetManifest` keeps the document it was read from, so that unknown fields and key order survive every change;
`asset_edits` makes the changes. Reading reports every problem at once. What is left out here: which release fits
(``assets.compat``) and everything about files on disk.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self, TypeVar

from bitproof.errors import InputError, Problem, shown
from bitproof.model.decode import MAX_JSON, Table, kind, parse_json
from bitproof.model.digest import Digest
from bitproof.model.names import INITRD, KERNEL, MANIFEST, ROOTFS, check_name, check_reason
from bitproof.model.verity import Verity, read_verity
from bitproof.model.version import Version

R = TypeVar("R")

FORMAT = 2
MAX_SIZE = 1 << 40
MAX_VERSIONS = 1 << 15
"""How many versions are remembered between two mentions of the same one."""
NO_DIGEST = Digest("blake3", "0" * 64)
NO_VERSION = Version("0")


class PinnedFile(NamedTuple):
    """One file as something trusted says it must be; ``size`` in bytes, None when only the digest is known.

    ``verity`` is a rootfs's hash tree, None where it has none or nobody wrote it down.
    """

    name: str
    digest: Digest
    size: int | None = None
    verity: Verity | None = None


class BootPins(NamedTuple):
    """What a boot set must be, and where that is written (a manifest, a file of compile-time pins)."""

    kernel: PinnedFile
    initrd: PinnedFile
    rootfs: PinnedFile
    source: str


class Asset(NamedTuple):
    """One entry of an arch: size in bytes; ``sha256`` and ``verity`` are None where the producer did not write them."""

    name: str
    digest: Digest
    size: int
    sha256: Digest | None = None
    verity: Verity | None = None


BootAssets = tuple[Asset, Asset, Asset]
"""Kernel, initrd and rootfs."""


class AssetRelease(NamedTuple):
    """One asset version: arch to asset name to asset. ``revoked`` is the reason, empty when it is not."""

    version: Version
    arches: Mapping[str, Mapping[str, Asset]]
    deprecated: bool = False
    min_binary: Version | None = None
    date: str = ""
    revoked: str = ""

    @property
    def in_force(self) -> bool:
        """Whether it is neither deprecated nor revoked."""
        return not self.deprecated and not self.revoked

    def boot_assets(self, arch: str) -> BootAssets | None:
        """Kernel, initrd and rootfs of an arch; None unless all three are there."""
        assets = self.arches.get(arch, {})
        rootfs = next((assets[name] for name in ROOTFS if name in assets), None)
        if KERNEL not in assets or INITRD not in assets or rootfs is None:
            return None
        return assets[KERNEL], assets[INITRD], rootfs

    def pins(self, arch: str, source: str) -> BootPins | None:
        """The boot set's pins; None unless all three assets are there."""
        found = self.boot_assets(arch)
        if found is None:
            return None
        kernel, initrd, rootfs = (PinnedFile(asset.name, asset.digest, asset.size, asset.verity) for asset in found)
        return BootPins(kernel, initrd, rootfs, source)


class BinaryRelease(NamedTuple):
    """One binary version."""

    version: Version
    deprecated: bool = False
    min_assets: Version | None = None
    date: str = ""


class AssetManifest(NamedTuple):
    """A whole manifest. ``releases`` and ``binaries`` are in version order, oldest first.

    ``document`` is the JSON it was read from, normalised; nobody outside this room looks into it.
    """

    current: Version
    releases: Mapping[Version, AssetRelease]
    current_binary: Version
    binaries: Mapping[Version, BinaryRelease]
    document: dict[str, Any]

    @classmethod
    def parse(cls, data: bytes, where: str = MANIFEST) -> Self:
        """Read a manifest.

        Raises:
            InputError: another format, or every problem of the file with its JSON path.
        """
        return cls.read(parse_json(data, where), where)

    @classmethod
    def read(cls, document: dict[str, Any], where: str = MANIFEST) -> Self:
        """As `parse`, from a JSON document; digests in it become bare lower-case hex."""
        _check_format(document, where)
        problems: list[Problem] = []
        root = Table(document, "", problems)
        assets, binaries = root.table("assets"), root.table("binaries")
        manifest = cls(
            current=assets.parsed("current", Version, NO_VERSION),
            releases=_versions(assets.table("releases"), _asset_release),
            current_binary=binaries.parsed("current", Version, NO_VERSION),
            binaries=_versions(binaries.table("releases"), _binary_release),
            document=document,
        )
        if problems:
            raise InputError("the manifest is not usable", where=where, problems=problems)
        return manifest

    def to_bytes(self) -> bytes:
        """UTF-8, 2-space indent, final newline; the same bytes for the same content.

        Raises:
            InputError: more bytes than `parse` would read again.
        """
        import json

        data = (json.dumps(self.document, indent=2, ensure_ascii=False) + "\n").encode()
        if len(data) > MAX_JSON:
            raise InputError(
                "the manifest has become too large to be read again; nothing was written",
                expected=f"at most {MAX_JSON} bytes",
                found=f"{len(data)} bytes",
                fix="take old releases that nobody runs any more out of it",
            )
        return data


def _check_format(document: Mapping[str, object], where: str) -> None:
    reads = f"this version of bitproof reads format {FORMAT}"
    if "format" not in document and "latest" in document and "releases" in document:
        raise InputError(
            "the manifest has format 1, which is no longer read",
            where=where,
            expected=reads,
            fix="make it anew: bitproof assets manifest",
        )
    found = document.get("format")
    if type(found) is not int or found != FORMAT:
        problem = "the manifest says no format" if "format" not in document else "the manifest has an unknown format"
        raise InputError(problem, where=where, expected=reads, found="" if "format" not in document else shown(found))


def _versions(table: Table, read: Callable[[Version, Table], R]) -> dict[Version, R]:
    """The releases of one track, oldest first; two spellings of one version are a problem."""
    releases: dict[Version, R] = {}
    for text, entry in table.tables():
        try:
            version = _version(text)
        except ValueError as error:
            table.problem(text, str(error))
            continue
        if version in releases:
            table.problem(text, "another spelling of this version stands before it")
        releases[version] = read(version, entry)
    width = max((len(version.key) for version in releases), default=0)
    return dict(sorted(releases.items(), key=lambda entry: entry[0].padded(width)))


def _asset_release(version: Version, table: Table) -> AssetRelease:
    arches = table.table("arches")
    for key in ("deprecated_date", "revoked_date"):
        table.text(key, "")
    return AssetRelease(
        version=version,
        arches={arch: _arch(entry) for arch, entry in arches.tables() if _named(arches, arch)},
        deprecated=table.flag("deprecated", default=False),
        min_binary=_minimum(table, "min_binary"),
        date=table.text("date", ""),
        revoked=table.parsed("revoked", check_reason, "", required=False),
    )


def _arch(table: Table) -> dict[str, Asset]:
    if not table.values:
        table.problems.append(Problem(table.path, "an arch without assets", expected="at least one asset"))
    folded: dict[str, str] = {}
    for name in table.values:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            table.problem(name, "the name collides with another one when case is ignored", found=shown(other))
        if name == MANIFEST:
            table.problem(name, "not a name for an asset")
    return {name: _asset(name, entry) for name, entry in table.tables() if _named(table, name)}


def _asset(name: str, table: Table) -> Asset:
    digest = table.parsed("hash", Digest.parse, NO_DIGEST)
    sha256 = table.parsed("sha256", _sha256, None, required=False)
    if "hash" in table.values:
        table.values["hash"] = digest.value
    size = table.integer("size", 0, MAX_SIZE)
    verity = read_verity(table.table("verity"), size) if "verity" in table.values and name in ROOTFS else None
    return Asset(name, digest, size, sha256, verity)


def _binary_release(version: Version, table: Table) -> BinaryRelease:
    for key in ("deprecated_date", "version"):
        table.text(key, "")
    _files(table)
    return BinaryRelease(
        version=version,
        deprecated=table.flag("deprecated", default=False),
        min_assets=_minimum(table, "min_assets"),
        date=table.text("date", ""),
    )


def _files(table: Table) -> None:
    """``files`` of a binary release: checked, and kept as they are."""
    files = table.get("files", list, [], required=False)
    listed = Table({}, "files", table.problems, table)
    for index, value in enumerate(files):
        if not isinstance(value, dict):
            listed.problem(index, "the wrong type", expected="a table", found=kind(value))
            continue
        entry = Table(value, index, table.problems, listed)
        entry.text("name")
        entry.integer("size", 0, MAX_SIZE)
        entry.parsed("sha256", _sha256, None)


def _sha256(text: str) -> Digest | None:
    return Digest.parse(text, "sha256")


@lru_cache(MAX_VERSIONS)
def _version(text: str) -> Version:
    """A version; most stand in a manifest more than once, as a release's key and as another's minimum."""
    return Version(text)


def _minimum(table: Table, key: str) -> Version | None:
    """A version, or None for no constraint: absent or empty."""
    if table.values.get(key, "") == "":
        return None
    return table.parsed(key, _version, None)


def _named(table: Table, name: str) -> bool:
    try:
        check_name(name)
    except ValueError as error:
        table.problem(name, str(error))
        return False
    return True
