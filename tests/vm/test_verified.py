import os
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.images.rootfs.verity import append_tree
from bitproof.model.asset_manifest import BootPins, PinnedFile
from bitproof.model.hash_tree import find_verity
from bitproof.system import lock, process
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import open_file
from bitproof.vm.launch import launch
from bitproof.vm.verified import VmConfig, open_unverified, open_verified


def flip(path: Path) -> None:
    """One byte of a file turned over, size and times put back."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def digest(path: Path) -> str:
    with open_file(path) as file:
        return str(blake3_digest(file))


def pins(config: VmConfig) -> BootPins:
    assert config.pins is not None
    return config.pins


def test_every_broken_limit_is_named_before_any_file_is_read() -> None:
    nowhere = Path("/nowhere")
    with pytest.raises(InputError) as caught:
        VmConfig(
            kernel=nowhere,
            initrd=nowhere,
            rootfs=nowhere,
            arch="riscv64",
            cpus=65,
            memory=127,
            append="a\nb" + "c" * 1022,
        )
    assert str(caught.value) == (
        "this VM cannot be made\n"
        "  - arch: cannot boot: expected x86_64 or arm64, found riscv64\n"
        "  - cpus: out of range: expected 1 to 64, found 65\n"
        "  - memory: out of range: expected 128 to 1048576, found 127\n"
        "  - append: too long: expected at most 1024 characters, found 1025\n"
        f"  - append: not printable ASCII: found 'a\\nb{'c' * 74}…"
    )


@pytest.mark.parametrize(("cpus", "memory"), [(1, 128), (64, 1 << 20)])
def test_the_limits_themselves_are_allowed(cpus: int, memory: int) -> None:
    nowhere = Path("/nowhere")
    VmConfig(kernel=nowhere, initrd=nowhere, rootfs=nowhere, arch="arm64", cpus=cpus, memory=memory)


@pytest.mark.parametrize(("cpus", "memory"), [(0, 512), (True, 512), (2, (1 << 20) + 1)])
def test_a_value_beside_the_limits_is_refused(cpus: int, memory: int) -> None:
    nowhere = Path("/nowhere")
    with pytest.raises(InputError, match="this VM cannot be made"):
        VmConfig(kernel=nowhere, initrd=nowhere, rootfs=nowhere, arch="arm64", cpus=cpus, memory=memory)


def test_the_pinned_files_open(small: VmConfig) -> None:
    hashed: list[int] = []
    with open_verified(small, hashed.append) as boot:
        assert os.pread(boot.kernel, 7, 0) == b"vmlinuz"
        assert os.pread(boot.initrd, 10, 0) == b"initrd.img"
        assert os.pread(boot.rootfs, 15, 0) == b"rootfs.squashfs"
    assert sum(hashed) == sum(path.stat().st_size for path in (small.kernel, small.initrd, small.rootfs))


def test_without_pins_nothing_opens(small: VmConfig) -> None:
    with pytest.raises(InputError) as caught, open_verified(replace(small, pins=None)):
        pass
    assert str(caught.value) == (
        "no expected digests: what is not pinned is not booted\n"
        f"  where:    {small.kernel}\n"
        "  fix:      boot what a manifest lists, give --pins FILE (from `bitproof assets hashes`), or say --unverified"
    )


@pytest.mark.parametrize("what", ["kernel", "initrd", "rootfs"])
def test_a_flipped_byte_with_size_and_times_restored_is_refused_before_qemu_is_looked_for(
    small: VmConfig, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", "/nowhere")
    path: Path = getattr(small, what)
    pin: PinnedFile = getattr(pins(small), what)
    flip(path)
    with pytest.raises(IntegrityError) as caught, open_verified(small) as boot:
        launch(boot, command=["true"])
    assert str(caught.value) == (
        "the boot set is not the pinned one; nothing was started\n"
        "  expected: the digests of assets/manifest.json\n"
        f"  - {path}: the {what} differs ({pin.size} bytes as pinned: bit rot, or changed since the manifest was made):"
        f" expected {pin.digest}, found {digest(path)}\n"
        "  fix:      `bitproof assets manifest` if the change is wanted, else `bitproof assets build`"
    )
    flip(path)
    with pytest.raises(UnavailableError) as missing, open_verified(small) as boot:
        launch(boot, command=["true"])
    assert str(missing.value) == (
        "the program qemu-system-x86_64 is not installed\n  fix:      apt-get install qemu-system-x86"
    )


def test_all_three_mismatches_are_told_at_once_with_their_likely_causes(small: VmConfig) -> None:
    os.truncate(small.kernel, 100)
    small.initrd.write_bytes(small.initrd.read_bytes() + b"more")
    flip(small.rootfs)
    with pytest.raises(IntegrityError) as caught, open_verified(small):
        pass
    since = "since the manifest was made"
    assert [problem.what for problem in caught.value.problems] == [
        f"the kernel differs (100 bytes, pinned 35000: truncated, or repacked {since})",
        f"the initrd differs (30004 bytes, pinned 30000: repacked {since})",
        f"the rootfs differs (30000000 bytes as pinned: bit rot, or changed {since})",
    ]


def test_pins_without_a_size_say_so_and_an_installed_file_is_mended_by_install(small: VmConfig, tmp_path: Path) -> None:
    installed = tmp_path / f"rootfs-{pins(small).rootfs.digest.hash16}.squashfs"
    installed.write_bytes(b"other")
    rootfs = PinnedFile("rootfs.squashfs", pins(small).rootfs.digest)
    pinned = BootPins(pins(small).kernel, pins(small).initrd, rootfs, "store/manifest.json")
    with pytest.raises(IntegrityError) as caught, open_verified(replace(small, rootfs=installed, pins=pinned)):
        pass
    assert "the rootfs differs (the pins name no size; it was changed or repacked since they were made)" in str(
        caught.value
    )
    assert caught.value.fix == "`bitproof assets install` puts the pinned files back from a good assets directory"


def test_what_differs_from_a_file_of_pins_is_not_mended_by_a_manifest(small: VmConfig) -> None:
    kernel, initrd, rootfs, _ = pins(small)
    flip(small.initrd)
    pinned = replace(small, pins=BootPins(kernel, initrd, rootfs, "pins.json"))
    with pytest.raises(IntegrityError) as caught, open_verified(pinned):
        pass
    assert caught.value.expected == "the digests of pins.json"
    assert caught.value.fix == (
        "boot the release that was pinned; or pin this one: `bitproof assets hashes --format json`"
    )


def test_a_missing_file_is_not_a_mismatch(small: VmConfig) -> None:
    small.initrd.unlink()
    with pytest.raises(UnavailableError) as caught, open_verified(small):
        pass
    assert str(caught.value) == (
        "the initrd cannot be opened\n"
        f"  where:    {small.initrd}\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_a_symlink_is_refused(small: VmConfig, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(small.kernel)
    with pytest.raises(InputError, match="the kernel is a symlink"), open_verified(replace(small, kernel=link)):
        pass


def test_kernel_and_initrd_cannot_change_after_they_were_hashed(small: VmConfig) -> None:
    with open_verified(small) as boot:
        flip(small.kernel)
        assert os.pread(boot.kernel, 7, 0) == b"vmlinuz"
        for fd in (boot.kernel, boot.initrd):
            with pytest.raises(OSError, match="Operation not permitted"):
                os.pwrite(fd, b"x", 0)
            with pytest.raises(OSError, match="Operation not permitted"):
                os.ftruncate(fd, 0)


def test_open_files_are_in_use_until_the_block_ends(small: VmConfig) -> None:
    paths = (small.kernel, small.initrd, small.rootfs)
    with open_verified(small):
        for path in paths:
            with open_file(path) as file:
                assert not lock.claim(file)
    for path in paths:
        with open_file(path) as file:
            assert lock.claim(file)


def test_the_other_door_opens_what_nobody_pinned(small: VmConfig) -> None:
    flip(small.rootfs)
    with open_unverified(replace(small, pins=None)) as boot:
        assert os.pread(boot.rootfs, 15, 0) == b"rootfs.squashfs"


@pytest.fixture
def mapped(small: VmConfig) -> VmConfig:
    """The small boot set, its rootfs with a hash tree that is pinned."""
    append_tree(small.rootfs)
    image = memoryview(small.rootfs.read_bytes())
    pin = pins(small).rootfs._replace(size=len(image), verity=find_verity(image))
    return replace(small, pins=pins(small)._replace(rootfs=pin))


def test_with_verity_the_rootfs_is_not_read_and_the_guest_gets_the_pinned_root_hash(mapped: VmConfig) -> None:
    flip(mapped.rootfs)
    hashed: list[int] = []
    with open_verified(mapped, hashed.append, verity=True) as boot:
        assert boot.verity == pins(mapped).rootfs.verity is not None
        assert os.pread(boot.rootfs, 15, 0) == b"rootfs.squashfs"
    assert sum(hashed) == mapped.kernel.stat().st_size + mapped.initrd.stat().st_size


def test_without_verity_the_root_hash_is_not_used(mapped: VmConfig) -> None:
    with open_unverified(mapped) as boot:
        assert boot.verity is None
    flip(mapped.rootfs)
    with pytest.raises(IntegrityError, match="the boot set is not the pinned one"), open_verified(mapped):
        pass


@pytest.mark.parametrize("what", ["kernel", "initrd"])
def test_with_verity_kernel_and_initrd_must_still_be_the_pinned_ones(mapped: VmConfig, what: str) -> None:
    flip(getattr(mapped, what))
    with pytest.raises(IntegrityError, match=f"the {what} differs"), open_verified(mapped, verity=True):
        pass


def test_with_verity_a_rootfs_of_another_size_is_refused_before_anything_starts(mapped: VmConfig) -> None:
    verity = pins(mapped).rootfs.verity
    assert verity is not None
    os.truncate(mapped.rootfs, verity.size - 4096)
    with pytest.raises(IntegrityError) as caught, open_verified(mapped, verity=True):
        pass
    assert str(caught.value) == (
        "the boot set is not the pinned one; nothing was started\n"
        "  expected: the digests of assets/manifest.json\n"
        f"  - {mapped.rootfs}: the rootfs differs ({verity.size - 4096} bytes, pinned {verity.size}: truncated, or "
        f"repacked since the manifest was made): expected {verity.size} bytes, found {verity.size - 4096} bytes\n"
        "  fix:      `bitproof assets manifest` if the change is wanted, else `bitproof assets build`"
    )


def test_with_verity_pins_without_a_root_hash_are_refused_with_the_way_to_one(small: VmConfig) -> None:
    with pytest.raises(InputError) as caught, open_verified(small, verity=True):
        pass
    assert str(caught.value) == (
        "no root hash is pinned, so the guest cannot check the rootfs\n"
        "  where:    assets/manifest.json\n"
        '  expected: "verity" beside the hash of rootfs.squashfs\n'
        "  fix:      build with rootfs.verity = true (the default) and pin that; or boot without --verity"
    )
