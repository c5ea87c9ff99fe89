"""``bitproof init vm | caps [DIR]``: a small working project, from the templates that come with bitproof.

A template is a tree of files below ``bitproof/templates``; ``@product@`` stands for the project's name. Nothing that is
there already is overwritten.
"""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click

from bitproof.caps.siblings import write_below
from bitproof.cli.session import Session, pass_session
from bitproof.errors import BitproofError, InputError, Problem
from bitproof.system.files import Directory

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
PRODUCT = b"@product@"
DEFAULT_PRODUCT = "product"
NEXT = {
    "vm": ("bitproof doctor", "bitproof assets build", "bitproof vm shell"),
    "caps": ("bitproof caps check", "bitproof caps sync", "bitproof caps compose", "bitproof caps verify"),
}
"""What to run in the new project."""

DIRECTORY = click.argument("place", metavar="[DIR]", default=".", type=click.Path(path_type=Path))


class NewFile(NamedTuple):
    """A file of a project: its path below the project's directory, its bytes, its permissions."""

    path: str
    data: bytes
    mode: int


@click.command()
@DIRECTORY
@pass_session
def vm(session: Session, place: Path) -> None:
    """Write a small VM image project into DIR: config, init, doctor.

    DIR is made when it is not there; default: the working directory. A file that is there already is never overwritten.
    """
    _init(session, "vm", place)


@click.command()
@DIRECTORY
@pass_session
def caps(session: Session, place: Path) -> None:
    """Write a caps project into DIR: a manifest with one placeholder, settings, a compose step.

    DIR is made when it is not there; default: the working directory. A file that is there already is never overwritten.
    """
    _init(session, "caps", place)


def _init(session: Session, kind: str, directory: Path) -> None:
    files = tuple(template(kind, product_name(directory.resolve().name)))
    write_project(directory, files)
    enter = () if directory.resolve() == Path.cwd() else (f"cd {shlex.quote(str(directory))}",)
    paths, commands = [str(directory / file.path) for file in files], [*enter, *NEXT[kind]]
    text = "\n".join([*(f"wrote {path}" for path in paths), "", "Next:", *(f"  {line}" for line in commands)])
    session.result(text, {"ok": True, "directory": str(directory), "written": paths, "next": commands})


def template(kind: str, product: str) -> Iterator[NewFile]:
    """The files of a template, sorted by path.

    What begins with ``#!`` may be executed: whatever installed bitproof may have dropped the permission.
    """
    root = TEMPLATES / kind
    paths = [Path(parent, name) for parent, _, names in os.walk(root, followlinks=True) for name in names]
    for path in sorted(paths):
        data = path.read_bytes().replace(PRODUCT, product.encode())
        yield NewFile(str(path.relative_to(root)), data, 0o755 if data.startswith(b"#!") else 0o644)


def product_name(directory: str) -> str:
    """A directory's name as a product's: ASCII letters, digits and ``_``, a letter first.

    >>> product_name("My wasm-product"), product_name("2026")
    ('my_wasm_product', 'product')
    """
    name = re.sub(r"[^a-z0-9]+", "_", directory.lower()).strip("_")
    return name if name[:1].isalpha() else DEFAULT_PRODUCT


def write_project(directory: Path, files: tuple[NewFile, ...]) -> None:
    """Write all files below a directory, or none.

    Raises:
        InputError: some are there already, or something else is in the way: all are named, and nothing is written.
        UnavailableError: the system refused; what was written by then is removed again.
    """
    if os.path.lexists(directory) and not directory.is_dir():
        expected = "a directory, or nothing yet"
        raise InputError("nothing was written", where=directory, expected=expected, found="something else")
    taken = sorted({path for file in files if (path := _in_the_way(directory, file.path))})
    if taken:
        problems = [Problem(path, "is there already") for path in taken]
        fix = "name an empty directory, or move these away"
        raise InputError("nothing was written", where=directory, problems=problems, fix=fix)
    Directory(directory, create=True).__exit__(None, None, None)
    written: list[Path] = []
    try:
        for file in files:
            write_below(directory, file.path, file.data, mode=file.mode)
            written.append(directory / file.path)
    except BitproofError:
        for half in written:
            with suppress(OSError):
                half.unlink()
        raise


def _in_the_way(directory: Path, path: str) -> str:
    """What keeps ``path`` from being a new file: itself, or a part on the way that is no directory; else empty."""
    *parents, _ = parts = path.split("/")
    for count in range(1, len(parents) + 1):
        place = directory.joinpath(*parts[:count])
        if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            return "/".join(parts[:count])
    return path if os.path.lexists(directory / path) else ""
