"""Other programs: found or named as missing, run with an environment that is made and not inherited, ended in time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bitproof.errors import UnavailableError

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
STOP_CHECK = 0.1
"""Seconds between two looks whether a program is to stop."""


def find_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        UnavailableError: it is not installed; says which Debian package holds it.
    """
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

    Raises:
        UnavailableError: it could not be started, failed, or took too long; quotes the last lines it wrote.
    """
    name = Path(argv[0]).name
    try:
        with _readable(stdin) as source:
            child = subprocess.Popen(
                argv,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**ENVIRONMENT, **environment},
                cwd=cwd,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
    except OSError as error:
        raise UnavailableError(f"{name} could not be started", where=argv[0], found=error.strerror or error) from None
    try:
        out, err = _output(child, timeout, stopped)
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"{name} did not end in time", expected=f"at most {timeout:g} s", found=" ".join(argv)
        ) from None
    finally:
        end_group(child)
    if child.returncode:
        raise UnavailableError(
            f"{name} failed", found=f"exit code {child.returncode} of {' '.join(argv)}", details=last_lines(err or out)
        )
    return out


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
