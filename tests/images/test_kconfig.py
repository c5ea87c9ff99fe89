from dataclasses import replace

import pytest

from bitproof.errors import InputError
from bitproof.images.kernel.kconfig import decoded, lacking, needed, options, unmet
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource
from tests.conftest import GUEST

NO_OPTIONS = """\
the defconfig asks for nothing
  where:    here
  expected: lines such as CONFIG_VIRTIO_BLK=y
  found:    none"""
NEEDED = """\
BLK_DEV_INITRD BINFMT_ELF BINFMT_SCRIPT PRINTK TTY UNIX98_PTYS UNIX MULTIUSER FUTEX PROC_FS SYSFS DEVTMPFS TMPFS SHMEM
OVERLAY_FS PCI VIRTIO_PCI VIRTIO_BLK VIRTIO_CONSOLE SERIAL_8250_CONSOLE ACPI RD_ZSTD SQUASHFS SQUASHFS_ZSTD BLK_DEV_DM
DM_VERITY CRYPTO_SHA256
"""


def config(arch: str = "x86_64", form: str = "squashfs", codec: str = "zstd") -> ArchConfig:
    return ArchConfig(
        arch=arch,
        suite="bookworm",
        kernel=KernelSource(source="linux-source-6.1", defconfig=f"kernel/defconfig.{arch}"),
        rootfs_format=form,
        rootfs_compression=codec,
        rootfs_level=1,
    )


def test_options_are_read_from_lines_and_from_comments_that_turn_them_off() -> None:
    text = '# a comment\nCONFIG_A=y\n  CONFIG_B="two words"\n# CONFIG_C is not set\n# CONFIG_D was set\nX=y\n'
    assert options(text) == {"CONFIG_A": "y", "CONFIG_B": '"two words"', "CONFIG_C": "n"}


@pytest.mark.parametrize(
    ("asked", "made", "expected"),
    [
        ({"CONFIG_A": "y"}, {"CONFIG_A": "y", "CONFIG_B": "y"}, []),
        ({"CONFIG_A": "n"}, {}, []),
        ({"CONFIG_A": "y"}, {}, ["CONFIG_A: Kconfig did not take it: expected y, found n"]),
        ({"CONFIG_A": "n"}, {"CONFIG_A": "y"}, ["CONFIG_A: Kconfig did not take it: expected n, found y"]),
        ({"CONFIG_A": "64"}, {"CONFIG_A": "8"}, ["CONFIG_A: Kconfig did not take it: expected 64, found 8"]),
        (
            {"CONFIG_A": "m"},
            {"CONFIG_A": "m"},
            ["CONFIG_A: asks for a module, and a kernel from source has none: expected y or n, found m"],
        ),
    ],
)
def test_what_kconfig_dropped_is_a_problem(asked: dict[str, str], made: dict[str, str], expected: list[str]) -> None:
    assert [str(problem) for problem in unmet(asked, made)] == expected


def test_a_kernel_needs_what_finds_and_mounts_the_image() -> None:
    told = [f"CONFIG_{name}: the image needs it: expected y, found n" for name in NEEDED.split()]
    assert [str(problem) for problem in lacking({}, needed(config(), "zstd"))] == told


def test_a_kernel_needs_the_device_mapper_only_for_verity() -> None:
    more = set(needed(config(), "zstd")) - set(needed(replace(config(), verity=False), "zstd"))
    assert more == {"CONFIG_BLK_DEV_DM", "CONFIG_DM_VERITY", "CONFIG_CRYPTO_SHA256"}


@pytest.mark.parametrize(
    ("arch", "compression", "expected"),
    [
        (config(form="erofs", codec="lz4hc"), "gzip", ["RD_GZIP", "EROFS_FS", "EROFS_FS_ZIP"]),
        (config(codec="gzip"), "xz", ["RD_XZ", "SQUASHFS", "SQUASHFS_ZLIB"]),
        (config("arm64"), "zstd", ["SERIAL_AMBA_PL011_CONSOLE", "PCI_HOST_GENERIC", "ARM_PSCI_FW", "RD_ZSTD"]),
    ],
)
def test_a_kernel_needs_the_codecs_and_the_console_of_its_image(
    arch: ArchConfig, compression: str, expected: list[str]
) -> None:
    made = {"CONFIG_RD_ZSTD": "m", "CONFIG_PCI": "y"}
    lacked = {problem.where.removeprefix("CONFIG_") for problem in lacking(made, needed(arch, compression))}
    assert set(expected) <= lacked
    assert "PCI" not in lacked


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_examples_defconfigs_harden_the_kernel_and_know_the_example(arch: str) -> None:
    asked = options(decoded((GUEST / "config/kernel" / f"defconfig.{arch}").read_bytes(), "here"))
    assert asked["CONFIG_MODULES"] == "n"
    assert {asked[f"CONFIG_{name}"] for name in ("DEVMEM", "KEXEC", "BPF_SYSCALL", "PROC_KCORE")} == {"n"}
    hardened = ("STACKPROTECTOR_STRONG", "RANDOMIZE_BASE", "INIT_ON_ALLOC_DEFAULT_ON", "SLAB_FREELIST_HARDENED")
    assert {asked[f"CONFIG_{name}"] for name in (*hardened, "SECURITY_LOCKDOWN_LSM", "DM_VERITY")} == {"y"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            b"CONFIG_A=y\n# \xc3\xa9",
            "the defconfig is not text\n  where:    here\n  expected: ASCII\n  found:    byte 0xc3 at 13",
        ),
        (
            b"# CONFIG_A\n",
            NO_OPTIONS,
        ),
    ],
)
def test_a_defconfig_that_is_none_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(data, "here")
    assert str(caught.value) == told
