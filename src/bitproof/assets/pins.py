"""Digests written down for other programs: compile-time pins in six formats, and ``B3SUMS``. Pure.

A build script bakes the pins of the current release into a binary (seed 000, "Boot-Time Resolution"); ``vm boot
--pins`` reads them back from the json format. ``B3SUMS`` is what ``b3sum --check`` reads (FORMATS section 1).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import NO_DIGEST, AssetManifest, BootPins, PinnedFile
from bitproof.model.decode import Table, decode_text, parse_json
from bitproof.model.digest import Digest
from bitproof.model.names import INITRD, KERNEL, ROOTFS
from bitproof.model.verity import read_verity

MAX_CHECKSUMS = 1 << 20
VARIABLES = ("VMLINUZ_HASH", "INITRD_HASH", "ROOTFS_HASH")
VERITY_VARIABLE = "ROOTFS_VERITY"
"""What the guest's init takes as ``bitproof.verity=``; only where the rootfs has a hash tree."""

_SUM = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<path>[A-Za-z0-9][A-Za-z0-9._+/-]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checksum:
    """One line of ``B3SUMS``: the path is relative to the assets directory."""

    path: str
    digest: Digest


def print_checksums(sums: Iterable[Checksum]) -> bytes:
    """One line a file: 64 hex digits, two spaces, the path."""
    return "".join(f"{entry.digest.value}  {entry.path}\n" for entry in sums).encode()


def parse_checksums(data: bytes, where: str) -> tuple[Checksum, ...]:
    """Read ``B3SUMS``.

    Raises:
        InputError: every line that is not of the form, by its number; a path that stands twice.
    """
    sums: dict[str, Checksum] = {}
    problems = []
    for number, line in enumerate(decode_text(data, where, MAX_CHECKSUMS).removesuffix("\n").split("\n"), 1):
        found = _SUM.fullmatch(line)
        if not found or {"", ".", ".."} & set(found["path"].split("/")):
            problems.append(
                Problem(f"line {number}", "not a checksum", expected="64 hex digits, two spaces, a relative path")
            )
        elif found["path"] in sums:
            problems.append(Problem(f"line {number}", "the path stands twice", found=found["path"]))
        else:
            sums[found["path"]] = Checksum(found["path"], Digest("blake3", found["digest"]))
    if problems:
        raise InputError("the checksums are not usable", where=where, problems=problems)
    return tuple(sums.values())


def current_pins(manifest: AssetManifest, arch: str, where: str) -> BootPins:
    """The pins of the current release.

    Raises:
        InputError: it names no release, or has no complete boot set for the arch: never an empty success.
    """
    release = manifest.releases.get(manifest.current)
    pins = release.pins(arch, where) if release else None
    if pins is None:
        problem = f"assets.current {manifest.current} " + (
            "names no release" if release is None else f"has no boot set for {arch}"
        )
        fix = f"build and record it: bitproof assets build --arch {arch}"
        raise InputError(problem, where=where, expected=f"vmlinuz, initrd.img and a rootfs for {arch}", fix=fix)
    return pins


def print_pins(pins: BootPins, form: str, *, version: str, arch: str) -> str:
    """The pins in one of the formats of `PRINTERS`, with a final newline."""
    return PRINTERS[form](pins, version, arch)


def parse_pins(data: bytes, where: str) -> BootPins:
    """Read pins in the json format.

    Raises:
        InputError: with every problem.
    """
    problems: list[Problem] = []
    document = Table(parse_json(data, where), "", problems)
    assets = document.table("assets")
    rootfs = [name for name in ROOTFS if name in assets.values] or [ROOTFS[0]]
    if len(rootfs) > 1:
        assets.problem(rootfs[1], "more than one rootfs", expected="one")
    kernel, initrd, image = (_pinned(name, assets.table(name)) for name in (KERNEL, INITRD, rootfs[0]))
    if problems:
        raise InputError(
            "the pins are not usable",
            where=where,
            problems=problems,
            fix="make them anew: bitproof assets hashes --format json",
        )
    return BootPins(kernel, initrd, image, where)


def _pinned(name: str, table: Table) -> PinnedFile:
    digest = table.parsed("hash", Digest.parse, NO_DIGEST)
    size = table.integer("size", 0, 1 << 40) if "size" in table.values else None
    verity = read_verity(table.table("verity"), size) if "verity" in table.values and name in ROOTFS else None
    return PinnedFile(name, digest, size, verity)


def _values(pins: BootPins) -> dict[str, str]:
    files = (pins.kernel, pins.initrd, pins.rootfs)
    values = {variable: file.digest.value for variable, file in zip(VARIABLES, files, strict=True)}
    return values | ({VERITY_VARIABLE: pins.rootfs.verity.parameter} if pins.rootfs.verity else {})


def _cargo(pins: BootPins, _version: str, _arch: str) -> str:
    lines = [f"cargo:rustc-env={name}={value}" for name, value in _values(pins).items()]
    return "\n".join([*lines, f"cargo:rerun-if-changed={pins.source}"]) + "\n"


def _env(pins: BootPins, _version: str, _arch: str) -> str:
    return "".join(f"{name}={value}\n" for name, value in _values(pins).items())


def _rust(pins: BootPins, version: str, arch: str) -> str:
    lines = [f'pub const {name}: &str = "{value}";\n' for name, value in _values(pins).items()]
    return f"// Assets {version} for {arch}, BLAKE3.\n{''.join(lines)}"


def _c(pins: BootPins, version: str, arch: str) -> str:
    lines = [f'#define {name} "{value}"\n' for name, value in _values(pins).items()]
    return f"/* Assets {version} for {arch}, BLAKE3. */\n{''.join(lines)}"


def _python(pins: BootPins, version: str, arch: str) -> str:
    lines = [f'{name} = "{value}"\n' for name, value in _values(pins).items()]
    return f"# Assets {version} for {arch}, BLAKE3.\n{''.join(lines)}"


def _json(pins: BootPins, version: str, arch: str) -> str:
    import json

    files = {file.name: _document(file) for file in (pins.kernel, pins.initrd, pins.rootfs)}
    return json.dumps({"asset_version": version, "arch": arch, "assets": files}, indent=2) + "\n"


def _document(file: PinnedFile) -> dict[str, object]:
    entry: dict[str, object] = {"hash": file.digest.value}
    entry |= {} if file.size is None else {"size": file.size}
    return entry | ({"verity": file.verity.document()} if file.verity else {})


PRINTERS: Mapping[str, Callable[[BootPins, str, str], str]] = {
    "cargo": _cargo,
    "env": _env,
    "rust": _rust,
    "c": _c,
    "python": _python,
    "json": _json,
}
