"""Start QEMU on an open boot set, and stay until the guest has told how it went (FORMATS section 7, ``vm boot``).

`launch` takes a `VerifiedBootSet` and nothing else; `launch_unverified` is the other door. QEMU never outlives this
process, however that ends (`system.process.tethered`).
"""

import math
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.model.report import Report
from bitproof.system.interruption import signals_interrupt
from bitproof.system.opened import unavailable
from bitproof.system.process import ENVIRONMENT, end_group, last_lines, tethered
from bitproof.vm.accelerator import Accelerator, choose
from bitproof.vm.guest import DOCTOR, MAX_RESULT, quoted_command, read_doctor
from bitproof.vm.qemu import SOCKETS, find_qemu, qemu_argv
from bitproof.vm.session import Ends, Session
from bitproof.vm.streams import Capture, Outlet, Sink
from bitproof.vm.terminal import describe, raw
from bitproof.vm.verified import OpenBootSet, UnverifiedBootSet, VerifiedBootSet

LOGIN_SHELL = ("/bin/sh", "-l")
"""What reads a script from standard input when there is no terminal and no command."""
READER_GONE = 128 + signal.SIGPIPE
REAP_SECONDS = 5.0


def launch(
    boot: VerifiedBootSet,
    *,
    command: Sequence[str] | None = None,
    timeout: float | None = None,
    console: bool = False,
    accelerator: Accelerator | None = None,
    stdin: int | None = 0,
    stdout: int | Sink = 1,
    stderr: int | Sink = 2,
) -> int:
    """Run a command in the guest, or a shell on its console, and return the exit code.

    Call it where the process waits for nothing else: QEMU is tied to the calling thread.

    Args:
        boot: from `verified.open_verified`.
        command: program and arguments; None: a shell, on the console when ``stdin`` is a terminal.
        timeout: seconds for everything from QEMU's start on.
        console: show the guest's console on ``stderr`` during a command.
        accelerator: from `accelerator.choose`; chosen here when absent.
        stdin: descriptor; None: the command reads nothing.
        stdout: descriptor or sink.
        stderr: descriptor or sink.

    Returns:
        the command's exit code, 128 + n when signal n killed it, 141 when the reader of stdout went away.

    Raises:
        InputError: the command or the timeout is not acceptable.
        IntegrityError: the guest ended without telling an exit code, or took too long; with its last console lines.
        UnavailableError: QEMU is not installed or failed.
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP, or Ctrl-a x at the console.
    """
    streams = (stdin, stdout, stderr)
    return _launch(boot, command, timeout, console=console, accelerator=accelerator, streams=streams)


def launch_unverified(
    boot: UnverifiedBootSet,
    *,
    command: Sequence[str] | None = None,
    timeout: float | None = None,
    console: bool = False,
    accelerator: Accelerator | None = None,
) -> int:
    """As `launch`, for bytes that nobody vouches for; the caller says so to the user."""
    return _launch(boot, command, timeout, console=console, accelerator=accelerator, streams=(0, 1, 2))


def run_doctor(
    boot: VerifiedBootSet, *, timeout: float | None, console: bool = False, accelerator: Accelerator | None = None
) -> Report:
    """Let the guest check itself and return its report. Raises as `launch` does."""
    result = Capture(MAX_RESULT)
    code = launch(
        boot, command=DOCTOR, timeout=timeout, console=console, accelerator=accelerator, stdin=None, stdout=result
    )
    return read_doctor(result.data, code)


def _launch(
    boot: OpenBootSet,
    command: Sequence[str] | None,
    timeout: float | None,
    *,
    console: bool,
    accelerator: Accelerator | None,
    streams: tuple[int | None, int | Sink, int | Sink],
) -> int:
    stdin, stdout, stderr = streams
    if timeout is not None and not 0 < timeout < math.inf:  # nor NaN, of which no comparison holds
        raise InputError("the timeout is not a time", expected="more than 0 seconds", found=f"{timeout:g}")
    shell = command is None and stdin is not None and os.isatty(stdin)
    quoted = None if shell else quoted_command(LOGIN_SHELL if command is None else command)
    qemu = find_qemu(boot.config.arch)
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt())
        out, errors = _sink(stdout, stack), _sink(stderr, stack)
        child, sockets = stack.enter_context(_running(qemu, boot, accelerator or choose(boot.config.arch, qemu)))
        if shell and stdin is not None:
            stack.enter_context(raw(stdin))
        ends = Ends(
            command=quoted,
            stdin=stdin,
            stdout=out,
            stderr=errors,
            console=errors if console else None,
            errors=_stderr(child),
            terminal=describe(stdin or 0, os.environ.get("TERM", "")),
            timeout=timeout,
            root_hash=boot.verity.root_hash.value if boot.verity else "",
        )
        session = Session(sockets, ends)
        try:
            code = session.run()
        except BrokenPipeError:
            return READER_GONE
        if code is None:
            raise _ended_early(child, session)
        return code


@contextmanager
def _running(
    qemu: str, boot: OpenBootSet, accelerator: Accelerator
) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, socket.socket]]]:
    """QEMU and the host's ends of its sockets; both are gone after the block."""
    with ExitStack() as stack:
        ours, theirs = {}, {}
        for name in SOCKETS:
            ours[name], theirs[name] = (stack.enter_context(end) for end in socket.socketpair())
            ours[name].settimeout(0)
        try:
            child = subprocess.Popen(
                tethered(qemu_argv(qemu, boot, accelerator, {name: end.fileno() for name, end in theirs.items()})),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                pass_fds=(
                    boot.kernel,
                    boot.initrd,
                    boot.rootfs,
                    *boot.leases,
                    *(end.fileno() for end in theirs.values()),
                ),
                start_new_session=True,
            )
        except OSError as error:
            raise unavailable(error, "QEMU cannot be started", qemu) from None
        stack.callback(end_group, child)
        for end in theirs.values():
            end.close()
        yield child, ours


def _stderr(child: "subprocess.Popen[bytes]") -> int:
    if child.stderr is None:
        raise TypeError("QEMU was started without a pipe for its errors")
    return child.stderr.fileno()


def _sink(target: int | Sink, stack: ExitStack) -> Sink:
    if not isinstance(target, int):
        return target
    outlet = Outlet(target)
    stack.callback(outlet.close)
    return outlet


def _ended_early(child: "subprocess.Popen[bytes]", session: Session) -> BitproofError:
    """Why there is no exit code: QEMU failed, or the guest went away."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(REAP_SECONDS)
    if child.returncode:
        found = f"exit code {child.returncode}" if child.returncode > 0 else f"killed by signal {-child.returncode}"
        return UnavailableError("QEMU failed", found=found, details=last_lines(session.error_tail.data))
    return IntegrityError(
        "the guest ended without telling an exit code",
        details=last_lines(session.console_tail.data),
        fix="watch its console with -v",
    )
