"""The whole way through the command line, with a real image."""

import json
import shutil
import signal
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bitproof import pipeline
from bitproof.model.inventory import Lock, read_lock
from bitproof.system.opened import ignore
from tests.conftest import ARCH, EPOCH, GUEST

from .conftest import BINARY, SCRIPT, Outcome, spawn, temporaries, tree

pytestmark = [pytest.mark.image, pytest.mark.xdist_group("image")]

FILES = ("B3SUMS", "manifest.json", f"{ARCH}/initrd.img", f"{ARCH}/rootfs.squashfs", f"{ARCH}/vmlinuz")


def bitproof(directory: Path, *words: str, umask: int = 0o022, **environment: str) -> Outcome:
    with spawn(
        *words, cwd=directory, umask=umask, environment={"SOURCE_DATE_EPOCH": str(EPOCH), **environment}
    ) as child:
        out, err = child.communicate(timeout=600)
    return Outcome(child.returncode, out, err)


@pytest.fixture
def recorded(built_assets: Path, tmp_path: Path) -> Path:
    """A project with the example's guest, the image that was built from it, and its manifest."""
    project = tmp_path / "project"
    shutil.copytree(GUEST, project / "guest")
    shutil.copytree(built_assets, project / "assets")
    done = bitproof(project, "assets", "manifest", "--binary-version", BINARY)
    assert (done.code, done.err) == (0, "")
    return project


def read_manifest(project: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((project / "assets" / "manifest.json").read_text())


def check_sums(project: Path) -> None:
    subprocess.run(["b3sum", "--check", "B3SUMS"], cwd=project / "assets", check=True, capture_output=True)


def test_two_builds_in_two_directories_give_the_same_bytes(recorded: Path, tmp_path: Path) -> None:
    other = tmp_path / "quite" / "another place"
    shutil.copytree(GUEST, other / "guest")

    done = bitproof(
        other, "assets", "build", "--binary-version", BINARY, umask=0o077, TZ="Pacific/Kiritimati", LC_ALL="C"
    )

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("assets/manifest.json: assets 2023.1114.1\n")
    differing = [
        name for name in FILES if (recorded / "assets" / name).read_bytes() != (other / "assets" / name).read_bytes()
    ]
    assert differing == []
    check_sums(other)


def test_a_locked_build_refuses_another_version_of_one_package_and_leaves_the_old_image(recorded: Path) -> None:
    assert bitproof(recorded, "assets", "lock").code == 0
    lock = recorded / "guest" / "config" / "packages.lock"
    locked = read_lock(lock.read_bytes(), "the lock").arch(ARCH, "the lock")
    procps = next(package for package in locked.rootfs if package.name == "procps")
    older = [replace(package, version="2:3.3") if package is procps else package for package in locked.rootfs]
    lock.write_bytes(Lock((replace(locked, rootfs=tuple(older)),)).to_bytes())
    before = tree(recorded)

    done = bitproof(recorded, "assets", "build", "--locked")

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: the packages are not the locked ones, so nothing was published\n"
        f"  where:    guest/config/packages.lock: {ARCH}\n"
        f"  - rootfs: procps (amd64): another version: expected 2:3.3, found {procps.version}\n"
        "  fix:      to take these: build without --locked, then bitproof assets lock; to keep the locked ones: let "
        "arch.*.mirror name a mirror that still has them, such as a snapshot\n"
    )
    assert tree(recorded) == before


def test_the_documents_beside_an_image_say_what_it_is_made_of(recorded: Path) -> None:
    assets = recorded / "assets" / ARCH
    sbom = (assets / "sbom.cdx.json").read_text()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None
    inventory = read_lock((assets / "inventory.json").read_bytes(), "x").arch(ARCH, "x")
    assert {"apt", "ca-certificates", "iproute2", "procps"} <= {package.name for package in inventory.rootfs}
    assert {"busybox-static", "linux-image-cloud-amd64"} < {package.name for package in inventory.kernel}
    assert all(package.sha256 and package.suite for _, packages in inventory.parts() for package in packages)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_build_and_leaves_the_old_image_as_it_was(
    recorded: Path, tmp_path: Path, number: signal.Signals
) -> None:
    before = tree(recorded)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with spawn("-v", "assets", "build", cwd=recorded, environment={"TMPDIR": str(scratch)}) as child:
        assert child.stderr is not None
        while child.stderr.readline() != "rootfs packages\n":
            assert child.poll() is None
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert err.endswith("error: interrupted\n")
    assert list(scratch.iterdir()) == []
    assert tree(recorded) == before
    assert temporaries(recorded) == []


def test_a_guest_reads_nothing_when_standard_input_is_closed(recorded: Path) -> None:
    command = f"{SCRIPT} vm boot --assets assets --timeout 300 -- wc -c <&-"
    done = subprocess.run(["sh", "-c", command], cwd=recorded, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_repack_gets_a_new_version_with_the_old_kernel_and_rootfs(recorded: Path) -> None:
    before = read_manifest(recorded)["assets"]["releases"]["2023.1114.1"]
    unchanged = bitproof(recorded, "assets", "repack")
    assert (unchanged.code, unchanged.out, unchanged.err) == (0, f"assets/{ARCH}/initrd.img: unchanged\n", "")
    with (recorded / "guest" / "artifacts" / "init").open("a") as init:
        init.write("# changed\n")

    repacked = bitproof(recorded, "assets", "repack")
    again = bitproof(recorded, "assets", "repack", "--json")
    done = bitproof(recorded, "assets", "manifest", "--json")

    assert (repacked.code, repacked.out) == (0, f"assets/{ARCH}/initrd.img: repacked\n")
    assert repacked.err == "to record it: bitproof assets manifest\n"
    assert again.document == {"ok": True, "changed": {ARCH: False}}
    assert (done.document["asset_version"], done.document["changed"]) == ("2023.1114.2", True)
    releases = read_manifest(recorded)["assets"]["releases"]
    assert releases["2023.1114.1"] == before
    old, new = before["arches"][ARCH], releases["2023.1114.2"]["arches"][ARCH]
    assert [name for name in new if new[name] != old[name]] == ["initrd.img"]
    check_sums(recorded)
    assert bitproof(recorded, "assets", "check").code == 0


def test_the_daily_repack_gives_a_fresh_pin_to_the_initrd_only(recorded: Path) -> None:
    kernel = recorded / "assets" / ARCH / "vmlinuz"
    rotten = bytearray(kernel.read_bytes())
    rotten[-1] ^= 1
    kernel.write_bytes(rotten)
    with (recorded / "guest" / "artifacts" / "init").open("a") as init:
        init.write("# changed\n")
    before = read_manifest(recorded)["assets"]["releases"]["2023.1114.1"]["arches"][ARCH]

    pipeline.refresh(
        pipeline.Project(
            assets=recorded / "assets",
            config=recorded / "guest" / "config",
            artifacts=recorded / "guest" / "artifacts",
            binary_version=None,
            min_binary=None,
            environ={"SOURCE_DATE_EPOCH": str(EPOCH)},
        ),
        ARCH,
        pipeline.Reporters(stage=lambda _: None, bytes=lambda _, __: nullcontext(ignore)),
    )

    new = read_manifest(recorded)["assets"]["releases"]["2023.1114.2"]["arches"][ARCH]
    assert [name for name in new if new[name] != before[name]] == ["initrd.img"]
    done = bitproof(recorded, "assets", "verify", "--assets", "assets")
    assert (done.code, done.err) == (1, "2 ok, 1 drifted\n")


def test_vm_shell_signs_what_it_recorded_with_the_developers_key(recorded: Path, tmp_path: Path) -> None:
    home = tmp_path / "product"
    environment: dict[str, Any] = {"BITPROOF_HOME": str(home), "BITPROOF_ACCEL": "tcg"}
    (recorded / "guest/artifacts/bin/fresh").write_text("#!/bin/sh\n")

    done = bitproof(recorded, "-v", "vm", "shell", "true", **environment)

    assert done.code == 0, done.err
    key = home / "keys/developer.pub"
    assert "the developer's key" in done.err
    assert bitproof(recorded, "trust", "verify", "--key", str(key)).code == 0
    assert bitproof(recorded, "assets", "resolve", "--assets", "assets", "--require-signature", str(key)).code == 0
    before = (recorded / "assets/manifest.json.minisig").read_bytes()
    assert "signed already" in bitproof(recorded, "-v", "vm", "shell", "true", **environment).err
    assert (recorded / "assets/manifest.json.minisig").read_bytes() == before


def test_vm_shell_boots_unsigned_where_no_key_can_be_made(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = bitproof(recorded, "vm", "shell", "true", BITPROOF_HOME=str(tmp_path / "file"), BITPROOF_ACCEL="tcg")
    assert done.code == 0, done.err
    assert done.err.startswith("warning: assets/manifest.json is not signed: the directory of the public key")
    assert not (recorded / "assets/manifest.json.minisig").exists()
