"""Sessions with a simulated QEMU: what a guest may do that a good one does not."""

import hashlib
import math
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.vm.launch import launch, launch_unverified, run_doctor
from bitproof.vm.streams import Capture
from bitproof.vm.verified import VerifiedBootSet, VmConfig, open_unverified

from .conftest import SOFTWARE, Simulated

GREEDY = "mark = request()[2]\nwhile True: say('stdout', b'y' * 65536)"
HANGING = "say('console', b'starting\\r\\nstuck here\\r\\n'); request(); signal.pause()"


def run(boot: VerifiedBootSet, **others: object) -> tuple[int, bytes, bytes]:
    """A session's exit code, stdout and stderr."""
    out, err = Capture(1 << 20), Capture(1 << 20)
    arguments = {
        "command": ["true"],
        "timeout": 60.0,
        "accelerator": SOFTWARE,
        "stdin": None,
        "stdout": out,
        "stderr": err,
    }
    code = launch(boot, **(arguments | others))  # type: ignore[arg-type]
    return code, out.data, err.data


def test_the_exit_code_and_both_streams_come_back_apart(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("mark = request()[2]; say('stdout', b'\\0\\r\\nout'); say('stderr', b'err'); finish(mark, 7); signal.pause()")
    assert run(opened) == (7, b"\0\r\nout", b"err")


def test_an_exit_code_before_the_output_waits_for_the_output(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest(
        "mark = request()[2]; say('control', f'exit {mark} 3\\n'.encode()); say('stdout', b'late');"
        "say('stdout', mark.encode()); say('stderr', mark.encode()); signal.pause()"
    )
    assert run(opened) == (3, b"late", b"")


def test_a_guest_that_says_nothing_ends_at_the_timeout_with_its_last_console_lines(
    opened: VerifiedBootSet, guest: Simulated
) -> None:
    guest(HANGING)
    with pytest.raises(IntegrityError) as caught:
        run(opened, timeout=4.0)
    assert str(caught.value) == (
        "the guest did not finish in 4 s\n"
        "  | starting\n"
        "  | stuck here\n"
        "  fix:      give it more time with --timeout, or watch its console with -v"
    )


def test_a_reader_that_does_not_read_does_not_defeat_the_timeout(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest(GREEDY)
    reading, writing = os.pipe()
    with pytest.raises(IntegrityError, match=r"the guest did not finish in 0\.5 s"):
        run(opened, timeout=0.5, stdout=writing)
    os.close(reading)
    os.close(writing)


def test_a_reader_that_goes_away_ends_the_vm(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest(GREEDY)
    reading, writing = os.pipe()
    os.close(reading)
    assert run(opened, stdout=writing)[0] == 141
    os.close(writing)


def test_a_guest_that_ends_without_an_exit_code_is_not_a_success(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("say('console', b'Kernel panic - not syncing: \\x1b[31moops\\r\\n')")
    with pytest.raises(IntegrityError) as caught:
        run(opened)
    assert str(caught.value) == (
        "the guest ended without telling an exit code\n"
        "  | Kernel panic - not syncing: �[31moops\n"
        "  fix:      watch its console with -v"
    )


def test_a_guest_that_ends_before_its_output_has_arrived_is_not_a_success(
    opened: VerifiedBootSet, guest: Simulated
) -> None:
    guest("mark = request()[2]; say('stdout', b'half'); say('control', f'exit {mark} 0\\n'.encode())")
    with pytest.raises(IntegrityError) as caught:
        run(opened)
    assert str(caught.value) == "the guest ended before all of its output had arrived"


def test_a_guest_that_breaks_the_protocol_is_ended(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("say('control', b'exit 0\\n'); signal.pause()")
    with pytest.raises(IntegrityError, match="the guest does not keep to the protocol"):
        run(opened)


def test_a_qemu_that_fails_is_not_the_guests_fault(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("print('cannot set up guest memory', file=sys.stderr); sys.exit(1)")
    with pytest.raises(UnavailableError) as caught:
        run(opened)
    assert str(caught.value) == "QEMU failed\n  found:    exit code 1\n  | cannot set up guest memory"


def test_a_qemu_that_is_killed_is_named(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("request(); os.kill(os.getpid(), 9)")
    with pytest.raises(UnavailableError) as caught:
        run(opened)
    assert str(caught.value) == "QEMU failed\n  found:    killed by signal 9"


def test_standard_input_arrives_whole_and_ends(opened: VerifiedBootSet, guest: Simulated, tmp_path: Path) -> None:
    sent = os.urandom(1 << 20)
    (tmp_path / "input").write_bytes(sent)
    guest(
        "import hashlib; told = request(); found = hashlib.sha256(sockets['stdin'].makefile('rb').read()).hexdigest();"
        "say('stdout', (told[4] + found).encode()); finish(told[2], 0); signal.pause()"
    )
    with (tmp_path / "input").open("rb") as stdin:
        code, out, _ = run(opened, stdin=stdin.fileno())
    assert (code, out.decode()) == (0, "1" + hashlib.sha256(sent).hexdigest())


def test_the_console_is_shown_when_asked_for(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("say('console', b'booting, '); told = request(); say('stderr', b'done'); finish(told[2], 0); signal.pause()")
    assert run(opened)[2] == b"done"
    assert run(opened, console=True)[2] == b"booting, done"


def test_without_terminal_and_command_a_shell_reads_a_script(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest(
        "import base64; told = request(); say('stdout', base64.b64decode(told[6]) + told[3].encode());"
        "finish(told[2], 0); signal.pause()"
    )
    assert run(opened, command=None)[1] == b"/bin/sh -lcommand"


@pytest.mark.parametrize("timeout", [0.0, -1.0, math.nan, math.inf])
def test_a_timeout_that_is_no_time_is_refused(opened: VerifiedBootSet, timeout: float) -> None:
    with pytest.raises(InputError) as caught:
        run(opened, timeout=timeout)
    assert str(caught.value) == (f"the timeout is not a time\n  expected: more than 0 seconds\n  found:    {timeout:g}")


def test_a_timeout_may_be_longer_than_poll_can_wait(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("finish(request()[2], 7); signal.pause()")
    assert run(opened, timeout=1e9)[0] == 7


def test_a_doctor_that_is_not_there_is_a_failed_report(opened: VerifiedBootSet, guest: Simulated) -> None:
    guest("finish(request()[2], 127); signal.pause()")
    report = run_doctor(opened, timeout=60, accelerator=SOFTWARE)
    assert not report.ok
    assert report.findings[0].found.endswith("exit code 127")


def test_the_unverified_door_boots_the_same_way(small: VmConfig, guest: Simulated) -> None:
    guest("finish(request()[2], 4); signal.pause()")
    with open_unverified(small) as boot:
        assert launch_unverified(boot, command=["true"], timeout=60, accelerator=SOFTWARE) == 4


HOST = """
import sys
from pathlib import Path
from bitproof.vm.accelerator import Accelerator
from bitproof.vm.launch import launch_unverified
from bitproof.vm.verified import VmConfig, open_unverified
kernel, initrd, rootfs = map(Path, sys.argv[1:])
with open_unverified(VmConfig(kernel=kernel, initrd=initrd, rootfs=rootfs, arch="x86_64")) as boot:
    try:
        sys.exit(launch_unverified(boot, command=["true"], accelerator=Accelerator("tcg", "")))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@contextmanager
def host_and_qemu(config: VmConfig) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A host in a process of its own, and a descriptor that tells the end of its QEMU, which printed its process id."""
    argv = [sys.executable, "-c", HOST, str(config.kernel), str(config.initrd), str(config.rootfs)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        qemu = os.pidfd_open(int(host.stdout.readline()))
        try:
            yield host, qemu
        finally:
            os.close(qemu)
            host.kill()


RUNNING = "request(); say('stdout', f'{os.getpid()}\\n'.encode()); signal.pause()"


def has_ended(process: int) -> bool:
    """Whether the process of a pidfd ends within a minute."""
    return bool(select.select([process], [], [], 60)[0])


def test_qemu_does_not_outlive_a_host_that_is_killed(small: VmConfig, guest: Simulated) -> None:
    guest(RUNNING)
    with host_and_qemu(small) as (host, qemu):
        host.kill()
        assert has_ended(qemu)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_host_ends_the_vm(small: VmConfig, guest: Simulated, number: signal.Signals) -> None:
    guest(RUNNING)
    with host_and_qemu(small) as (host, qemu):
        host.send_signal(number)
        assert has_ended(qemu)
        assert host.wait(60) == 130
