"""A kernel from source, on a source of a few lines: its Makefile takes the place of Kbuild, all else is real."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.images.debian import Job, workspace
from bitproof.images.kernel.compile import fixed_environment
from bitproof.images.kernel.source import Compiled, check_source, compiled_kernel, kept_name
from bitproof.images.kernel.toolchain import missing, requirements
from bitproof.model.digest import Digest
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource
from bitproof.system import process
from bitproof.system.files import Directory
from bitproof.system.opened import open_file
from tests.conftest import ARCH, EPOCH
from tests.images.layouts import names
from tests.images.test_kconfig import NEEDED

DEFCONFIG = "".join(f"CONFIG_{name}=y\n" for name in NEEDED.split())
MAKEFILE = """\
olddefconfig:
\t@echo configured
bzImage:
\t@mkdir -p arch/x86/boot
\t@env -u PWD -u TMPDIR -u MAKEFLAGS -u MFLAGS -u KCFLAGS -u KAFLAGS -u OLDPWD -u SHLVL -u _ | sort >arch/x86/boot/$@
\t@sort .config >>arch/x86/boot/$@
"""
BROKEN = """\
olddefconfig:
bzImage:
\t@echo 'x.c:1:1: error: no such thing'; seq 100; exit 1
"""
FORGETFUL = """\
olddefconfig:
\t@sed -i 's/^CONFIG_VIRTIO_BLK=y/# CONFIG_VIRTIO_BLK is not set/' .config
bzImage:
\t@exit 1
"""


def write_source(path: Path, makefile: str, **more: str) -> Digest:
    """A tarball of one directory, as Debian's is; its SHA-256."""
    with tarfile.open(path, "w:xz") as tar:
        for name, text in {"Makefile": makefile, "Kconfig": "mainmenu", **more}.items():
            if text:
                made = tarfile.TarInfo(f"linux-9.9/{name}")
                made.size = len(text)
                tar.addfile(made, io.BytesIO(text.encode()))
    return Digest("sha256", hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass
class Site:
    """A config directory with a source, and a dev layout."""

    root: Path
    stages: list[str] = field(default_factory=list)
    digest: Digest | None = None

    def write(self, makefile: str = MAKEFILE, **more: str) -> None:
        (self.root / "config/kernel").mkdir(parents=True, exist_ok=True)
        (self.root / "config/kernel/defconfig.x86_64").write_text(DEFCONFIG)
        self.digest = write_source(self.root / "config/linux.tar.xz", makefile, **more)

    @property
    def arch(self) -> ArchConfig:
        kernel = KernelSource(tarball="linux.tar.xz", digest=self.digest, defconfig="kernel/defconfig.x86_64")
        return ArchConfig(
            arch=ARCH,
            suite="bookworm",
            kernel=kernel,
            rootfs_format="squashfs",
            rootfs_compression="zstd",
            rootfs_level=1,
        )

    def compile(
        self, stopped: Callable[[], bool] = lambda: False, epoch: int = EPOCH, compression: str = "zstd"
    ) -> bytes:
        """The kernel of a build, put into the dev layout with its inputs as a build does."""
        with workspace() as work, Directory(self.root / "assets", create=True) as assets:
            job = Job(config=self.arch, epoch=epoch, work=work, stage=self.stages.append, stopped=stopped)
            made = compiled_kernel(job, None, self.root / "config", assets, compression)
            return self._publish(made, assets)

    def _publish(self, made: Compiled, assets: Directory) -> bytes:
        with open_file(made.kernel) as kernel, assets.child(ARCH, create=True) as directory:
            for name in names(directory.path):
                if name.startswith(".kernel-"):
                    directory.remove(name)
            data = kernel.read(1 << 20)
            directory.write(kept_name(kernel), made.inputs.to_bytes())
            directory.write("vmlinuz", data)
        return data


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose scratch directory must be empty at the end."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    made = Site(tmp_path)
    made.write()
    yield made
    assert names(scratch) == []


def refused(site: Site) -> BitproofError:
    with pytest.raises(BitproofError) as caught:
        site.compile()
    return caught.value


def test_a_build_tells_the_kernel_nothing_of_this_machine(site: Site) -> None:
    built = site.compile().decode()
    for name, value in fixed_environment(ARCH, EPOCH).items():
        assert f"{name}={value}\n" in built
    assert "KBUILD_BUILD_TIMESTAMP=Tue Nov 14 22:13:20 UTC 2023\n" in built
    variables = {line.partition("=")[0] for line in built.splitlines() if not line.startswith("CONFIG_")}
    assert variables - {"MAKELEVEL", "MAKE_TERMERR", "MAKE_TERMOUT"} == {
        *fixed_environment(ARCH, EPOCH),
        *process.ENVIRONMENT,
    }


def test_a_kernel_is_compiled_again_only_when_an_input_differs(site: Site) -> None:
    first = site.compile()
    assert site.compile() == first
    with (site.root / "config/kernel/defconfig.x86_64").open("a") as defconfig:
        defconfig.write("CONFIG_MORE=y\n")
    assert site.compile() != first
    assert site.compile(epoch=EPOCH + 1) != first
    site.write(MAKEFILE + "# another\n")
    site.compile(epoch=EPOCH + 1)

    assert site.stages == [
        "kernel compile: there is none yet",
        "kernel kept: made from the same inputs",
        "kernel compile: parts.defconfig differs",
        "kernel compile: environment.KBUILD_BUILD_TIMESTAMP differs",
        "kernel compile: parts.defconfig differs",
    ]
    assert [name for name in names(site.root / "assets") if not name.startswith(".bitproof")] == [ARCH]


def test_a_kernel_that_was_checked_for_another_image_is_checked_again(site: Site) -> None:
    site.compile()
    with pytest.raises(InputError) as caught:
        site.compile(compression="xz")
    assert [str(problem) for problem in caught.value.problems] == [
        "CONFIG_RD_XZ: the image needs it: expected y, found n"
    ]
    assert site.stages[-1] == "kernel compile: parts.needs differs"


def test_a_kernel_that_is_not_what_was_compiled_is_compiled_again(site: Site) -> None:
    first = site.compile()
    (site.root / "assets" / ARCH / "vmlinuz").write_bytes(b"rotten")
    assert site.compile() == first
    assert site.stages[-1] == "kernel compile: the one that is there is not what was compiled"


def test_inputs_that_cannot_be_read_are_no_reason_to_keep_a_kernel(site: Site) -> None:
    first = site.compile()
    (recorded,) = (site.root / "assets" / ARCH).glob(".kernel-*")
    recorded.write_bytes(b"{}")
    assert site.compile() == first
    assert site.stages[-1] == "kernel compile: the recorded inputs are not usable"


def test_a_kernel_that_does_not_compile_quotes_its_errors_and_keeps_its_log(site: Site) -> None:
    kept = site.compile()
    site.write(BROKEN)

    error = refused(site)

    log = site.root / "assets/.kernel-x86_64.log"
    assert isinstance(error, IntegrityError)
    assert str(error) == (
        "the kernel does not compile\n"
        f"  where:    {log}\n"
        "  found:    exit code 2 of make bzImage\n"
        "  | x.c:1:1: error: no such thing\n"
        "  | make: *** [Makefile:3: bzImage] Error 1\n"
        "  fix:      the whole log is in the file named above"
    )
    assert "\n100\n" in log.read_text()
    assert (site.root / "assets" / ARCH / "vmlinuz").read_bytes() == kept


def test_an_option_that_kconfig_drops_is_refused_before_anything_is_compiled(site: Site) -> None:
    site.write(FORGETFUL)

    error = refused(site)

    assert isinstance(error, InputError)
    assert str(error) == (
        "the kernel would not be what its defconfig asks for, or not boot the image\n"
        "  where:    kernel/defconfig.x86_64\n"
        "  - CONFIG_VIRTIO_BLK: Kconfig did not take it: expected y, found n\n"
        "  - CONFIG_VIRTIO_BLK: the image needs it: expected y, found n\n"
        "  fix:      mend these lines; `make menuconfig` in the kernel's source shows what an option depends on"
    )
    assert names(site.root / "assets") == []


def test_a_tarball_that_is_not_the_pinned_one_is_refused(site: Site) -> None:
    pinned = site.digest
    site.write(MAKEFILE + "# tampered\n")
    found, site.digest = site.digest, pinned

    error = refused(site)

    assert isinstance(error, IntegrityError)
    assert str(error) == (
        "the tarball is not the pinned one\n"
        f"  where:    {site.root}/config/linux.tar.xz\n"
        f"  expected: {pinned}\n"
        f"  found:    {found}\n"
        "  fix:      get it again, or pin what is there: kernel.sha256 in build.toml"
    )


def test_a_tarball_without_a_kernels_source_is_refused(site: Site) -> None:
    site.write(Kconfig="")
    error = refused(site)
    assert isinstance(error, InputError)
    assert str(error) == (
        "the tarball is not a kernel's source\n"
        f"  where:    {site.root}/config/linux.tar.xz\n"
        "  expected: one directory with Kconfig in it\n"
        "  found:    Makefile"
    )


def test_a_compilation_that_is_to_stop_ends_and_leaves_nothing(site: Site) -> None:
    started = site.root / "started"
    site.write(f"olddefconfig:\nbzImage:\n\t@touch {started}; sleep 600\n")

    with pytest.raises(UnavailableError, match="make did not end in time"):
        site.compile(stopped=started.exists)

    assert names(site.root / "assets") == []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory where programs are found: all that compile a kernel for this machine, in name."""
    directory = tmp_path / "tools"
    directory.mkdir()
    for name, _ in requirements(ARCH, b""):
        (directory / name).write_text("#!/bin/sh\n")
        (directory / name).chmod(0o755)
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(directory))
    return directory


@pytest.mark.usefixtures("tools")
def test_a_missing_defconfig_or_tarball_is_refused_before_anything_is_downloaded(site: Site) -> None:
    check_source(site.arch, site.root / "config")
    wrong = replace(site.arch, kernel=replace(site.arch.kernel, tarball="other.tar.xz"))
    with pytest.raises(InputError) as caught:
        check_source(wrong, site.root / "config")
    assert caught.value.what == "kernel.tarball is not usable"
    (site.root / "config/kernel/defconfig.x86_64").unlink()
    with pytest.raises(InputError) as caught:
        check_source(site.arch, site.root / "config")
    assert str(caught.value) == (
        "kernel.defconfig is not usable\n"
        f"  where:    {site.root}/config/kernel/defconfig.x86_64\n"
        "  expected: a file in the config directory\n"
        "  found:    nothing"
    )


def test_every_program_that_is_missing_is_named_with_its_package(site: Site, tools: Path) -> None:
    for name in names(tools):
        if name != "make":
            (tools / name).unlink()
    with (site.root / "config/kernel/defconfig.x86_64").open("a") as defconfig:
        defconfig.write("CONFIG_KERNEL_LZ4=y\n")

    with pytest.raises(UnavailableError) as caught:
        check_source(site.arch, site.root / "config")

    assert str(caught.value) == (
        "this machine cannot compile a kernel\n"
        "  where:    arch.x86_64.kernel\n"
        "  - gcc: not installed: expected the package gcc\n"
        "  - flex: not installed: expected the package flex\n"
        "  - bison: not installed: expected the package bison\n"
        "  - bc: not installed: expected the package bc\n"
        "  - tar: not installed: expected the package tar\n"
        "  - xz: not installed: expected the package xz-utils\n"
        "  - x86_64-linux-gnu-gcc: not installed: expected the package gcc\n"
        "  - x86_64-linux-gnu-ld: not installed: expected the package binutils\n"
        "  - lz4: not installed: expected the package lz4\n"
        "  fix:      apt-get install bc binutils bison flex gcc lz4 tar xz-utils"
    )


def test_a_missing_header_is_named_with_its_package(tools: Path) -> None:
    (tools / "gcc").write_text("#!/bin/sh\nread -r line\ncase $line in *gelf.h*) exit 1 ;; esac\n")
    assert [str(problem) for problem in missing(ARCH, b"")] == [
        "gelf.h: not installed: expected the package libelf-dev"
    ]


@pytest.mark.usefixtures("tools")
def test_a_foreign_kernel_wants_a_compiler_for_its_arch() -> None:
    assert [str(problem) for problem in missing("arm64", b"")] == [
        "aarch64-linux-gnu-gcc: not installed: expected the package gcc-aarch64-linux-gnu",
        "aarch64-linux-gnu-ld: not installed: expected the package binutils-aarch64-linux-gnu",
    ]
