"""Siblings that only look checked out and built: a HEAD and an artifact each, as a sync and a verify read them."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from bitproof.caps.siblings import Roots
from bitproof.model.caps_manifest import NO_DIGEST, Cap, CapsManifest
from bitproof.model.digest import Digest

SHA = "1" * 40
QUIET = 1_700_000_000


def sha256(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def cap(name: str = "one", *, local_dir: str = "", precomposed: bool = False) -> Cap:
    """A cap whose artifact is ``out/<name>.wasm`` and holds the name."""
    return Cap(
        id=name,
        repo="" if precomposed else f"https://example.org/{local_dir or name}.git",
        sha=SHA,
        target="",
        artifact=f"out/{name}.wasm",
        digest=sha256(name.encode()),
        local_dir=local_dir,
        precomposed=precomposed,
    )


def placeholder(name: str) -> Cap:
    return replace(cap(name), sha="0" * 40, digest=NO_DIGEST)


class Shelf:
    """A git root and the manifest's own repository below ``root``."""

    def __init__(self, root: Path) -> None:
        self.roots = Roots(git_root=root / "git", own=root / "product")
        self.roots.git_root.mkdir()
        self.roots.own.mkdir()

    def put(self, *caps: Cap, data: bytes | None = None) -> None:
        """Check out and build caps; the artifact holds the cap's id, or ``data``."""
        for each in caps:
            if not each.precomposed:
                self.at(each, each.sha)
            path = self.roots.artifact(each)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(each.id.encode() if data is None else data)

    def at(self, each: Cap, sha: str) -> None:
        """Have a HEAD."""
        directory = self.roots.directory(each) / ".git"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "HEAD").write_text(f"{sha}\n")

    def manifest(self, *caps: Cap, digest: Digest | None = None) -> CapsManifest:
        """A manifest whose composed artifact is there and as pinned, unless ``digest`` is another."""
        composed = self.roots.own / "build" / "pylon.wasm"
        composed.parent.mkdir(exist_ok=True)
        composed.write_bytes(b"pylon")
        return CapsManifest("pylon", sha256(b"pylon") if digest is None else digest, caps)


def settle(path: Path) -> None:
    """Wait until the times of a file are no longer racy: its change time cannot be set."""
    state = path.stat()
    while max(state.st_ctime_ns, state.st_mtime_ns) + 30_000_000 > _now(path.parent):
        pass


def _now(directory: Path) -> int:
    """The clock of the file system."""
    probe = directory / ".probe"
    probe.touch()
    try:
        return probe.stat().st_mtime_ns
    finally:
        os.unlink(probe)  # noqa: PTH108 - beside touch, as short as it gets


def temporaries(root: Path) -> list[Path]:
    return list(root.rglob(".bitproof-*.tmp"))
