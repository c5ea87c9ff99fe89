import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.images.build import build_arch, publish
from bitproof.model.guest_config import GuestConfig
from bitproof.system.files import Directory
from bitproof.system.opened import open_file
from tests.conftest import ARCH, EPOCH, GUEST, ROOT
from tests.images.layouts import CONFIG, config_of, names, states

SECOND_BUILD = """\
import sys
from pathlib import Path
from bitproof.images.build import build_arch
from bitproof.images.config import load_guest_config
from bitproof.system.files import Directory

guest, assets, epoch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Directory(assets, create=True) as directory:
    build_arch(
        load_guest_config(guest / "config"), "x86_64", config_dir=guest / "config", artifacts=guest / "artifacts",
        assets=directory, epoch=epoch, stage=lambda name: sys.stdout.write(name + "\\n"),
    )
"""


def build(tmp_path: Path, config: GuestConfig, *, arch: str = ARCH, epoch: int = EPOCH) -> None:
    """A build that must fail, in a scratch directory of its own."""
    with Directory(tmp_path / "assets", create=True) as assets:
        build_arch(
            config,
            arch,
            config_dir=tmp_path,
            artifacts=tmp_path / "artifacts",
            assets=assets,
            epoch=epoch,
            stage=lambda _: None,
        )


def build_without_init(tmp_path: Path) -> None:
    (tmp_path / "artifacts/init").unlink()
    build(tmp_path, config_of())


FILE_KERNEL = CONFIG.replace(b"package", b"file").replace(b"linux-image-cloud-amd64", b"vmlinuz")


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (lambda tmp: build(tmp, config_of(), arch="arm64"), "the guest config does not know this arch"),
        (
            lambda tmp: build(tmp, config_of(CONFIG.replace(b"x86_64", b"vax")), arch="vax"),
            "images of this arch cannot be built",
        ),
        (lambda tmp: build(tmp, config_of(), epoch=-1), "the time does not fit into an initrd"),
        (lambda tmp: build(tmp, config_of(), epoch=1 << 32), "the time does not fit into an initrd"),
        (lambda tmp: build(tmp, config_of(FILE_KERNEL)), "kernel.file is not usable"),
        (build_without_init, "the guest artifacts are not usable"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(
    tmp_path: Path, artifacts: Path, attempt: Callable[[Path], None], told: str
) -> None:
    assert artifacts.exists()

    with pytest.raises(InputError) as caught:
        attempt(tmp_path)

    assert caught.value.what == told
    assert names(tmp_path / "assets") == []


def test_modules_of_a_given_kernel_are_refused(tmp_path: Path, artifacts: Path) -> None:
    assert artifacts.exists()
    (tmp_path / "vmlinuz").write_bytes(b"a kernel")

    with pytest.raises(InputError) as caught:
        build(tmp_path, config_of(FILE_KERNEL + b'kernel.modules = ["loop"]\n'))

    assert str(caught.value) == (
        "a given kernel.file has no modules to load\n"
        "  where:    arch.x86_64.kernel.modules\n"
        "  fix:      leave kernel.modules out"
    )


def test_a_build_without_network_leaves_the_old_files_and_nothing_else(
    tmp_path: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "assets" / ARCH).mkdir(parents=True)
    (tmp_path / "assets" / ARCH / "vmlinuz").write_bytes(b"old")
    before = states(tmp_path / "assets" / ARCH)
    assert artifacts.exists()

    with pytest.raises(UnavailableError) as caught:
        build(tmp_path, config_of())

    assert caught.value.what == "mmdebstrap failed"
    assert any("/nowhere" in line for line in caught.value.details)
    assert states(tmp_path / "assets" / ARCH) == before
    assert names(scratch) == []


def test_publishing_keeps_equal_files_and_removes_what_an_earlier_build_left(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "rootfs.erofs").write_bytes(b"earlier format")
    (tmp_path / ".initrd-base-old").write_bytes(b"earlier base")
    (tmp_path / ".bitproof-0123456789abcdef.tmp").write_bytes(b"of a build that was killed")
    (tmp_path / "notes").write_bytes(b"the user's")
    (tmp_path / "initrd.img").symlink_to("notes")
    before = states(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/rootfs").write_bytes(b"rootfs" * 1000)
    (tmp_path / "source/vmlinuz").write_bytes(b"kernel")

    with (
        Directory(tmp_path) as directory,
        open_file(tmp_path / "source/rootfs") as rootfs,
        open_file(tmp_path / "source/vmlinuz") as kernel,
    ):
        publish(
            directory,
            {"rootfs.squashfs": rootfs, "vmlinuz": kernel, ".initrd-base-new": b"base", "initrd.img": b"initrd"},
        )
    shutil.rmtree(tmp_path / "source")

    after = states(tmp_path)
    assert after["vmlinuz"] == before["vmlinuz"]
    assert after["notes"] == before["notes"]
    assert {name: data for name, (_, data) in after.items()} == {
        "rootfs.squashfs": b"rootfs" * 1000,
        "vmlinuz": b"kernel",
        ".initrd-base-new": b"base",
        "initrd.img": b"initrd",
        "notes": b"the user's",
    }
    assert not (tmp_path / "initrd.img").is_symlink()


def test_when_one_file_cannot_be_staged_none_is_published(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/vmlinuz").write_bytes(b"old kernel")
    (tmp_path / "assets/rootfs.erofs").write_bytes(b"old rootfs")
    before = states(tmp_path / "assets")
    (tmp_path / "rootfs").write_bytes(b"rootfs")

    with Directory(tmp_path / "assets") as directory, open_file(tmp_path / "rootfs") as rootfs:
        os.truncate(tmp_path / "rootfs", 3)
        with pytest.raises(UnavailableError) as caught:
            publish(directory, {"rootfs.squashfs": rootfs, "vmlinuz": b"new kernel", "initrd.img": b"initrd"})

    assert str(caught.value) == f"the file changed while it was copied\n  where:    {tmp_path}/rootfs"
    assert states(tmp_path / "assets") == before


@pytest.mark.image
def test_the_same_config_gives_the_same_bytes_elsewhere_and_in_another_time_and_tongue(
    built_assets: Path, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    environment = os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "TMPDIR": str(tmp_path / "scratch")}

    done = subprocess.run(
        [sys.executable, "-c", SECOND_BUILD, str(GUEST), "assets", str(EPOCH)],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT / "src")},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    stages = ["kernel packages", "rootfs packages", "rootfs filter", "rootfs squashfs", "rootfs verity"]
    assert sorted(done.stdout.split("\n")) == sorted(
        ["", "driver rootless: mmdebstrap, installed here", *stages, "initrd", "publish"]
    )
    first, second = built_assets / ARCH, tmp_path / "assets" / ARCH
    assert names(first) == names(second)
    visible = [name for name in names(first) if not name.startswith(".")]
    assert visible == ["initrd.img", "inventory.json", "rootfs.squashfs", "sbom.cdx.json", "vmlinuz"]
    assert [name for name in names(first) if (first / name).read_bytes() != (second / name).read_bytes()] == []
    assert all((second / name).stat().st_mode & 0o777 == 0o644 for name in names(second))
    assert names(tmp_path / "scratch") == []
