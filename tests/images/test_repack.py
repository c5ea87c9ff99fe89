import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.images.config import load_guest_config
from bitproof.images.initrd import compress
from bitproof.images.initrd import image as initrd
from bitproof.images.repack import repack_arch
from bitproof.model.guest_config import COMPRESSIONS, GuestConfig
from bitproof.system.files import Directory
from tests.conftest import ARCH, EPOCH, GUEST
from tests.images.layouts import config_of, states


@pytest.fixture
def built(built_assets: Path, tmp_path: Path) -> Path:
    """A copy of a built dev layout, to be changed."""
    return Path(shutil.copytree(built_assets, tmp_path / "assets"))


def repack(assets: Path, artifacts: Path, config: GuestConfig | None = None, epoch: int | None = None) -> bool:
    with Directory(assets) as directory:
        return repack_arch(config or config_of(), ARCH, artifacts=artifacts, assets=directory, epoch=epoch)


@pytest.mark.image
def test_a_repack_of_what_did_not_change_writes_nothing(built: Path) -> None:
    before = states(built / ARCH)

    changed = repack(built, GUEST / "artifacts", load_guest_config(GUEST / "config"))

    assert not changed
    assert states(built / ARCH) == before


@pytest.mark.image
def test_a_repack_touches_only_the_initrd_and_never_its_old_inode(built: Path, artifacts: Path) -> None:
    before = states(built / ARCH)
    (built / ARCH / "initrd.img").chmod(0o640)
    (artifacts / "bin").mkdir()
    (artifacts / "bin/tool").write_bytes(b"#!/bin/sh\n")

    with (built / ARCH / "initrd.img").open("rb") as booting:
        changed = repack(built, artifacts)
        old_bytes = booting.read()
    after = states(built / ARCH)

    assert changed
    assert old_bytes == before["initrd.img"][1]
    assert {name for name in before if before[name] != after[name]} == {"initrd.img"}
    assert after.keys() == before.keys()
    assert after["initrd.img"][0] != before["initrd.img"][0]
    assert (built / ARCH / "initrd.img").stat().st_mode & 0o777 == 0o640

    assert not repack(built, artifacts)
    assert states(built / ARCH) == after


@pytest.mark.image
def test_a_repack_takes_the_time_that_is_given_else_that_of_the_build(built: Path, artifacts: Path) -> None:
    repack(built, artifacts, epoch=EPOCH)
    explicit = (built / ARCH / "initrd.img").read_bytes()

    assert not repack(built, artifacts)
    assert repack(built, artifacts, epoch=1)
    assert (built / ARCH / "initrd.img").read_bytes() != explicit
    with pytest.raises(InputError, match="the time does not fit into an initrd"):
        repack(built, artifacts, epoch=-1)


@pytest.mark.image
def test_a_repack_from_a_damaged_base_is_refused_and_the_initrd_stays(built: Path, artifacts: Path) -> None:
    (base,) = (built / ARCH).glob(".initrd-base-*")
    base.write_bytes(base.read_bytes()[:-1] + b"\1")
    before = states(built / ARCH)

    with pytest.raises(IntegrityError) as caught:
        repack(built, artifacts)

    assert caught.value.expected == f"blake3:{base.name.removeprefix('.initrd-base-')}"
    assert caught.value.fix == "bitproof assets build"
    assert states(built / ARCH) == before


def test_a_repack_of_what_was_never_built_says_what_to_do(tmp_path: Path, artifacts: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        repack(tmp_path, artifacts)

    assert str(caught.value) == (
        "there is no initrd to repack\n"
        f"  where:    {tmp_path}/{ARCH}\n"
        "  found:    nothing\n"
        f"  fix:      bitproof assets build --arch {ARCH}"
    )


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_repack_checks_the_artifacts_first(tmp_path: Path, artifacts: Path, spoil: Callable[[Path], None]) -> None:
    spoil(artifacts / "init")

    with pytest.raises(BitproofError, match="the guest artifacts are not usable"):
        repack(tmp_path, artifacts)


@pytest.mark.image
@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_both_parts_of_the_initrd_unpack_in_a_real_kernel(built: Path, artifacts: Path, codec: str) -> None:
    directory = built / ARCH
    (base,) = directory.glob(".initrd-base-*")
    recoded = compress.segment(compress.unpacked(base.read_bytes(), 1 << 30), codec, 1)
    base.unlink()
    (directory / initrd.base_name(recoded)).write_bytes(recoded)
    repack(built, artifacts, replace(config_of(), compression=codec, environment=(("GREETING", "it's here"),)))

    done = subprocess.run(
        [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-m", "512", "-nodefaults", "-no-user-config"),
            *("-nographic", "-no-reboot", "-serial", "stdio", "-append", "console=ttyS0 panic=-1 quiet"),
            *("-kernel", str(directory / "vmlinuz"), "-initrd", str(directory / "initrd.img")),
            *("-drive", f"file={directory / 'rootfs.squashfs'},if=virtio,readonly=on,format=raw"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert b"mounted bitproof it's here" in done.stdout, done.stdout[-2000:]
