"""Which accelerator runs the guest: KVM when it *works*, else software emulation (TCG), and why.

A ``/dev/kvm`` that is there may hang, or may be an instruction emulator a thousand times slower than software
emulation. So the last question goes to QEMU itself, with a deadline: a 64 KiB ROM whose reset
vector counts down from 2²⁴ and then writes to the debug-exit port.
"""

import os
import platform
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bitproof.errors import InputError
from bitproof.model.names import arch_key
from bitproof.system.content import write_all
from bitproof.system.process import ENVIRONMENT, end_group, tethered

KVM = "kvm"
TCG = "tcg"
PROBE_SECONDS = 3.0
"""A working KVM answers in a tenth of a second, QEMU's start included."""

ROM_SIZE = 64 << 10
_COUNT = 1 << 24
_RESET = 0xFFF0
_ANSWER = 0x10
ANSWERED = _ANSWER << 1 | 1
"""QEMU's exit code when the ROM's program came to its end (isa-debug-exit shifts and adds one)."""

_CPU_FLAGS = frozenset({"vmx", "svm"})


@dataclass(frozen=True, slots=True)
class Accelerator:
    """QEMU's name of the accelerator, and why it is this one."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Host:
    """What of this machine the choice depends on."""

    machine: str
    kvm: Path = Path("/dev/kvm")
    cpuinfo: Path = Path("/proc/cpuinfo")

    @classmethod
    def here(cls) -> "Host":
        """This machine."""
        return cls(platform.machine())


def choose(arch: str, qemu: str, *, wanted: str = "", host: Host | None = None) -> Accelerator:
    """Choose the accelerator for a guest.

    Args:
        arch: the guest's arch key.
        qemu: the path of the QEMU that will run it (see `qemu.find_qemu`).
        wanted: ``kvm`` or ``tcg`` (``BITPROOF_ACCEL``): no question is asked then. Empty: look.
        host: this machine when absent.

    Raises:
        InputError: ``wanted`` is something else.
    """
    if wanted in {KVM, TCG}:
        return Accelerator(wanted, "BITPROOF_ACCEL says so")
    if wanted:
        raise InputError("not an accelerator", where="BITPROOF_ACCEL", expected=f"{KVM} or {TCG}", found=wanted)
    hindrance = _hindrance(arch, qemu, host or Host.here())
    return Accelerator(TCG, hindrance) if hindrance else Accelerator(KVM, "KVM passed its probe")


def _hindrance(arch: str, qemu: str, host: Host) -> str:
    """Why KVM cannot run this guest; empty when it can. The cheap questions come first."""
    if arch_key(host.machine) != arch:
        return f"the guest is {arch}, this machine is {host.machine}"
    if not os.access(host.kvm, os.R_OK | os.W_OK):
        return f"{host.kvm} cannot be opened" if host.kvm.exists() else f"there is no {host.kvm}"
    if arch != "x86_64":
        return ""
    flags = next(
        (line for line in host.cpuinfo.read_text("ascii", "replace").splitlines() if line.startswith("flags")), ""
    )
    if not _CPU_FLAGS & set(flags.split()):
        return "the CPU shows neither vmx nor svm"
    return "" if probe(qemu, KVM) else f"KVM did not pass its probe within {PROBE_SECONDS:g} s"


def probe_rom() -> bytes:
    """The ROM: real-mode code at its start, a jump to it at the x86 reset vector, 16 bytes before its end."""
    code = b"\x66\xb9" + struct.pack("<I", _COUNT)  # mov ecx, COUNT
    code += b"\x66\x49\x75\xfc"  # again: dec ecx; jnz again
    code += b"\xb0" + bytes([_ANSWER]) + b"\xe6\xf4"  # mov al, ANSWER; out 0xf4, al
    code += b"\xf4\xeb\xfd"  # halt: hlt; jmp halt
    jump = b"\xe9" + struct.pack("<H", ROM_SIZE - _RESET - 3)  # jmp to offset 0 of the segment
    return (code.ljust(_RESET, b"\xf4") + jump).ljust(ROM_SIZE, b"\xf4")


def probe(qemu: str, accelerator: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether QEMU with this accelerator runs the ROM to its end in time. It is killed when it does not."""
    rom = os.memfd_create("bitproof-probe", os.MFD_CLOEXEC)
    try:
        write_all(rom, probe_rom())
        argv = [
            qemu,
            "-accel",
            accelerator,
            "-machine",
            "pc",
            "-m",
            "16",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
        ]
        argv += ["-bios", f"/proc/self/fd/{rom}", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        child = subprocess.Popen(
            tethered(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            pass_fds=(rom,),
            start_new_session=True,
        )
        try:
            return child.wait(seconds) == ANSWERED
        except subprocess.TimeoutExpired:
            return False
        finally:
            end_group(child)
    except OSError:
        return False
    finally:
        os.close(rom)
