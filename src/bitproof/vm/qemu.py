"""The command line of QEMU for a boot set. Pure, but for finding the program.

Direct kernel boot; every file is a descriptor that QEMU inherits, none is opened by name. The machine is chosen by
measurement (docs/decisions): q35 without its unused parts reaches the first command soonest of those that need no
kernel words of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bitproof.system.process import find_program
from bitproof.vm.accelerator import KVM, Accelerator
from bitproof.vm.guest import PORTS
from bitproof.vm.verified import OpenBootSet

CONSOLE = "console"
SOCKETS = (CONSOLE, *PORTS)
"""The names of the sockets between QEMU and the host: the serial console, then the ports of the session."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What differs from arch to arch."""

    program: str
    package: str
    machine: str
    console: str


MACHINES = {
    "x86_64": Machine(
        "qemu-system-x86_64", "qemu-system-x86", "q35,hpet=off,smm=off,vmport=off,sata=off,smbus=off", "ttyS0"
    ),
    "arm64": Machine("qemu-system-aarch64", "qemu-system-arm", "virt", "ttyAMA0"),
}


def find_qemu(arch: str) -> str:
    """The path of the QEMU for an arch.

    Raises:
        UnavailableError: it is not installed; says which Debian package holds it.
    """
    machine = MACHINES[arch]
    return find_program(machine.program, machine.package)


def command_line(boot: OpenBootSet) -> str:
    """The kernel's: a dead init ends the VM (panic=-1 with -no-reboot), the user's words come late and so win.

    The root hash comes after them: nothing that is appended takes it away.
    """
    words = [
        f"console={MACHINES[boot.config.arch].console}",
        "panic=-1",
        "quiet",
        "bitproof.control",
        boot.config.append,
        f"bitproof.verity={boot.verity.parameter}" if boot.verity else "",
    ]
    return " ".join(word for word in words if word)


def qemu_argv(qemu: str, boot: OpenBootSet, accelerator: Accelerator, sockets: Mapping[str, int]) -> list[str]:
    """QEMU's arguments.

    Args:
        qemu: the program's path.
        boot: descriptors and config.
        accelerator: from `accelerator.choose`.
        sockets: a connected socket's descriptor for every name of `SOCKETS`.
    """
    kvm = accelerator.name == KVM
    config = boot.config
    argv = [qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    argv += ["-machine", MACHINES[config.arch].machine, "-accel", "kvm" if kvm else "tcg,thread=multi"]
    argv += ["-cpu", "host" if kvm else "max", "-smp", str(config.cpus), "-m", str(config.memory)]
    argv += ["-kernel", f"/proc/self/fd/{boot.kernel}", "-initrd", f"/proc/self/fd/{boot.initrd}"]
    argv += ["-append", command_line(boot)]
    argv += ["-add-fd", f"fd={boot.rootfs},set=1,opaque=rootfs"]
    argv += [
        "-drive",
        "file=/dev/fdset/1,format=raw,if=none,id=rootfs,readonly=on",
        "-device",
        "virtio-blk-pci,drive=rootfs",
    ]
    argv += ["-device", "virtio-rng-pci"]
    argv += ["-chardev", _socket(CONSOLE, sockets), "-serial", f"chardev:{CONSOLE}", "-device", "virtio-serial-pci"]
    for port in PORTS:
        argv += ["-chardev", _socket(port, sockets), "-device", f"virtserialport,chardev={port},name=bitproof.{port}"]
    return argv


def _socket(name: str, sockets: Mapping[str, int]) -> str:
    return f"socket,id={name},fd={sockets[name]}"
