"""A program out of Debian's packages with all that it needs to run, for an initrd that has nothing else."""

import posixpath
import re
import tarfile
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.images.elf import Needs, read_needs

_PLACE = re.compile(r"(?:usr/)?(?:s?bin|lib(?:64|/[a-z0-9_]+-linux-gnu)?)/([A-Za-z0-9._+-]+)", re.ASCII)
_MAX_LINKS = 8


def take_program(packed: Path, name: str) -> dict[str, bytes]:
    """A program and its libraries as files of an initrd: path below its root to bytes.

    Libraries go to ``lib``, where every interpreter of Debian's looks, under the names by which they are asked for.

    Args:
        packed: a tar of unpacked packages.
        name: the program's, in one of the directories for programs.

    Raises:
        UnavailableError: the packages lack the program or a library, or hold something else under its name.
    """
    with tarfile.open(packed, "r:") as tar:
        members = {member.name.removeprefix("./"): member for member in tar if member.isreg() or member.issym()}
        places = {found[1]: path for path in members if (found := _PLACE.fullmatch(path))}
        program, needs = _taken(tar, members, places.get(name, name))
        interpreter = needs.interpreter.lstrip("/")
        files = {f"sbin/{name}": program}
        if interpreter:
            files[interpreter], _ = _taken(tar, members, interpreter)
        libraries = list(needs.libraries)
        while libraries:
            library = libraries.pop()
            path = f"lib/{library}"
            if path not in files and library != posixpath.basename(interpreter):
                files[path], needs = _taken(tar, members, places.get(library, library))
                libraries += needs.libraries
    return dict(sorted(files.items()))


def _taken(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], path: str) -> tuple[bytes, Needs]:
    """The bytes at a path, links followed inside the tar, and what they need."""
    member = members.get(path)
    for _ in range(_MAX_LINKS):
        if member is None or not member.issym():
            break
        target = posixpath.join("/", posixpath.dirname(member.name.removeprefix("./")), member.linkname)
        member = members.get(posixpath.normpath(target).lstrip("/"))
    content = tar.extractfile(member) if member and member.isreg() else None
    if content is None:
        raise UnavailableError("the packages lack a file that the initrd needs", where=path, found="nothing")
    data = content.read()
    try:
        return data, read_needs(data)
    except ValueError as error:
        what = "a file of the packages is not what the initrd needs"
        raise UnavailableError(what, where=path, found=str(error)) from None
