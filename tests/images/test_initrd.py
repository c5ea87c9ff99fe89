import lzma
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.images.config import Artifacts
from bitproof.images.initrd import cpio
from bitproof.images.initrd import image as initrd
from bitproof.images.kernel.package import KernelFiles
from bitproof.system.files import Directory
from bitproof.system.opened import open_file

VIRTIO = ("virtio_ring", "virtio", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "overlay")


@pytest.fixture
def files(tmp_path: Path) -> KernelFiles:
    """A kernel's files after depmod: everything a file but squashfs, which is built in; one module compressed."""
    modules = tmp_path / "lib/modules/6.1.0-9"
    modules.mkdir(parents=True)
    lines = []
    for before, name in zip((None, *VIRTIO), VIRTIO, strict=False):
        (modules / f"{name}.ko").write_bytes(name.encode())
        lines.append(f"{name}.ko:{f' {before}.ko' if before and name.startswith('virtio') else ''}")
    (modules / "extra.ko.xz").write_bytes(lzma.compress(b"extra"))
    (modules / "modules.dep").write_text("\n".join([*reversed(lines), "extra.ko.xz: overlay.ko", ""]))
    (modules / "modules.builtin").write_text("kernel/fs/squashfs/squashfs.ko\n")
    (tmp_path / "busybox").write_bytes(b"busybox")
    return KernelFiles(kernel=tmp_path / "vmlinuz", modules=modules, busybox=tmp_path / "busybox")


def by_path(entries: list[cpio.Entry]) -> dict[str, cpio.Entry]:
    return {entry.path: entry for entry in entries}


def test_the_base_lists_its_modules_in_load_order_and_unpacked(files: KernelFiles) -> None:
    entries = by_path(initrd.base_entries(files, ["squashfs", "extra"]))

    names = [*VIRTIO, "extra"]
    assert entries["etc/bitproof/modules"].data.decode().splitlines() == [
        f"/lib/modules/6.1.0-9/{name}.ko" for name in names
    ]
    assert entries["lib/modules/6.1.0-9/extra.ko"].data == b"extra"
    assert entries["lib/modules/6.1.0-9/virtio.ko"].data == b"virtio"


def test_the_base_holds_busybox_mount_points_and_the_first_devices(files: KernelFiles) -> None:
    entries = by_path(initrd.base_entries(files, []))

    assert oct(entries["bin/busybox"].mode) == "0o100755"
    assert entries["bin/busybox"].data == b"busybox"
    assert {"proc", "sys", "dev", "run", "newroot", "tmp"} <= entries.keys()
    assert oct(entries["tmp"].mode) == "0o41777"
    assert (entries["dev/console"].device, entries["dev/null"].device) == ((5, 1), (1, 3))
    assert stat.S_ISCHR(entries["dev/console"].mode)


def test_a_given_kernel_has_no_modules(files: KernelFiles) -> None:
    without = KernelFiles(kernel=None, modules=None, busybox=files.busybox)

    entries = by_path(initrd.base_entries(without, ["squashfs"]))

    assert entries["etc/bitproof/modules"].data == b""
    assert not any(path.startswith("lib") for path in entries)


MAPPER = {"lib/libc.so.6": b"libc", "sbin/dmsetup": b"dmsetup"}


def add_modules(files: KernelFiles, lines: str) -> None:
    """More modules, which need what ``lines`` of modules.dep say."""
    assert files.modules is not None
    for line in lines.splitlines():
        (files.modules / line.partition(":")[0]).write_bytes(line.encode())
    with (files.modules / "modules.dep").open("a") as dep:
        dep.write(lines)


def test_modules_of_verity_stand_in_a_list_of_their_own_without_those_that_are_loaded_anyway(
    files: KernelFiles,
) -> None:
    add_modules(files, "dm-verity.ko: dm-bufio.ko overlay.ko\ndm-bufio.ko:\nsha256-ssse3.ko: sha256_generic.ko\n")
    add_modules(files, "sha256_generic.ko:\n")

    entries = by_path(initrd.base_entries(replace(files, mapper=MAPPER), ["squashfs"]))

    listed = [entries[name].data.decode().split() for name in (initrd.MODULE_LIST, initrd.VERITY_LIST)]
    assert listed[0] == [f"/lib/modules/6.1.0-9/{name}.ko" for name in VIRTIO]
    names = ("dm-bufio", "dm-verity", "sha256_generic", "sha256-ssse3")
    assert listed[1] == [f"/lib/modules/6.1.0-9/{name}.ko" for name in names]
    assert {path.removeprefix("/") for paths in listed for path in paths} <= entries.keys()
    assert (entries["sbin/dmsetup"].data, oct(entries["sbin/dmsetup"].mode)) == (b"dmsetup", "0o100755")


def test_without_verity_there_is_neither_a_list_nor_a_program_for_it(files: KernelFiles) -> None:
    add_modules(files, "dm-verity.ko:\n")

    entries = by_path(initrd.base_entries(files, ["squashfs"]))

    assert not {initrd.VERITY_LIST, "sbin/dmsetup", "lib/modules/6.1.0-9/dm-verity.ko"} & entries.keys()


def test_a_given_kernel_has_what_verity_needs_built_in(files: KernelFiles) -> None:
    given = KernelFiles(kernel=None, modules=None, busybox=files.busybox, mapper=MAPPER)

    assert by_path(initrd.base_entries(given, ["squashfs"]))[initrd.VERITY_LIST].data == b""


def test_a_kernel_that_lacks_dm_verity_is_refused_with_the_way_out(files: KernelFiles) -> None:
    with pytest.raises(InputError) as caught:
        initrd.base_entries(replace(files, mapper=MAPPER), ["squashfs"])

    assert [problem.where for problem in caught.value.problems] == ["dm_verity"]
    assert caught.value.fix == "mend kernel.modules; a kernel without dm_verity needs rootfs.verity = false"


def test_a_kernel_that_lacks_the_rootfs_file_system_is_refused(files: KernelFiles) -> None:
    with pytest.raises(
        InputError, match="the kernel lacks modules that the initrd must load\n  - erofs: no such module"
    ):
        initrd.base_entries(files, ["erofs"])


def test_the_guest_part_holds_init_programs_and_the_environment() -> None:
    guest = Artifacts(b"init", (("doctor", b"doctor"),), ())

    entries = by_path(initrd.guest_entries(guest, [("EDITOR", "vi"), ("NAME", "it's $HOME")]))

    assert [(path, oct(entry.mode)) for path, entry in entries.items()] == [
        ("init", "0o100755"),
        ("guest/bin/doctor", "0o100755"),
        ("etc/bitproof/environment", "0o100644"),
    ]
    assert entries["etc/bitproof/environment"].data == b"export EDITOR='vi'\nexport NAME='it'\\''s $HOME'\n"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_quoted_value_is_one_word_to_a_shell(value: str) -> None:
    import shlex

    assert shlex.split(initrd.quoted(value)) == [value]


def test_the_base_is_found_by_its_digest_and_knows_its_time(tmp_path: Path) -> None:
    base = initrd.segment([cpio.file("a", b"a")], "xz", 1, 1_700_000_000)
    (tmp_path / initrd.base_name(base)).write_bytes(base)

    with Directory(tmp_path) as directory, initrd.open_base(directory) as kept:
        assert kept.read(len(base)) == base
        assert initrd.base_epoch(kept, "base") == 1_700_000_000


def test_a_base_with_one_flipped_bit_is_refused_with_both_digests(tmp_path: Path) -> None:
    base = initrd.segment([cpio.file("a", b"a")], "zstd", 1, 0)
    name = initrd.base_name(base)
    damaged = bytes([base[0] ^ 1]) + base[1:]
    (tmp_path / name).write_bytes(damaged)

    with Directory(tmp_path) as directory, pytest.raises(IntegrityError) as caught:
        initrd.open_base(directory)

    assert str(caught.value) == (
        "the initrd's base is not what was built\n"
        f"  where:    {tmp_path}/{name}\n"
        f"  expected: blake3:{name.removeprefix('.initrd-base-')}\n"
        f"  found:    blake3:{initrd.base_name(damaged).removeprefix('.initrd-base-')}\n"
        "  fix:      bitproof assets build"
    )


def test_without_a_base_there_is_nothing_to_repack(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory, pytest.raises(UnavailableError) as caught:
        initrd.open_base(directory)

    assert str(caught.value) == (
        "there is no initrd to repack\n"
        f"  where:    {tmp_path}\n"
        "  expected: .initrd-base-DIGEST\n"
        "  found:    nothing\n"
        "  fix:      bitproof assets build"
    )


def test_two_bases_are_one_too_many(tmp_path: Path) -> None:
    for digit in "ab":
        (tmp_path / f".initrd-base-{digit * 64}").touch()

    with Directory(tmp_path) as directory, pytest.raises(InputError) as caught:
        initrd.open_base(directory)

    assert str(caught.value) == (
        "it is not clear which initrd to repack\n"
        f"  where:    {tmp_path}\n"
        "  expected: one .initrd-base-DIGEST\n"
        f"  found:    .initrd-base-{'a' * 64}, .initrd-base-{'b' * 64}\n"
        "  fix:      bitproof assets build"
    )


def test_a_base_named_without_a_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".initrd-base-old").touch()

    with (
        Directory(tmp_path) as directory,
        pytest.raises(InputError, match="the name of the initrd's base holds no digest"),
    ):
        initrd.open_base(directory)


def test_a_base_that_is_no_archive_has_no_time(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"text")
    with open_file(tmp_path / "base") as base, pytest.raises(InputError) as caught:
        initrd.base_epoch(base, "place")

    assert str(caught.value) == (
        "the initrd's base is not an initrd\n"
        "  where:    place\n"
        "  found:    not compressed with zstd, xz or gzip\n"
        "  fix:      bitproof assets build"
    )
