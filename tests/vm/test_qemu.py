from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.model.digest import Digest
from bitproof.model.verity import Verity
from bitproof.vm.accelerator import Accelerator
from bitproof.vm.qemu import command_line, qemu_argv
from bitproof.vm.verified import UnverifiedBootSet, VmConfig

NOWHERE = Path("/nowhere")
CONFIG = VmConfig(kernel=NOWHERE, initrd=NOWHERE, rootfs=NOWHERE, arch="x86_64", cpus=3, memory=640)
SOCKETS = {"console": 20, "control": 21, "stdin": 22, "stdout": 23, "stderr": 24}


def boot_set(config: VmConfig) -> UnverifiedBootSet:
    return UnverifiedBootSet(config=config, kernel=10, initrd=11, rootfs=12, leases=(13, 14, 12))


def test_the_whole_command_line() -> None:
    argv = qemu_argv("/usr/bin/qemu", boot_set(CONFIG), Accelerator("tcg", ""), SOCKETS)
    assert argv == [
        *("/usr/bin/qemu", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35,hpet=off,smm=off,vmport=off,sata=off,smbus=off", "-accel", "tcg,thread=multi"),
        *("-cpu", "max", "-smp", "3", "-m", "640"),
        *("-kernel", "/proc/self/fd/10", "-initrd", "/proc/self/fd/11"),
        *("-append", "console=ttyS0 panic=-1 quiet bitproof.control"),
        *("-add-fd", "fd=12,set=1,opaque=rootfs"),
        *(
            "-drive",
            "file=/dev/fdset/1,format=raw,if=none,id=rootfs,readonly=on",
            "-device",
            "virtio-blk-pci,drive=rootfs",
        ),
        *("-device", "virtio-rng-pci"),
        *("-chardev", "socket,id=console,fd=20", "-serial", "chardev:console", "-device", "virtio-serial-pci"),
        *("-chardev", "socket,id=control,fd=21", "-device", "virtserialport,chardev=control,name=bitproof.control"),
        *("-chardev", "socket,id=stdin,fd=22", "-device", "virtserialport,chardev=stdin,name=bitproof.stdin"),
        *("-chardev", "socket,id=stdout,fd=23", "-device", "virtserialport,chardev=stdout,name=bitproof.stdout"),
        *("-chardev", "socket,id=stderr,fd=24", "-device", "virtserialport,chardev=stderr,name=bitproof.stderr"),
    ]


def test_kvm_runs_with_the_hosts_cpu() -> None:
    argv = qemu_argv("/usr/bin/qemu", boot_set(CONFIG), Accelerator("kvm", ""), SOCKETS)
    assert argv[argv.index("-accel") + 1] == "kvm"
    assert argv[argv.index("-cpu") + 1] == "host"


@pytest.mark.parametrize(("arch", "console"), [("x86_64", "ttyS0"), ("arm64", "ttyAMA0")])
def test_the_users_words_come_last_so_that_they_win(arch: str, console: str) -> None:
    config = replace(CONFIG, arch=arch, append="panic=5 debug")
    assert command_line(boot_set(config)) == f"console={console} panic=-1 quiet bitproof.control panic=5 debug"


def test_the_root_hash_comes_after_the_users_words_so_that_none_of_them_takes_it_away() -> None:
    boot = replace(
        boot_set(replace(CONFIG, append="bitproof.verity=")), verity=Verity(3, Digest("sha256", "a" * 64), "")
    )
    assert command_line(boot) == (
        f"console=ttyS0 panic=-1 quiet bitproof.control bitproof.verity= bitproof.verity=3:{'a' * 64}:-"
    )
