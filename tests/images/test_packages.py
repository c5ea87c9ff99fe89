import errno
import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import Job, check_programs_run, debian_arch, mmdebstrap, workspace
from bitproof.images.kernel.package import fetch_kernel, unpack_kernel
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource


def job(work: Path, *, mirror: str = "file:///nowhere", package: str = "linux-image-cloud-amd64") -> Job:
    config = ArchConfig(
        arch="x86_64",
        suite="bookworm",
        mirror=mirror,
        kernel=KernelSource(package=package),
        rootfs_format="squashfs",
        rootfs_compression="zstd",
        rootfs_level=1,
    )
    return Job(config=config, epoch=1_700_000_000, work=work, stage=lambda _: None, stopped=lambda: False)


def test_the_arch_keys_have_debian_names() -> None:
    assert [debian_arch(arch) for arch in ("x86_64", "arm64")] == ["amd64", "arm64"]


def test_an_arch_without_a_debian_name_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        debian_arch("vax")

    assert str(caught.value) == (
        "images of this arch cannot be built\n  where:    build.toml\n  expected: x86_64 or arm64\n  found:    vax"
    )


def test_a_machine_runs_programs_of_its_own_arch() -> None:
    check_programs_run("arm64", "aarch64")


def test_a_machine_that_runs_no_programs_of_an_arch_cannot_build_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tester = tmp_path / "arch-test"
    tester.write_text('#!/bin/sh\necho "$1: not supported on this machine/kernel"\nexit 1\n')
    tester.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnavailableError) as caught:
        check_programs_run("arm64", "x86_64")

    assert str(caught.value) == (
        "this machine does not run programs of this arch, so it can build no rootfs for it\n"
        "  where:    arch.arm64\n"
        "  expected: qemu-user-static, registered with the kernel (binfmt_misc), or a machine of arm64\n"
        "  found:    x86_64 programs only\n"
        "  fix:      apt-get install qemu-user-static binfmt-support; update-binfmts --enable qemu-aarch64"
    )


def test_a_full_disk_is_not_taken_for_a_missing_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mmdebstrap"
    program.write_text("#!/bin/sh\necho 'E: Write error - write (28: No space left on device)' >&2\nexit 25\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError) as caught, workspace() as work:
        mmdebstrap(job(work), "minbase", (), work / "tree.tar")
    assert caught.value.fix == "free some disk space, or let TMPDIR name a directory that has more"


def test_a_mirror_that_cannot_be_reached_is_told_in_mmdebstraps_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    with pytest.raises(UnavailableError) as caught, workspace() as work:
        mmdebstrap(job(work), "minbase", (), work / "tree.tar")

    error = caught.value
    assert error.what == "mmdebstrap failed"
    assert error.where == "bookworm amd64 file:///nowhere"
    assert any("/nowhere/dists/bookworm/Release" in line for line in error.details)
    assert error.fix.startswith("check the network, the suite and the mirror")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.image
def test_a_package_that_the_suite_lacks_is_the_configs_fault(tmp_path: Path) -> None:
    (tmp_path / "trees").mkdir()

    with pytest.raises(InputError) as caught:
        fetch_kernel(job(tmp_path, mirror="", package="linux-image-of-nobody"))

    assert str(caught.value) == (
        "the suite does not have these packages\n"
        "  where:    bookworm amd64\n"
        "  - linux-image-of-nobody: no such package\n"
        "  fix:      mend packages/*.toml or kernel.package"
    )


def test_a_run_that_is_to_stop_ends_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    with pytest.raises(UnavailableError, match="mmdebstrap did not end in time"), workspace() as work:
        mmdebstrap(replace(job(work), stopped=lambda: True), "minbase", (), work / "tree.tar")

    assert list(tmp_path.iterdir()) == []


def test_a_mount_that_was_left_behind_is_unmounted_before_anything_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a place").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "a place"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").write_bytes(b"precious")

    with workspace() as work:
        (work / "trees/mounted").mkdir()
        mounted = subprocess.run(
            ["mount", "--bind", str(tmp_path / "host"), str(work / "trees/mounted")], check=False, capture_output=True
        )

    assert mounted.returncode in {0, 1, 32}  # who may not mount has nothing to leave behind
    assert not work.exists()
    assert (tmp_path / "host/precious").read_bytes() == b"precious"


def fail_in(work: Path, error: Exception) -> None:
    (work / "half").write_bytes(b"half")
    raise error


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (tarfile.ReadError("unexpected end of data"), "not a whole tar: unexpected end of data"),
    ],
)
def test_a_scratch_file_that_cannot_be_written_is_no_traceback(error: Exception, found: str) -> None:
    with pytest.raises(UnavailableError) as caught, workspace() as work:
        fail_in(work, error)

    assert caught.value.what == "the scratch files of a build cannot be written or read"
    assert caught.value.found == found
    assert not work.exists()


def kernel_tar(path: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            made = tarfile.TarInfo(name)
            made.size = len(name)
            tar.addfile(made, io.BytesIO(name.encode()))


@pytest.mark.parametrize("prefix", ["./", "./usr/"])
def test_only_the_kernel_its_modules_its_source_and_busybox_are_unpacked(tmp_path: Path, prefix: str) -> None:
    modules = f"{prefix}lib/modules/6.1.0-9-cloud-amd64"
    kernel_tar(
        tmp_path / "kernel.tar",
        "./boot/vmlinuz-6.1.0-9-cloud-amd64",
        "./boot/System.map-6.1.0-9-cloud-amd64",
        f"{prefix}bin/busybox",
        f"{prefix}bin/cat",
        f"{modules}/kernel/fs/overlayfs/overlay.ko.xz",
        f"{modules}/modules.builtin",
        f"{modules}/../../../escape.ko",
        "./usr/src/linux-source-6.1.tar.xz",
        "./usr/src/linux-source-6.1/../../../escape.tar.xz",
    )

    kernels = unpack_kernel(tmp_path / "kernel.tar", tmp_path / "tree")

    assert kernels == {"6.1.0-9-cloud-amd64"}
    found = sorted(
        str(path.relative_to(tmp_path / "tree")) for path in (tmp_path / "tree").rglob("*") if path.is_file()
    )
    assert found == [
        "busybox",
        "lib/modules/6.1.0-9-cloud-amd64/kernel/fs/overlayfs/overlay.ko.xz",
        "lib/modules/6.1.0-9-cloud-amd64/modules.builtin",
        "source.tar.xz",
        "vmlinuz",
    ]
