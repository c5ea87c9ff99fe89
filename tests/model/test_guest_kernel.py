import pytest

from bitproof.errors import Problem
from bitproof.model.decode import Table, parse_toml
from bitproof.model.digest import Digest
from bitproof.model.guest_kernel import KernelSource, read_kernel

PIN = "5d" * 32
ONE_SOURCE = "name one source of the kernel: expected package, file, source or tarball, found"


def read(text: str, arch: str = "x86_64") -> tuple[KernelSource, list[str]]:
    problems: list[Problem] = []
    return read_kernel(Table(parse_toml(text.encode(), "here"), "kernel", problems), arch), [str(p) for p in problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('package = "linux-image-amd64"', KernelSource(package="linux-image-amd64")),
        (
            'package = "linux-image-amd64"\nmodules = ["loop"]',
            KernelSource(package="linux-image-amd64", modules=("loop",)),
        ),
        ('file = "kernels/Image"', KernelSource(file="kernels/Image")),
        (
            'source = "linux-source-6.1"',
            KernelSource(source="linux-source-6.1", defconfig="kernel/defconfig.x86_64"),
        ),
        (
            f'tarball = "linux.tar.xz"\nsha256 = "{PIN.upper()}"\ndefconfig = "small"',
            KernelSource(tarball="linux.tar.xz", digest=Digest("sha256", PIN), defconfig="small"),
        ),
    ],
)
def test_a_kernel_has_one_source(text: str, expected: KernelSource) -> None:
    assert read(text) == (expected, [])
    assert expected.compiled == bool(expected.defconfig)


def test_each_arch_has_a_defconfig_of_its_own() -> None:
    kernel, problems = read('source = "linux-source-6.1"', "arm64")
    assert (kernel.defconfig, problems) == ("kernel/defconfig.arm64", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [f"kernel.package: {ONE_SOURCE} none"]),
        (
            'package = "linux-image-amd64"\nsource = "linux-source-6.1"',
            [f"kernel.package: {ONE_SOURCE} package and source"],
        ),
        (
            'source = "linux-source"',
            ["kernel.source: not a package such as linux-source-6.1: found 'linux-source'"],
        ),
        (
            'source = "linux-source-6.1"\nmodules = ["loop"]',
            ["kernel.modules: a kernel from source has no modules: its defconfig builds all in"],
        ),
        (
            'package = "linux-image-amd64"\ndefconfig = "small"',
            ["kernel.defconfig: belongs to a kernel from source: expected source or tarball beside it"],
        ),
        ('tarball = "linux.tar.xz"', ["kernel.sha256: missing: expected a string"]),
        (
            f'tarball = "../linux.tar.xz"\nsha256 = "{PIN}"',
            ["kernel.tarball: not a path inside guest/config: found '../linux.tar.xz'"],
        ),
        (
            'tarball = "linux.tar.xz"\nsha256 = "5d"',
            ["kernel.sha256: not 64 hex digits: '5d'"],
        ),
        (
            f'source = "linux-source-6.1"\nsha256 = "{PIN}"',
            ["kernel.sha256: belongs to a tarball: expected tarball beside it"],
        ),
        (
            'source = "linux-source-6.1"\ndefconfig = "/etc/config"',
            ["kernel.defconfig: not a path inside guest/config: found '/etc/config'"],
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(text: str, expected: list[str]) -> None:
    assert read(text)[1] == expected
