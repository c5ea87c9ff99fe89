"""Kernels from source, and another arch, the whole way: minutes each, so `make slow` alone runs them."""

import shutil
import statistics
import time
from pathlib import Path

import pytest

from bitproof.model.report import Verdict
from bitproof.vm.launch import run_doctor
from bitproof.vm.verified import open_verified
from tests.conftest import EPOCH, GUEST
from tests.vm.conftest import SOFTWARE, config_of

from .conftest import BINARY, Outcome, spawn

pytestmark = [pytest.mark.slow, pytest.mark.image]

SOURCE = 'source = "linux-source-6.1"'
PATIENCE = 3 * 3600.0
"""Seconds for a build on a slow and busy machine."""
BOOT_PATIENCE = 600.0
BOOTS = 5


def product(directory: Path, **kernels: str) -> Path:
    """A project with the example's guest, whose arches have these kernels."""
    shutil.copytree(GUEST, directory / "guest")
    tables = "".join(
        f'[arch.{arch}]\nsuite = "bookworm"\nkernel = {{ {kernel} }}\nrootfs = {{ format = "squashfs" }}\n'
        for arch, kernel in kernels.items()
    )
    (directory / "guest/config/build.toml").write_text(f'compression = "zstd"\nlevel = 3\n{tables}')
    return directory


def bitproof(directory: Path, *words: str, umask: int = 0o022, **environment: str) -> Outcome:
    """Run a command in a project; what it says of its stages is in ``err``."""
    variables = {"SOURCE_DATE_EPOCH": str(EPOCH), **environment}
    with spawn("-v", *words, cwd=directory, umask=umask, environment=variables) as child:
        out, err = child.communicate(timeout=PATIENCE)
    return Outcome(child.returncode, out, err)


def build(directory: Path, *arches: str, umask: int = 0o022, **environment: str) -> str:
    """Build some arches; the stages."""
    words = [word for arch in arches for word in ("--arch", arch)]
    done = bitproof(directory, "assets", "build", "--binary-version", BINARY, *words, umask=umask, **environment)
    assert done.code == 0, done.err
    return done.err


def kernel(project: Path, arch: str) -> bytes:
    return (project / "assets" / arch / "vmlinuz").read_bytes()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product of two arches, built by one command: x86_64 with a kernel from source, arm64 with Debian's."""
    project = product(tmp_path_factory.mktemp("both"), x86_64=SOURCE, arm64='package = "linux-image-cloud-arm64"')
    assert "kernel compile: there is none yet\n" in build(project, "x86_64", "arm64")
    return project


def test_both_arches_are_in_one_release(both: Path) -> None:
    releases = bitproof(both, "assets", "list", "--json").document["manifest"]["assets"]["releases"]
    assert {version: sorted(release["arches"]) for version, release in releases.items()} == {
        "2023.1114.1": ["arm64", "x86_64"]
    }
    assert bitproof(both, "assets", "verify", "--assets", "assets", "--arch", "x86_64", "--arch", "arm64").code == 0


@pytest.mark.parametrize("how", [(), ("--verity",)], ids=["plain", "verity"])
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_doctor_passes_in_a_guest_of_either_arch(both: Path, arch: str, how: tuple[str, ...]) -> None:
    doctor_passes(both, arch, *how)


def doctor_passes(project: Path, arch: str, *how: str) -> None:
    words = ("vm", "doctor", "--assets", "assets", "--arch", arch, "--timeout", f"{BOOT_PATIENCE:g}", *how)
    done = bitproof(project, *words)
    assert done.code == 0, done.out + done.err


def doctor_seconds(directory: Path) -> float:
    """How long a guest takes from QEMU's start to the end of a passed doctor."""
    with open_verified(config_of(directory)) as boot:
        began = time.monotonic()
        report = run_doctor(boot, timeout=BOOT_PATIENCE, accelerator=SOFTWARE)
    assert [finding for finding in report.findings if finding.verdict is not Verdict.OK] == []
    return time.monotonic() - began


def test_a_kernel_from_source_boots_to_a_passed_doctor_in_less_time_than_debians(
    both: Path, built_assets: Path
) -> None:
    seconds: dict[str, list[float]] = {"source": [], "package": []}
    for _ in range(BOOTS):  # by turns, so that both meet the same load
        seconds["source"].append(doctor_seconds(both / "assets/x86_64"))
        seconds["package"].append(doctor_seconds(built_assets / "x86_64"))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    assert medians["source"] < medians["package"], seconds


def test_the_same_source_gives_the_same_kernel_in_another_directory(both: Path, tmp_path: Path) -> None:
    other = product(tmp_path / "quite" / "another place", x86_64=SOURCE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    build(other, "x86_64", umask=0o077, TMPDIR=str(scratch), TZ="Pacific/Kiritimati", LC_ALL="C")

    assert kernel(other, "x86_64") == kernel(both, "x86_64")
    assert str(tmp_path).encode() not in kernel(other, "x86_64")
    assert list(scratch.iterdir()) == []
    assert [path.name for path in (other / "assets").iterdir() if path.name.endswith(".log")] == []

    before = (other / "assets/x86_64/vmlinuz").stat()
    assert "kernel kept: made from the same inputs\n" in build(other, "x86_64")
    assert (other / "assets/x86_64/vmlinuz").stat() == before


def test_a_kernel_of_arm64_is_compiled_here_and_boots(tmp_path: Path) -> None:
    project = product(tmp_path / "product", arm64=SOURCE)
    build(project, "arm64")
    doctor_passes(project, "arm64")
    doctor_passes(project, "arm64", "--verity")
