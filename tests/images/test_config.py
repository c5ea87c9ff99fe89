import os
from pathlib import Path

import pytest

from bitproof.errors import InputError
from bitproof.images.config import Artifacts, load_guest_config, open_kernel, read_artifacts

BUILD = """\
compression = "zstd"
level = 1
[arch.x86_64]
suite = "bookworm"
kernel.package = "linux-image-cloud-amd64"
rootfs.format = "squashfs"
"""


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A directory with everything that may be in it."""
    directory = tmp_path / "artifacts"
    (directory / "bin").mkdir(parents=True)
    (directory / "rootfs/etc").mkdir(parents=True)
    (directory / "init").write_bytes(b"#!/bin/busybox sh\n")
    (directory / "bin/tool").write_bytes(b"tool")
    (directory / "rootfs/etc/motd").write_bytes(b"hello\n")
    (directory / "rootfs/etc/motd").chmod(0o640)
    (directory / "rootfs/etc/run").write_bytes(b"run")
    (directory / "rootfs/etc/run").chmod(0o700)
    (directory / "rootfs/etc/link").symlink_to("motd")
    return directory


def test_every_toml_file_of_the_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "build.toml").write_text(BUILD)
    (tmp_path / "packages/a.toml").write_text('packages = ["less"]')
    (tmp_path / "vmlinuz").write_bytes(b"a kernel")

    config = load_guest_config(tmp_path)

    assert config.packages == ("less",)
    assert config.arch("x86_64").suite == "bookworm"


def test_problems_of_every_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "build.toml").write_text(BUILD.replace('"zstd"', '"zip"'))
    (tmp_path / "packages/a.toml").write_text('package = ["less"]')

    with pytest.raises(InputError) as caught:
        load_guest_config(tmp_path)

    assert str(caught.value) == (
        "the guest config is not usable\n"
        f"  where:    {tmp_path}\n"
        "  - build.toml: compression: not a known value: expected zstd or xz or gzip, found 'zip'\n"
        "  - packages/a.toml: package: not a known key: expected 'packages'\n"
        "  fix:      mend these; nothing was built"
    )


def test_a_missing_config_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_guest_config(tmp_path / "none")

    assert str(caught.value) == (
        f"there is no guest config\n  where:    {tmp_path}/none\n  expected: a directory with build.toml"
    )


def test_a_config_file_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(BUILD)
    (tmp_path / "build.toml").symlink_to("elsewhere")

    with pytest.raises(InputError) as caught:
        load_guest_config(tmp_path)

    assert str(caught.value) == (
        f"the config file is a symlink\n  where:    {tmp_path}/build.toml\n  expected: a regular file"
    )


def test_the_artifacts_of_the_initrd_are_read_and_those_of_the_rootfs_listed(artifacts: Path) -> None:
    read = read_artifacts(artifacts)

    assert read.init == b"#!/bin/busybox sh\n"
    assert read.programs == (("tool", b"tool"),)
    assert [(entry.path, oct(entry.mode), entry.link) for entry in read.overlay] == [
        ("etc", "0o40755", ""),
        ("etc/link", "0o120777", "motd"),
        ("etc/motd", "0o100644", ""),
        ("etc/run", "0o100755", ""),
    ]


def test_an_init_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "init").write_bytes(b"init")

    assert read_artifacts(tmp_path) == Artifacts(b"init", (), ())


def test_all_that_has_no_place_is_told_at_once(artifacts: Path) -> None:
    (artifacts / "init").unlink()
    (artifacts / "README").write_bytes(b"text")
    (artifacts / "bin/more").mkdir()
    (artifacts / "bin/empty").touch()
    (artifacts / "bin/link").symlink_to("tool")
    os.mkfifo(artifacts / "rootfs/etc/pipe")

    with pytest.raises(InputError) as caught:
        read_artifacts(artifacts)

    assert str(caught.value) == (
        "the guest artifacts are not usable\n"
        f"  where:    {artifacts}\n"
        "  - README: has no place in an image: expected init, bin/ or rootfs/\n"
        "  - init: missing: expected the program that the kernel starts\n"
        "  - bin/empty: not usable: expected 1 to 268435456 bytes, found 0 bytes\n"
        "  - bin/link: not a regular file: found a symlink\n"
        "  - bin/more: not a regular file: found a directory\n"
        "  - rootfs/etc/pipe: has no place in an image: found a device, FIFO or socket\n"
        "  fix:      mend these; nothing was built"
    )


def test_bin_and_rootfs_must_be_directories(tmp_path: Path) -> None:
    (tmp_path / "init").symlink_to("bin")
    (tmp_path / "bin").write_bytes(b"text")
    (tmp_path / "rootfs").symlink_to("/etc")

    with pytest.raises(InputError) as caught:
        read_artifacts(tmp_path)

    assert [str(problem) for problem in caught.value.problems] == [
        "init: not a regular file: found a symlink",
        "bin: not a directory: found a file",
        "rootfs: not a directory: found a symlink",
    ]


def test_missing_artifacts_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_artifacts(tmp_path / "none")

    assert str(caught.value) == (
        "there are no guest artifacts\n"
        f"  where:    {tmp_path}/none\n"
        "  expected: a directory with init, bin/ and rootfs/"
    )


def test_a_given_kernel_is_opened_below_the_config(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/vmlinuz").write_bytes(b"a kernel")

    with open_kernel(tmp_path, "kernels/vmlinuz") as kernel:
        assert kernel.read(100) == b"a kernel"


@pytest.mark.parametrize(
    ("file", "where", "found"),
    [("none", "none", "nothing"), ("link/vmlinuz", "link", "a symlink"), ("kernels/link", "kernels/link", "a symlink")],
)
def test_a_given_kernel_behind_a_symlink_or_missing_is_refused(
    tmp_path: Path, file: str, where: str, found: str
) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/vmlinuz").write_bytes(b"a kernel")
    (tmp_path / "kernels/link").symlink_to("vmlinuz")
    (tmp_path / "link").symlink_to("kernels")

    with pytest.raises(InputError) as caught:
        open_kernel(tmp_path, file)

    assert str(caught.value) == (
        "kernel.file is not usable\n"
        f"  where:    {tmp_path}/{where}\n"
        "  expected: a file in the config directory\n"
        f"  found:    {found}"
    )
