"""The container driver for real: buildah, on a base image that is made of mmdebstrap's tree, since none is pulled."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bitproof.images.config import load_guest_config
from bitproof.images.debian import Job, mmdebstrap, workspace
from bitproof.system.process import find_program
from tests.conftest import ARCH, EPOCH, GUEST

from .conftest import BINARY, Outcome, spawn, temporaries, tree

pytestmark = [pytest.mark.slow, pytest.mark.image, pytest.mark.xdist_group("image")]

BASE = "localhost/bitproof-test"


@dataclass(frozen=True)
class Images:
    """An image store of its own, which holds the base image, and what makes buildah use it."""

    digest: str
    environment: Mapping[str, str]

    def listed(self, *words: str) -> list[str]:
        return buildah(self.environment, *words).split()


def buildah(environment: Mapping[str, str], *words: str) -> str:
    path = environment.get("PATH", os.environ["PATH"])
    program = shutil.which("buildah", path=path) or find_program("buildah", "buildah")
    done = subprocess.run([program, *words], env={**os.environ, **environment}, check=True, capture_output=True)
    return done.stdout.decode()


ON_A_MOUNT_POINT = """#!/bin/sh
exec unshare --mount --propagation unchanged sh -c '
    mount --rbind / "$0" && exec chroot "$0" env --chdir="$PWD" {program} "$@"' {root} "$@"
"""
"""buildah remounts its root, which fails in a chroot that is no mount point: this gives it one that is."""


def on_a_mount_point(store: Path) -> dict[str, str]:
    """What makes a ``buildah`` of PATH that runs in a chroot too; nothing where there is no need."""
    mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    if any(line.split()[4] == "/" for line in mounts):
        return {}
    wrapper, root = store / "bin" / "buildah", store / "root"
    wrapper.parent.mkdir()
    root.mkdir()
    wrapper.write_text(ON_A_MOUNT_POINT.format(program=find_program("buildah", "buildah"), root=root))
    wrapper.chmod(0o755)
    return {"PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    store = tmp_path_factory.mktemp("containers")
    conf = f'[storage]\ndriver = "vfs"\ngraphroot = "{store}/graph"\nrunroot = "{store}/run"\n'
    (store / "storage.conf").write_text(conf)
    environment = {"CONTAINERS_STORAGE_CONF": str(store / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}
    environment |= on_a_mount_point(store)
    packed = store / "base.tar"
    config = load_guest_config(GUEST / "config").arch(ARCH)
    with workspace() as work:
        job = Job(config=config, epoch=EPOCH, work=work, stage=lambda _: None, stopped=lambda: False)
        mmdebstrap(job, "minbase", (), packed)
    container = buildah(environment, "from", "scratch").strip()
    buildah(environment, "add", container, str(packed), "/")
    buildah(environment, "commit", container, BASE)
    buildah(environment, "rm", container)
    packed.unlink()
    digest = buildah(environment, "images", "--format={{.Digest}}", BASE).strip()
    yield Images(digest, environment)
    shutil.rmtree(store)


@pytest.fixture
def guest(tmp_path: Path, images: Images) -> Path:
    """A project with the example's guest, whose config names the base image by its digest."""
    shutil.copytree(GUEST, tmp_path / "guest")
    with (tmp_path / "guest" / "config" / "build.toml").open("a") as config:
        config.write(f'container = {{ image = "{BASE}@{images.digest}" }}\n')
    return tmp_path


def bitproof(directory: Path, images: Images, *words: str) -> Outcome:
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), **images.environment}
    with spawn(*words, cwd=directory, environment=environment) as child:
        out, err = child.communicate(timeout=900)
    return Outcome(child.returncode, out, err)


def build(directory: Path, images: Images, *words: str) -> Outcome:
    return bitproof(directory, images, "assets", "build", "--driver", "container", "--binary-version", BINARY, *words)


def test_a_containers_image_boots_is_the_same_twice_and_can_be_locked(guest: Path, images: Images) -> None:
    done = build(guest, images, "-v")

    assert done.code == 0, done.err
    assert done.err.startswith("driver container: buildah, as asked\n")
    before = tree(guest / "assets")
    inventory = json.loads(before[f"{ARCH}/inventory.json"])["arches"][ARCH]
    assert inventory["base"] == f"{BASE}@{images.digest}"
    digests = {package["name"]: "sha256" in package for package in inventory["rootfs"]}
    assert (digests["procps"], digests["libc6"]) == (True, False)
    assert bitproof(guest, images, "assets", "lock").code == 0
    again = build(guest, images, "--locked")
    assert again.code == 0, again.err
    assert {name: data for name, data in tree(guest / "assets").items() if "digests" not in name} == {
        name: data for name, data in before.items() if "digests" not in name
    }
    doctor = bitproof(guest, images, "vm", "doctor", "--assets", "assets", "--timeout", "300")
    assert doctor.code == 0, doctor.out + doctor.err
    assert images.listed("images", "--noheading", "--format={{.Name}}") == [BASE]
    assert images.listed("containers", "--all", "--noheading", "--format={{.ContainerName}}") == []


def test_kernel_and_initrd_are_those_of_the_rootless_driver(guest: Path, images: Images, built_assets: Path) -> None:
    done = build(guest, images)

    assert done.code == 0, done.err
    for name in ("vmlinuz", "initrd.img"):
        assert (guest / "assets" / ARCH / name).read_bytes() == (built_assets / ARCH / name).read_bytes()


def test_a_package_that_the_suite_lacks_is_named(guest: Path, images: Images) -> None:
    (guest / "guest" / "config" / "packages" / "more.toml").write_text('packages = ["no-such-package"]\n')

    done = build(guest, images)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the suite does not have these packages\n"
        "  where:    bookworm amd64\n"
        "  - no-such-package: no such package\n"
        "  fix:      mend packages/*.toml or kernel.package\n"
    )


def test_an_interrupted_build_leaves_no_container_and_no_image(guest: Path, images: Images) -> None:
    scratch = guest / "scratch"
    scratch.mkdir()
    words = ("-v", "assets", "build", "--driver", "container", "--binary-version", BINARY)
    environment = {**images.environment, "TMPDIR": str(scratch)}
    with spawn(*words, cwd=guest, environment=environment) as child:
        try:
            while not images.listed("containers", "--all", "--noheading", "--format={{.ContainerName}}"):
                assert child.poll() is None
        finally:
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=60)

    assert (child.returncode, err.endswith("error: interrupted\n")) == (130, True)
    assert images.listed("containers", "--all", "--noheading", "--format={{.ContainerName}}") == []
    assert images.listed("images", "--noheading", "--format={{.Name}}") == [BASE]
    assert list(scratch.iterdir()) == []
    assert temporaries(guest) == []
    assert not (guest / "assets" / ARCH).exists()
