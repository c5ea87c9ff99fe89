"""Ends the programs of a process that was SIGKILLed: nobody else would, and they would go on writing.

A small process reads which process groups run from a pipe that only this process writes to. The kernel closes that pipe
however this process ends; the groups that are left then are killed. One for all threads, started when first needed,
and 20 ms of its own time; a group that starts in the very moment of the kill is missed.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_WARDEN = """
import os, signal, sys
groups = set()
for line in sys.stdin.buffer:
    (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
"""

_lock = threading.Lock()
_pipe: list[int] = []


@contextmanager
def guarded(group: int) -> Iterator[None]:
    """Have a process group killed if this process dies within the block.

    Args:
        group: the number of a child that was started in a session of its own and is not reaped within the block.
    """
    _tell(b"+%d\n" % group)
    try:
        yield
    finally:
        _tell(b"-%d\n" % group)


def _tell(line: bytes) -> None:
    """Write a line, short enough to be whole; a warden that was killed guards no more, and is no one's failure."""
    with _lock:
        if not _pipe:
            _pipe.append(_start())
    with suppress(BrokenPipeError):
        os.write(_pipe[0], line)


def _start() -> int:
    """Start the warden in a session of its own, where no Ctrl-C reaches it; the pipe's end to write to."""
    reader, writer = os.pipe()
    try:
        argv = [sys.executable, "-I", "-S", "-c", _WARDEN]
        os.posix_spawn(argv[0], argv, {}, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)], setsid=True)
    finally:
        os.close(reader)
    return writer
