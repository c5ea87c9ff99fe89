import os
import subprocess
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.images.debian import Job
from bitproof.images.rootfs.pack import check_packer, pack_rootfs
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource
from tests.images.trees import DEBIAN, EPOCH, TMP, filtered


def job(work: Path, form: str, compression: str, level: int) -> Job:
    """A job in a directory of its own."""
    config = ArchConfig(
        arch="x86_64",
        suite="bookworm",
        kernel=KernelSource(package="linux-image-cloud-amd64"),
        rootfs_format=form,
        rootfs_compression=compression,
        rootfs_level=level,
    )
    work.mkdir()
    return Job(config=config, epoch=EPOCH, work=work, stage=lambda _: None, stopped=lambda: False)


@pytest.mark.parametrize(
    ("form", "compression", "level"),
    [
        ("squashfs", "zstd", 1),
        ("squashfs", "xz", 1),
        ("squashfs", "gzip", 1),
        ("erofs", "lz4hc", 9),
        ("erofs", "lz4", 0),
    ],
)
def test_an_image_packed_twice_is_the_same(tmp_path: Path, form: str, compression: str, level: int) -> None:
    tree = DEBIAN | {f"usr/bin/{number}": (0o100755, os.urandom(300) * 50) for number in range(40)}
    packed = filtered(tmp_path, tree, etc__su="usr/bin/su")

    first = pack_rootfs(job(tmp_path / "one", form, compression, level), packed)
    second = pack_rootfs(job(tmp_path / "another", form, compression, level), packed)

    assert first.name == f"rootfs.{form}"
    assert first.read_bytes() == second.read_bytes()


def test_unsquashfs_reads_owners_modes_and_times_back(tmp_path: Path) -> None:
    image = pack_rootfs(job(tmp_path / "work", "squashfs", "zstd", 1), filtered(tmp_path, DEBIAN))

    done = subprocess.run(
        ["unsquashfs", "-UTC", "-lln", str(image)],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )

    lines = {
        line.split("squashfs-root", 1)[1]: line.split() for line in done.stdout.splitlines() if "squashfs-root" in line
    }
    assert lines["/usr/bin/su"][:5] == ["-rwxr-xr-x", "0/0", "2", "2023-11-14", "22:13"]
    assert lines[f"/{TMP}"][0] == "drwxrwxrwt"
    assert {"/proc", "/sys", "/dev", "/run", f"/{TMP}"} <= set(lines)


def test_fsck_finds_an_erofs_image_sound(tmp_path: Path) -> None:
    image = pack_rootfs(job(tmp_path / "work", "erofs", "lz4hc", 9), filtered(tmp_path, DEBIAN))

    done = subprocess.run(["fsck.erofs", str(image)], capture_output=True, check=False, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_codec_that_mkfs_erofs_lacks_is_told_before_anything_is_built(tmp_path: Path) -> None:
    wanted = job(tmp_path / "work", "erofs", "deflated", 1)

    with pytest.raises(UnavailableError) as caught:
        check_packer(wanted.config, wanted.work)

    error = caught.value
    assert error.what == "this mkfs.erofs cannot compress with deflated"
    assert error.where == "arch.x86_64.rootfs.compression"
    assert error.fix == "set lz4hc or lz4; zstd needs erofs-utils 1.8 or newer"


@pytest.mark.parametrize(("form", "compression", "level"), [("squashfs", "zstd", 1), ("erofs", "lz4hc", 12)])
def test_a_codec_that_there_is_passes(tmp_path: Path, form: str, compression: str, level: int) -> None:
    wanted = job(tmp_path / "work", form, compression, level)

    check_packer(wanted.config, wanted.work)
