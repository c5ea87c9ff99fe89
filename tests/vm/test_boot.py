"""The built image in the real QEMU, software emulation: a few seconds a boot."""

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from bitproof.errors import IntegrityError
from bitproof.model.report import Verdict
from bitproof.vm.guest import read_doctor
from bitproof.vm.launch import launch, run_doctor
from bitproof.vm.streams import Capture
from bitproof.vm.verified import VmConfig, open_verified

from .conftest import SOFTWARE

pytestmark = pytest.mark.image

PATIENCE = 120.0


def run(config: VmConfig, command: Sequence[str], stdin: bytes | None = None) -> tuple[int, bytes, bytes]:
    """A command's exit code, stdout and stderr."""
    out, err = Capture(1 << 26), Capture(1 << 20)
    reading, writing = os.pipe()
    os.write(writing, stdin or b"")
    os.close(writing)
    try:
        with open_verified(config) as boot:
            code = launch(
                boot,
                command=command,
                timeout=PATIENCE,
                accelerator=SOFTWARE,
                stdin=None if stdin is None else reading,
                stdout=out,
                stderr=err,
            )
    finally:
        os.close(reading)
    return code, out.data, err.data


def test_a_command_reads_and_writes_every_byte_apart_and_its_exit_code_comes_back(image: VmConfig) -> None:
    every = bytes(range(256)) * 64 + b"\r\n\0"
    script = "cat; echo 'to stderr' >/dev/stderr; echo \"$MICROVM $1\" >&2; (sleep 1000 &) ; exit 7"
    code, out, err = run(image, ["sh", "-c", script, "sh", "two words\nand a line"], every)
    assert (code, err) == (7, b"to stderr\n1 two words\nand a line\n")
    assert out == every


def test_much_output_arrives_whole_and_a_signal_is_told(image: VmConfig) -> None:
    code, out, _ = run(image, ["sh", "-c", "head -c 20000000 /dev/zero; kill -TERM $$"])
    assert (code, len(out), out.count(0)) == (143, 20_000_000, 20_000_000)


TIMEOUTS = (6, 12, 60)
"""Seconds in which a kernel comes to its end: on most machines, on a busy one, on any."""


def test_a_guest_that_hangs_ends_at_the_timeout_with_the_consoles_last_lines(image: VmConfig) -> None:
    hanging = VmConfig(
        **{field: getattr(image, field) for field in ("kernel", "initrd", "rootfs", "arch", "pins")},
        append="root=nothing rdinit=/bin/sh-that-is-missing panic=0",
    )
    for seconds in TIMEOUTS:
        with open_verified(hanging) as boot, pytest.raises(IntegrityError) as caught:
            launch(boot, command=["true"], timeout=seconds, accelerator=SOFTWARE, stdin=None)
        assert caught.value.what == f"the guest did not finish in {seconds} s"
        if any("Kernel panic" in line for line in caught.value.details):
            return
    pytest.fail(f"no panic on the console: {caught.value.details}")


def test_a_guest_that_powers_off_by_itself_is_not_a_success(image: VmConfig) -> None:
    script = "echo going down >/dev/console; exec /usr/local/lib/bitproof/busybox poweroff -f"
    with pytest.raises(IntegrityError) as caught:
        run(image, ["sh", "-c", script])
    assert caught.value.what == "the guest ended without telling an exit code"
    assert "going down" in caught.value.details


def test_the_doctor_passes_every_check_and_tells_the_boot_stages(image: VmConfig) -> None:
    with open_verified(image) as boot:
        report = run_doctor(boot, timeout=PATIENCE, accelerator=SOFTWARE)
    assert [finding for finding in report.findings if finding.verdict is not Verdict.OK] == []
    assert report.ok
    assert len(report.findings) > 20
    stages = next(finding.found for finding in report.findings if finding.name == "boot stages")
    assert [stage.split()[0] for stage in stages.split(", ")] == ["kernel", "modules", "disk", "root", "ready"]


SPOILED = """
busybox=/usr/local/lib/bitproof/busybox
touch /usr/bin/mine && chmod 4755 /usr/bin/mine
date -s 2001-02-03 >/dev/null
rm /usr/bin/awk
mount -o remount,suid /tmp
mount -t tmpfs -o ro none /var/tmp
unset MICROVM
echo late 1 >>/run/bitproof/stages
bitproof-doctor | grep -c FAIL >&2
exec bitproof-doctor --json
"""


def test_the_doctor_fails_what_is_not_as_promised(image: VmConfig) -> None:
    code, out, err = run(image, ["sh", "-c", SPOILED])
    report = read_doctor(out, code)
    found = {finding.name: finding.found for finding in report.findings if finding.verdict is not Verdict.OK}
    assert code == 1
    assert int(found.pop("clock against the host's").split()[0]) > 60
    assert found == {
        "/var/tmp": "the write was refused",  # noqa: S108 - a directory of the guest
        "mount /tmp": "tmpfs nodev",
        "setuid and setgid files": "/usr/bin/mine",
        "required utilities": "without awk",
        "boot stages": "kernel modules disk root ready late, out of order",
        "environment MICROVM": "set to nothing",
    }
    assert err == b"7\n"


SHELL = """
import sys
from pathlib import Path
from bitproof.vm.accelerator import Accelerator
from bitproof.vm.launch import launch_unverified
from bitproof.vm.verified import VmConfig, open_unverified
kernel, initrd, rootfs = map(Path, sys.argv[1:])
with open_unverified(VmConfig(kernel=kernel, initrd=initrd, rootfs=rootfs, arch="x86_64")) as boot:
    sys.exit(launch_unverified(boot, timeout=120, accelerator=Accelerator("tcg", "")))
"""


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What comes from a terminal up to ``wanted``."""
    received = b""
    while wanted not in received:
        assert select.select([terminal], [], [], PATIENCE)[0], f"nothing more came after {received!r}"
        received += os.read(terminal, 4096)
    return received


def test_a_shell_on_a_terminal_has_its_size_and_job_control_and_leaves_it_as_it_was(image: VmConfig) -> None:
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (37, 111))
    before = termios.tcgetattr(terminal)
    argv: list[str | Path] = [sys.executable, "-c", SHELL, image.kernel, image.initrd, image.rootfs]
    with subprocess.Popen(argv, stdin=terminal, stdout=terminal) as host:
        read_until(controller, b"# ")
        # The foreground job itself says that it is there to be interrupted; the typed line does not hold that word.
        os.write(controller, b"stty size; sh -c \"echo run''ning; exec sleep 1000\"\n")
        assert b"37 111" in read_until(controller, b"running")
        os.write(controller, b"\x03")
        read_until(controller, b"# ")
        os.write(controller, b"echo $(($?)) in $TERM; exit 9\n")
        read_until(controller, b"130 in")
        assert host.wait(60) == 9
    assert termios.tcgetattr(terminal) == before
    os.close(controller)
    os.close(terminal)
