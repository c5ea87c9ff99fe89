"""One session with a running guest: bytes between its sockets and the host's streams, until it is over.

Three things end it: the guest told its exit code and all of its output has arrived; QEMU has ended; time is up.
"""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bitproof.errors import IntegrityError
from bitproof.system.process import last_lines
from bitproof.vm.guest import MARK_DIGITS, Control, Marked, Terminal, request
from bitproof.vm.streams import GuestInlet, Sink, Source, Tail, relay
from bitproof.vm.terminal import Escape

POWER_OFF_SECONDS = 10.0
"""What a guest gets to power off once its shell has ended."""
MAX_PATIENCE = 60_000
"""Milliseconds of one wait; poll(2) takes no more than 24 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The host's end of everything.

    Args:
        command: from `guest.quoted_command`; None is a shell on the console, whose keys are ``stdin``.
        stdin: None: there is none.
        stdout: of the command, or the shell's console.
        stderr: of the command.
        console: where the console goes during a command; None: nowhere.
        errors: QEMU's own standard error, to read from.
        terminal: the host's, for a shell.
        timeout: seconds for the whole session; None: no limit.
        root_hash: what the guest must say that it checks its rootfs by; empty: nothing.
    """

    command: bytes | None
    stdin: int | None
    stdout: Sink
    stderr: Sink
    console: Sink | None
    errors: int
    terminal: Terminal
    timeout: float | None
    root_hash: str = ""

    @property
    def sinks(self) -> list[Sink]:
        """All of them."""
        return [self.stdout, self.stderr, *([self.console] if self.console else [])]


class Session:
    """The relay of one session. ``sockets`` are the host's ends of `qemu.SOCKETS`, not blocking."""

    def __init__(self, sockets: Mapping[str, socket.socket], ends: Ends) -> None:
        self.ends = ends
        self.console_tail = Tail()
        self.error_tail = Tail()
        self._mark = os.urandom(MARK_DIGITS // 2).hex()
        self._control = Control(self._mark, ends.root_hash)
        self._marked = {"stdout": Marked(self._mark), "stderr": Marked(self._mark)}
        self._escape = Escape()
        self._stdin_socket = sockets["stdin"]
        self._answer = GuestInlet(sockets["control"].fileno())
        self._keys = GuestInlet(sockets["console" if ends.command is None else "stdin"].fileno())
        self._deadline = None if ends.timeout is None else time.monotonic() + ends.timeout
        self._power_off_by: float | None = None
        self._hang_up = False
        self._sources = self._guest_sources(sockets)
        stdin = -1 if ends.stdin is None else ends.stdin
        self._stdin = Source(stdin, self._take_stdin, room=self._wants_stdin, ended=self._end_stdin)

    def _guest_sources(self, sockets: Mapping[str, socket.socket]) -> list[Source]:
        ends = self.ends
        console = ends.stdout if ends.command is None else ends.console
        sources = [
            Source(sockets["control"].fileno(), self._take_control),
            Source(ends.errors, self.error_tail.put),
            Source(
                sockets["console"].fileno(),
                lambda data: self._take_console(data, console),
                room=lambda: console is None or not console.full,
            ),
        ]
        for name, sink in (("stdout", ends.stdout), ("stderr", ends.stderr)):
            sources.append(self._output_source(sockets[name].fileno(), self._marked[name], sink))
        return sources

    @staticmethod
    def _output_source(fd: int, marked: Marked, sink: Sink) -> Source:
        return Source(fd, lambda data: sink.put(marked.feed(data)), room=lambda: not sink.full)

    def run(self) -> int | None:
        """Relay until the end.

        Returns:
            the exit code that the guest told; None when QEMU ended without one.

        Raises:
            IntegrityError: the guest broke the protocol, took longer than ``timeout``, or told its exit code and ended
                before all of its output had arrived.
            UnavailableError: the host's output cannot be written.
            BrokenPipeError: the reader of the host's output went away.
            KeyboardInterrupt: Ctrl-a x at the terminal.
        """
        while not self._over():
            relay([*self._sources, self._stdin], [*self.ends.sinks, self._answer, self._keys], self._patience())
            if self._hang_up and self._keys.waiting is None:
                self._hang_up = False
                self._stdin_socket.shutdown(socket.SHUT_WR)
        if self._control.code is not None and not self._complete():
            details = last_lines(self.console_tail.data)
            raise IntegrityError("the guest ended before all of its output had arrived", details=details)
        return self._control.code

    def _patience(self) -> int | None:
        """Milliseconds until the next end; None when there is none. Raises IntegrityError when the time is up."""
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            raise IntegrityError(
                f"the guest did not finish in {self.ends.timeout:g} s",
                details=last_lines(self.console_tail.data),
                fix="give it more time with --timeout, or watch its console with -v",
            )
        ends = [end for end in (self._deadline, self._power_off_by) if end is not None]
        return min(int((min(ends) - now) * 1000) + 1, MAX_PATIENCE) if ends else None

    def _over(self) -> bool:
        if any(sink.waiting is not None for sink in self.ends.sinks):
            return False
        if self._power_off_by is not None and time.monotonic() >= self._power_off_by:
            return True
        ended = not any(source.open for source in self._sources)
        return ended or (self.ends.command is not None and self._complete())

    def _complete(self) -> bool:
        """Whether the exit code and, of a command, all output is there."""
        ended = self.ends.command is None or all(stream.ended for stream in self._marked.values())
        return self._control.code is not None and ended

    def _take_console(self, data: bytes, console: Sink | None) -> None:
        self.console_tail.put(data)
        if console is not None:
            console.put(data)

    def _take_control(self, data: bytes) -> None:
        greeted = self._control.greeted
        self._control.feed(data)
        if self._control.greeted and not greeted:
            has_stdin = self.ends.stdin is not None and self.ends.command is not None
            now = int(time.time())
            told = request(self.ends.command, time=now, mark=self._mark, stdin=has_stdin, terminal=self.ends.terminal)
            self._answer.put(told)
        if self._control.code is not None and self.ends.command is None:
            self._power_off_by = time.monotonic() + POWER_OFF_SECONDS

    def _wants_stdin(self) -> bool:
        return self.ends.stdin is not None and self._control.greeted and not self._keys.full

    def _take_stdin(self, data: bytes) -> None:
        if self.ends.command is not None:
            self._keys.put(data)
            return
        self._keys.put(self._escape.feed(data))
        if self._escape.ended:
            raise KeyboardInterrupt

    def _end_stdin(self) -> None:
        if self.ends.command is None:
            # The terminal was hung up: nobody is there to end the shell.
            raise KeyboardInterrupt
        self._hang_up = True
