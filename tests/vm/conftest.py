"""Boot sets: of small files, for what needs no guest, and of the built image."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitproof.model.asset_manifest import BootPins, PinnedFile
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import open_file
from bitproof.vm.accelerator import TCG, Accelerator
from bitproof.vm.verified import VerifiedBootSet, VmConfig, open_verified

SOFTWARE = Accelerator(TCG, "the tests say so")

SIMULATOR = """#!{python}
# Stands where QEMU stands: same arguments, same sockets; what the guest does is the scenario at the end.
import os, signal, socket, sys, time
sockets = {{}}
for argument in sys.argv:
    if argument.startswith("socket,id="):
        name, fd = argument.removeprefix("socket,id=").split(",fd=")
        sockets[name] = socket.socket(fileno=int(fd))

def say(name, data):
    sockets[name].sendall(data)

def request():
    say("control", b"hello 1\\n")
    lines = sockets["control"].makefile("rb")
    return [lines.readline().decode().rstrip("\\n") for _ in range(7)]

def finish(mark, code):
    say("stdout", mark.encode())
    say("stderr", mark.encode())
    say("control", f"exit {{mark}} {{code}}\\n".encode())

{scenario}
"""


def pinned(path: Path) -> PinnedFile:
    with open_file(path) as file:
        return PinnedFile(path.name, blake3_digest(file), file.size)


def config_of(directory: Path) -> VmConfig:
    """The boot set of a directory, pinned as it is now."""
    kernel, initrd, rootfs = (directory / name for name in ("vmlinuz", "initrd.img", "rootfs.squashfs"))
    pins = BootPins(pinned(kernel), pinned(initrd), pinned(rootfs), "assets/manifest.json")
    return VmConfig(kernel=kernel, initrd=initrd, rootfs=rootfs, arch="x86_64", pins=pins)


@pytest.fixture
def small(tmp_path: Path) -> VmConfig:
    """A pinned boot set of three small files that boot nothing."""
    directory = tmp_path / "x86_64"
    directory.mkdir()
    for name, size in (("vmlinuz", 5000), ("initrd.img", 3000), ("rootfs.squashfs", 2_000_000)):
        (directory / name).write_bytes(name.encode() * size)
    return config_of(directory)


@pytest.fixture(scope="session")
def image(built_assets: Path) -> VmConfig:
    """The built image, pinned."""
    return config_of(built_assets / "x86_64")


Simulated = Callable[[str], None]


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulated:
    """Puts a simulated QEMU in the place of the real one; call it with the guest's side of the story."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    def tell(scenario: str) -> None:
        program = programs / "qemu-system-x86_64"
        program.write_text(SIMULATOR.format(python=sys.executable, scenario=scenario))
        program.chmod(0o755)

    return tell


@pytest.fixture
def opened(small: VmConfig) -> Iterator[VerifiedBootSet]:
    """The small boot set, open and verified."""
    with open_verified(small) as boot:
        yield boot
