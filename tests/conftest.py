"""Fixtures of more than one room: small file systems, and an image that all processes of a test run share."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bitproof.images.build import build_arch
from bitproof.images.config import load_guest_config
from bitproof.system.files import Directory
from tests.evidence import names_in

ROOT = Path(__file__).resolve().parent.parent
GUEST = ROOT / "examples" / "microvm" / "guest"
ARCH = "x86_64"
EPOCH = 1_700_000_000

Mount = Callable[[str], Path]


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all worker processes of this test run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def built_assets(shared_directory: Path) -> Path:
    """The dev layout of the example's image, without a manifest: whoever changes it makes a copy first.

    The first process that asks builds it; the others wait for its lock. Half a minute, with network.
    """
    assets = shared_directory / "built-assets"
    done = shared_directory / "built-assets.done"
    with (shared_directory / "built-assets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            config = load_guest_config(GUEST / "config")
            with Directory(assets, create=True) as directory:
                build_arch(
                    config,
                    ARCH,
                    config_dir=GUEST / "config",
                    artifacts=GUEST / "artifacts",
                    assets=directory,
                    epoch=EPOCH,
                    stage=lambda _: None,
                )
            done.touch()
    return assets


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small tmpfs with options such as ``size=64k``; gone after the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    with ExitStack() as stack:

        def mount(options: str) -> Path:
            place = tmp_path / f"tmpfs-{len(names_in(tmp_path))}"
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
            stack.callback(lambda: subprocess.run(["umount", place], check=True))
            return place

        yield mount
