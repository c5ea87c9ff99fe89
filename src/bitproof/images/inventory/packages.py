"""Which packages a tree was made of: a note made while apt's .debs and lists are still there, and dpkg's own status.

`NOTE` is a shell command that every driver runs in the tree, ``$1``, when everything is downloaded: the digest of each
.deb that is unpacked, and which of apt's lists has it. It hashes what is there, not what an index says. The note lies
below ``var/cache/apt``, where the rootfs filter drops all files. Sources: dpkg(1), "status"; apt-ftparchive(1).
"""

import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bitproof.errors import UnavailableError
from bitproof.model.digest import Digest
from bitproof.model.inventory import Package

NOTE = (
    'set -e; cd "$1/var/cache/apt/archives"; '
    'for deb in *.deb; do [ ! -e "$deb" ] || sha256sum -- "$deb"; done >../debs; '
    "cut -d ' ' -f 1 ../debs | grep -H -o -F -f - ../../../lib/apt/lists/*_Packages >>../debs || :"
)
STATUS = "var/lib/dpkg/status"

_NOTE_PATH = "var/cache/apt/debs"
_DEB = re.compile(r"([0-9a-f]{64})  ([a-z0-9+.-]+)_([0-9A-Za-z.+~%-]+)_([a-z0-9-]+)\.deb", re.ASCII)
_LISTED = re.compile(r"[^:]*_dists_([^:]+)_[^:_]+_binary-[a-z0-9-]+_Packages:([0-9a-f]{64})", re.ASCII)
_INSTALLED = re.compile(r"^Status: \S+ \S+ installed$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Architecture): (\S+)$", re.MULTILINE)


class TreeFacts(NamedTuple):
    """What a tree says of its packages: ``debs`` were downloaded for it, ``installed`` are in dpkg's status."""

    debs: tuple[Package, ...]
    installed: tuple[Package, ...]


def read_facts(packed: Path) -> TreeFacts:
    """Read a tree's packages from its tar.

    Raises:
        UnavailableError: the note or the status is missing, or not of its form.
    """
    texts = {_NOTE_PATH: "", STATUS: ""}
    with tarfile.open(packed, "r:") as tar:
        for member in tar:
            path = member.name.removeprefix("./")
            content = tar.extractfile(member) if path in texts and member.isreg() else None
            if content is not None:
                texts[path] = content.read().decode("utf-8", "replace")
                if all(texts.values()):
                    break
    debs = _debs(texts[_NOTE_PATH])
    return TreeFacts(tuple(debs.values()), tuple(_installed(texts[STATUS], debs)))


def _debs(note: str) -> dict[tuple[str, str, str], Package]:
    """The downloaded packages by name, version and arch; the suite is the first of those that have the .deb."""
    lines = note.splitlines()
    listed = sorted((found[2], found[1].replace("_", "/")) for found in map(_LISTED.fullmatch, lines) if found)
    suites = dict(reversed(listed))
    packages = {}
    for line in lines:
        if not (found := _DEB.fullmatch(line)):
            if ":" not in line:
                raise UnavailableError("the note of a tree's packages cannot be read", where=_NOTE_PATH, found=line)
            continue
        digest, name, version, arch = found.groups()
        version = version.replace("%3a", ":")
        package = Package(
            name=name, version=version, arch=arch, suite=suites.get(digest, ""), sha256=Digest("sha256", digest)
        )
        packages[name, version, arch] = package
    return packages


def _installed(status: str, debs: Mapping[tuple[str, str, str], Package]) -> Iterable[Package]:
    """The packages of dpkg's status, each with the .deb it was unpacked from where that is known."""
    for stanza in status.split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        if _INSTALLED.search(stanza):
            place = fields["Package"], fields["Version"], fields["Architecture"]
            yield debs.get(place) or Package(name=place[0], version=place[1], arch=place[2])


def rootfs_packages(facts: TreeFacts, base: str) -> tuple[Package, ...]:
    """The packages of a rootfs, sorted by name.

    Args:
        facts: of its tree.
        base: the container image that the tree began with; empty when every package was downloaded.

    Raises:
        UnavailableError: there are none, or one has no .deb though nothing was there before.
    """
    without = [package.name for package in facts.installed if package.sha256 is None]
    if not facts.installed or (without and not base):
        found = f"no .deb of {', '.join(without)}" if without else "no package"
        raise UnavailableError("it is not known what the rootfs is made of", where=STATUS, found=found)
    return tuple(sorted(facts.installed, key=lambda package: (package.name, package.arch)))


def kernel_packages(facts: TreeFacts) -> tuple[Package, ...]:
    """All packages that were unpacked for kernel and initrd, sorted by name.

    Also those that the wanted ones depend on, of which most give no file: a list that is too long refuses too much, one
    that is too short lets something pass.
    """
    return tuple(sorted(facts.debs, key=lambda package: (package.name, package.arch)))
