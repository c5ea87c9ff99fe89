import shutil
import sys
from pathlib import Path

import pytest

from bitproof.errors import InputError
from bitproof.vm.accelerator import ANSWERED, ROM_SIZE, Accelerator, Host, choose, probe, probe_rom


def host(directory: Path, *, machine: str = "x86_64", kvm: bool = True, flags: str = "fpu vmx sse") -> Host:
    device, cpuinfo = directory / "kvm", directory / "cpuinfo"
    if kvm:
        device.touch(0o600)
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    return Host(machine, device, cpuinfo)


def program(directory: Path, python: str) -> str:
    """A program in QEMU's place."""
    path = directory / "qemu"
    path.write_text(f"#!{sys.executable}\n{python}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.image
def test_the_probe_rom_runs_to_its_end_under_software_emulation() -> None:
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu, "apt-get install qemu-system-x86"
    assert probe(qemu, "tcg", 60)


def test_the_rom_is_one_segment_with_a_jump_at_the_reset_vector() -> None:
    rom = probe_rom()
    assert len(rom) == ROM_SIZE == 65536
    assert rom[0xFFF0:0xFFF3] == b"\xe9\x0d\x00"
    assert rom[:6] == b"\x66\xb9\x00\x00\x00\x01"


def test_a_kvm_that_hangs_is_killed_at_the_deadline(tmp_path: Path) -> None:
    assert not probe(program(tmp_path, "import signal; signal.pause()"), "kvm", 0.2)


@pytest.mark.parametrize("python", ["raise SystemExit(1)", "raise SystemExit(0)", "import os; os.kill(os.getpid(), 9)"])
def test_a_kvm_that_gives_another_answer_does_not_work(tmp_path: Path, python: str) -> None:
    assert not probe(program(tmp_path, python), "kvm", 30)


def test_kvm_that_passes_its_probe_is_chosen(tmp_path: Path) -> None:
    qemu = program(tmp_path, f"raise SystemExit({ANSWERED})")
    assert choose("x86_64", qemu, host=host(tmp_path)) == Accelerator("kvm", "KVM passed its probe")


@pytest.mark.parametrize(
    ("arch", "given", "reason"),
    [
        ("arm64", {}, "the guest is arm64, this machine is x86_64"),
        ("x86_64", {"machine": "aarch64"}, "the guest is x86_64, this machine is aarch64"),
        ("x86_64", {"kvm": False}, "there is no {}/kvm"),
        ("x86_64", {"flags": "fpu sse vmxx"}, "the CPU shows neither vmx nor svm"),
    ],
)
def test_software_emulation_says_why(tmp_path: Path, arch: str, given: dict[str, str], reason: str) -> None:
    chosen = choose(arch, "/nowhere/qemu", host=host(tmp_path, **given))  # type: ignore[arg-type]
    assert chosen == Accelerator("tcg", reason.format(tmp_path))


def test_a_failed_probe_is_a_reason(tmp_path: Path) -> None:
    chosen = choose("x86_64", program(tmp_path, "raise SystemExit(1)"), host=host(tmp_path))
    assert chosen == Accelerator("tcg", "KVM did not pass its probe within 3 s")


@pytest.mark.parametrize("wanted", ["kvm", "tcg"])
def test_the_users_word_is_taken_without_a_question(wanted: str) -> None:
    assert choose("x86_64", "/nowhere/qemu", wanted=wanted) == Accelerator(wanted, "BITPROOF_ACCEL says so")


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        choose("x86_64", "/nowhere/qemu", wanted="xen")
    assert str(caught.value) == (
        "not an accelerator\n  where:    BITPROOF_ACCEL\n  expected: kvm or tcg\n  found:    xen"
    )
