import pytest

from bitproof.errors import InputError
from bitproof.model.guest_config import GuestConfig, Resources, read_guest_config
from bitproof.model.version import Version

BUILD = """\
compression = "zstd"
level = 15

[arch.x86_64]
suite = "bookworm"

[arch.x86_64.kernel]
package = "linux-image-cloud-amd64"

[arch.x86_64.rootfs]
format = "squashfs"
"""
NAME_RULE = "not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found"
NO_ARCH = "build.toml: arch: missing: expected a table"


def config(build: str = BUILD, **files: str) -> GuestConfig:
    named = {path.replace("__", "/") + ".toml": text.encode() for path, text in files.items()}
    return read_guest_config({"build.toml": build.encode(), **named})


def problems(build: str = BUILD, **files: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        config(build, **files)
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["the guest config is not usable", "  where:    guest/config"]
    assert lines[-1] == "  fix:      mend these; nothing was built"
    return [line.removeprefix("  - ") for line in lines[2:-1]]


def test_the_smallest_config_has_defaults_for_the_rest() -> None:
    read = config()
    assert (read.compression, read.level) == ("zstd", 15)
    assert (read.packages, read.resources, read.environment, read.min_binary) == ((), Resources(), (), None)
    arch = read.arch("x86_64")
    assert (arch.suite, arch.mirror, arch.rootfs_format) == ("bookworm", "", "squashfs")
    assert (arch.rootfs_compression, arch.rootfs_level) == ("zstd", 15)
    assert (arch.kernel.package, arch.kernel.file, arch.kernel.modules) == ("linux-image-cloud-amd64", "", ())


def test_a_whole_config_is_read() -> None:
    build = """\
compression = "xz"
level = 6
[arch.arm64]
suite = "trixie"
mirror = "https://mirror.example.org/debian"
kernel = {file = "kernels/Image", modules = ["virtio_blk", "9p"]}
rootfs = {format = "erofs", compression = "lz4hc", level = 3}
[arch.x86_64]
suite = "bookworm"
kernel = {package = "linux-image-amd64"}
rootfs = {format = "squashfs", compression = "gzip"}
"""
    read = config(
        build,
        packages__base='manager = "apt"\npackages = ["vim", "curl"]',
        packages__more='packages = ["curl", "g++"]',
        vm__resources="cpus = 64\nmemory = 128",
        vm__environment='B = "2"\nA = "é"',
        manifest='min_binary = "1.0.0"',
    )
    assert [arch.arch for arch in read.arches] == ["arm64", "x86_64"]
    arm = read.arch("arm64")
    assert (arm.kernel.file, arm.kernel.modules) == ("kernels/Image", ("virtio_blk", "9p"))
    assert (arm.rootfs_format, arm.rootfs_compression, arm.rootfs_level) == ("erofs", "lz4hc", 3)
    assert arm.mirror == "https://mirror.example.org/debian"
    assert (read.arch("x86_64").rootfs_compression, read.arch("x86_64").rootfs_level) == ("gzip", 9)
    assert read.packages == ("curl", "g++", "vim")
    assert (read.resources.cpus, read.resources.memory) == (64, 128)
    assert read.environment == (("A", "é"), ("B", "2"))
    assert read.min_binary == Version("1.0.0")


def test_a_rootfs_format_without_the_codec_of_the_initrd_takes_its_own() -> None:
    build = BUILD.replace('"zstd"', '"gzip"').replace("level = 15", "level = 6").replace('"squashfs"', '"erofs"')
    arch = config(build).arch("x86_64")
    assert (arch.rootfs_compression, arch.rootfs_level) == ("lz4hc", 12)


def test_an_arch_that_is_not_in_the_config_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        config().arch("arm64")
    assert str(caught.value) == (
        "the guest config does not know this arch\n"
        "  where:    build.toml\n"
        "  expected: x86_64\n"
        "  found:    arm64\n"
        "  fix:      add a table [arch.arm64] to build.toml, or name another --arch"
    )


def test_build_toml_is_required() -> None:
    with pytest.raises(InputError) as caught:
        read_guest_config({"vm/resources.toml": b"cpus = 0"}, "there")
    assert str(caught.value) == (
        "the guest config is not usable\n"
        "  where:    there\n"
        "  - build.toml: missing\n"
        "  - vm/resources.toml: cpus: out of range: expected 1 to 64, found 0\n"
        "  fix:      mend these; nothing was built"
    )


def test_a_file_that_cannot_be_read_does_not_also_lack_its_keys() -> None:
    assert problems("x", packages__a="\x00") == [
        "build.toml: the file is not TOML: found Expected '=' after a key in a key/value pair (at end of document)",
        "packages/a.toml: the file is not TOML: found Invalid statement (at line 1, column 1)",
    ]


def test_every_problem_of_every_file_is_reported_at_once() -> None:
    assert problems(
        'compression = "rar"\nlevel = "x"\nextra = 1',
        packages__a='packages = ["vim", "-o", 7]\nmanager = "dnf"\nx = 1',
        vm__resources="cpus = true\nmemory = 127\nram = 1",
        vm__environment='A = 1\n"B C" = "x"\nD = "\\u001b"',
        manifest='min_binary = ""\nmin = 1',
        other="",
    ) == [
        (
            "other.toml: not a known config file: "
            "expected build.toml, vm/resources.toml, vm/environment.toml, manifest.toml or packages/*.toml"
        ),
        "build.toml: compression: not a known value: expected zstd or xz or gzip, found 'rar'",
        "build.toml: level: the wrong type: expected an integer, found a string, 'x'",
        NO_ARCH,
        "build.toml: extra: not a known key: expected one of arch, compression, level",
        "manifest.toml: min: not a known key: expected one of min_binary",
        f"manifest.toml: min_binary: {NAME_RULE} ''",
        "packages/a.toml: x: not a known key: expected one of manager, packages",
        "packages/a.toml: manager: not a known value: expected apt, found 'dnf'",
        "packages/a.toml: packages[1]: not a Debian package: found '-o'",
        "packages/a.toml: packages[2]: the wrong type: expected a string, found an integer",
        "vm/environment.toml: A: the wrong type: expected a string, found an integer, 1",
        'vm/environment.toml: ["B C"]: not the name of a variable: expected [A-Za-z_][A-Za-z0-9_]*',
        "vm/environment.toml: D: a control character in the value: found '\\x1b'",
        "vm/resources.toml: ram: not a known key: expected one of cpus, memory",
        "vm/resources.toml: cpus: the wrong type: expected an integer, found a boolean, True",
        "vm/resources.toml: memory: out of range: expected 128 to 1048576, found 127",
    ]


X86 = "build.toml: arch.x86_64"
ONE_SOURCE = "kernel.package: name one source of the kernel: expected package, file, source or tarball, found"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('compression = "zstd"\n', "", ["build.toml: compression: missing: expected a string"]),
        ("level = 15\n", "", ["build.toml: level: missing: expected an integer"]),
        ("level = 15", "level = 23", ["build.toml: level: out of range: expected 1 to 22, found 23"]),
        ("level = 15", "level = 0", ["build.toml: level: out of range: expected 1 to 22, found 0"]),
        (
            "level = 15",
            "level = 0x" + "f" * 9000,
            ["build.toml: level: out of range: expected 1 to 22, found a number too long to print"],
        ),
        ('suite = "bookworm"', "", [f"{X86}.suite: missing: expected a string"]),
        ('"bookworm"', '"-x"', [f"{X86}.suite: not a suite such as bookworm: found '-x'"]),
        ('"bookworm"', '"sid"\nmirror = "ftp://x"', [f"{X86}.mirror: not a URL: found 'ftp://x'"]),
        (
            '"bookworm"',
            '"sid"\nmirror = "https://x [trusted=yes]"',
            [f"{X86}.mirror: not a URL: found 'https://x [trusted=yes]'"],
        ),
        ('"bookworm"', '"sid"\nsuit = 1', [f"{X86}.suit: not a known key: expected 'suite'"]),
        (
            'package = "linux-image-cloud-amd64"',
            "",
            [f"{X86}.{ONE_SOURCE} none"],
        ),
        (
            'package = "linux-image-cloud-amd64"',
            'package = "ab"\nfile = "x"',
            [f"{X86}.{ONE_SOURCE} package and file"],
        ),
        ('"linux-image-cloud-amd64"', '"--x"', [f"{X86}.kernel.package: not a Debian package: found '--x'"]),
        (
            '"linux-image-cloud-amd64"',
            '"ab"\nmodules = ["../x"]\nmodule = 1',
            [
                f"{X86}.kernel.module: not a known key: expected 'modules'",
                f"{X86}.kernel.modules[0]: not a kernel module: found '../x'",
            ],
        ),
        *(
            (
                'package = "linux-image-cloud-amd64"',
                f'file = "{path}"',
                [f"{X86}.kernel.file: not a path inside guest/config: found {shown}"],
            )
            for path, shown in [
                ("../x", "'../x'"),
                ("/etc/passwd", "'/etc/passwd'"),
                ("", "''"),
                ("a//b", "'a//b'"),
                ("./a", "'./a'"),
                ("a\\u0000", "'a\\x00'"),
            ]
        ),
        ('"squashfs"', '"ext4"', [f"{X86}.rootfs.format: not a known value: expected squashfs or erofs, found 'ext4'"]),
        (
            '"squashfs"',
            '"squashfs"\ncompression = "lz4hc"',
            [f"{X86}.rootfs.compression: not a known value: expected zstd or xz or gzip, found 'lz4hc'"],
        ),
        (
            '"squashfs"',
            '"erofs"\ncompression = "lz4"\nlevel = 1',
            [f"{X86}.rootfs.level: out of range: expected 0 to 0, found 1"],
        ),
        (
            '"squashfs"',
            '"squashfs"\nblock = 1',
            [f"{X86}.rootfs.block: not a known key: expected one of compression, format, level, verity"],
        ),
        ("x86_64", "amd64", ["build.toml: arch: not an arch key: expected x86_64, found 'amd64'"]),
        ("x86_64", '"../../etc"', [f"build.toml: arch: {NAME_RULE} '../../etc'"]),
    ],
)
def test_a_wrong_key_is_refused_with_file_and_key(old: str, new: str, expected: list[str]) -> None:
    assert problems(BUILD.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            'compression = "zstd"\nlevel = 1\narch = 1',
            "build.toml: arch: the wrong type: expected a table, found an integer, 1",
        ),
        (
            'compression = "zstd"\nlevel = 1\narch = {}',
            "build.toml: arch: no architecture: expected a table such as [arch.x86_64]",
        ),
        ('compression = "zstd"\nlevel = 1', NO_ARCH),
    ],
)
def test_a_config_without_an_architecture_is_refused(build: str, expected: str) -> None:
    assert problems(build) == [expected]


def test_an_environment_value_too_long_to_print_is_refused() -> None:
    assert problems(vm__environment="A = 0x" + "f" * 9000) == [
        "vm/environment.toml: A: the wrong type: expected a string, found an integer, a number too long to print"
    ]
