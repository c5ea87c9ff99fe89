"""Other programs: found or named as missing, run with an environment that is made and not inherited, ended in time."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.system.warden import guarded

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""What every program gets; callers add by name."""
QUOTED_LINES = 20

_TETHER = """
import ctypes, os, signal, sys
parent, *argv = sys.argv[1:]
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0 and os.getppid() == int(parent):
    os.execv(argv[0], argv)
sys.exit(127)
"""
TAIL = 1 << 16
STOP_CHECK = 0.1
"""Seconds between two looks whether a program is to stop."""


class OverdueError(UnavailableError):
    """A program did not end in time, or was to stop, and was killed."""


def find_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        UnavailableError: it is not installed; says which Debian package holds it.
    """
    import shutil  # brings bz2 and lzma along

    path = shutil.which(name, path=":".join(filter(None, (os.environ.get("PATH"), ENVIRONMENT["PATH"]))))
    if path is None:
        raise UnavailableError(f"the program {name} is not installed", fix=f"apt-get install {package}")
    return path


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] = {},
    stdin: bytes | int | None = None,
    timeout: float = 600,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
    stopped: Callable[[], bool] | None = None,
    log: int | None = None,
) -> bytes:
    """Run a program to its end and return what it wrote to standard output.

    Args:
        argv: the program's path (see `find_program`) and its arguments.
        environment: variables beside `ENVIRONMENT`.
        stdin: what it reads: bytes, or an open file from where it stands; nothing when absent.
        timeout: seconds; then it and all its children are killed.
        pass_fds: descriptors it inherits.
        cwd: where it runs.
        stopped: asked now and then; once it says yes, the program is killed as when it takes too long.
        log: an open file, readable and appended to, that gets what it writes to standard error, while it does.

    Raises:
        UnavailableError: it could not be started, or failed; quotes the last lines it wrote.
        OverdueError: it took too long; quotes them too.
    """
    name = Path(argv[0]).name
    logged_before = 0 if log is None else os.fstat(log).st_size
    try:
        with _readable(stdin) as source:
            child = subprocess.Popen(
                argv,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if log is None else log,
                env={**ENVIRONMENT, **environment},
                cwd=cwd,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
    except OSError as error:
        raise UnavailableError(f"{name} could not be started", where=argv[0], found=error.strerror or error) from None
    try:
        out, err = _output(child, timeout, stopped)
    except subprocess.TimeoutExpired as expired:
        told = expired.stderr or _tail(log, logged_before) or expired.output or b""
        raise _overdue(argv, timeout, told) from None
    finally:
        end_group(child)
    if child.returncode:
        told = err or _tail(log, logged_before) or out
        raise UnavailableError(
            f"{name} failed", found=f"exit code {child.returncode} of {' '.join(argv)}", details=last_lines(told)
        )
    return out


def run_logged(
    argv: Sequence[str],
    *,
    log: int,
    environment: Mapping[str, str],
    cwd: Path,
    timeout: float,
    stopped: Callable[[], bool],
    umask: int,
) -> int:
    """Run a program whose output, both streams as they come, goes to an open log.

    It ends with this process, even when that is SIGKILLed (`warden`).

    Args:
        argv: as for `run`, as are ``environment``, ``timeout`` and ``stopped``.
        log: an open file, readable and appended to.
        environment: variables beside `ENVIRONMENT`.
        cwd: where it runs.
        timeout: seconds; then it and all its children are killed.
        stopped: asked now and then; a yes kills it.
        umask: its file mode creation mask.

    Returns:
        Its exit code; negative for the signal that ended it.

    Raises:
        UnavailableError: it could not be started.
        OverdueError: it took too long, or was to stop; quotes the last lines it wrote.
    """
    before = os.fstat(log).st_size
    environment = {**ENVIRONMENT, **environment}
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=cwd,
            umask=umask,
            start_new_session=True,
        )
    except OSError as error:
        what = f"{Path(argv[0]).name} could not be started"
        raise UnavailableError(what, where=argv[0], found=error.strerror or error) from None
    try:
        with guarded(child.pid):
            _await_end(child, timeout, stopped)
        child.wait()
    except subprocess.TimeoutExpired:
        raise _overdue(argv, timeout, _tail(log, before)) from None
    finally:
        end_group(child)
    return child.returncode


def _overdue(argv: Sequence[str], timeout: float, told: bytes) -> OverdueError:
    what = f"{Path(argv[0]).name} did not end in time"
    return OverdueError(what, expected=f"at most {timeout:g} s", found=" ".join(argv), details=last_lines(told))


def _tail(log: int | None, start: int) -> bytes:
    """The end of what was logged since the log had ``start`` bytes, at most 64 KiB."""
    if log is None:
        return b""
    size = os.fstat(log).st_size
    return os.pread(log, TAIL, max(start, size - TAIL))


@contextmanager
def _readable(stdin: bytes | int | None) -> Iterator[int]:
    """What a program reads: bytes from a file in memory, since `communicate` cannot take up a pipe after a timeout."""
    if not isinstance(stdin, bytes):
        yield subprocess.DEVNULL if stdin is None else stdin
        return
    with open(os.memfd_create("input"), "w+b") as file:
        file.write(stdin)
        file.seek(0)
        yield file.fileno()


def _output(
    child: "subprocess.Popen[bytes]", timeout: float, stopped: Callable[[], bool] | None
) -> tuple[bytes, bytes]:
    """What the child wrote; `subprocess.TimeoutExpired` when it takes too long or is to stop."""
    if stopped is None:
        return child.communicate(timeout=timeout)
    deadline = time.monotonic() + timeout
    while True:
        try:
            return child.communicate(timeout=min(STOP_CHECK, max(0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            if stopped() or time.monotonic() >= deadline:
                raise


def _await_end(child: "subprocess.Popen[bytes]", timeout: float, stopped: Callable[[], bool]) -> None:
    """Wait until a child without pipes has ended, and leave it to be reaped; raises as `_output`.

    A poll of its pidfd: `Popen.wait` sleeps up to 50 ms.
    """
    deadline = time.monotonic() + timeout
    ended = select.poll()
    pidfd = os.pidfd_open(child.pid)
    try:
        ended.register(pidfd, select.POLLIN)
        while not ended.poll(min(STOP_CHECK, max(0, deadline - time.monotonic())) * 1000):
            if stopped() or time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(child.args, timeout)
    finally:
        os.close(pidfd)


def tethered(argv: Sequence[str]) -> list[str]:
    """The arguments of a program that the kernel kills when this process is gone, even when that was SIGKILLed.

    A small Python in between asks for it (prctl(2), PR_SET_PDEATHSIG), looks whether the parent has gone meanwhile, and
    becomes the program: same process, same descriptors. Costs 20 ms. The tie is to the *thread* that starts it.
    """
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *argv]


def end_group(child: "subprocess.Popen[bytes]") -> None:
    """Kill a child started in a session of its own, with all its children, when it still runs; reap it."""
    if child.returncode is None:  # not reaped yet, so that its number cannot be another group's
        os.killpg(child.pid, signal.SIGKILL)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    child.wait()


def last_lines(output: bytes, count: int = QUOTED_LINES) -> list[str]:
    """The last lines of a log, safe to print on a terminal."""
    lines = output.decode("utf-8", "replace").splitlines()[-count:]
    return ["".join(char if char.isprintable() else "�" for char in line.expandtabs()) for line in lines]
