"""Where bytes come from and go to: descriptors that may be slow, and memory that must stay small.

A reader that does not read must hold up nothing but the guest's output: not the deadline, not Ctrl-C. So no write here
ever blocks, and a `Sink` says when it has enough.
"""

import os
import select
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bitproof.system.opened import unavailable

HIGH_WATER = 256 << 10
"""Bytes that may wait for a slow reader."""
CHUNK = 64 << 10


class Sink(Protocol):
    """Takes bytes; whoever feeds it stops while it is `full`, and calls `flush` when ``fd`` can be written."""

    @property
    def full(self) -> bool:
        """Whether it wants no more for now."""

    @property
    def waiting(self) -> int | None:
        """The descriptor that bytes wait for; None when none do."""

    def put(self, data: bytes) -> None:
        """Take bytes."""

    def flush(self) -> None:
        """Write what can be written without blocking."""


class Outlet:
    """A descriptor of this process or a socket to the guest.

    Blocking or not is a property that descriptors share with other processes, so it is left as it is. A pipe that is
    ready takes ``PIPE_BUF`` bytes without blocking (pipe(7)); a terminal promises less and is opened once more.
    """

    def __init__(self, fd: int) -> None:
        self._own = (
            os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC) if os.isatty(fd) else None
        )
        self.fd = fd if self._own is None else self._own
        small = os.get_blocking(self.fd) and not stat.S_ISREG(os.fstat(self.fd).st_mode)
        self._chunk = select.PIPE_BUF if small else CHUNK
        self._pending = bytearray()

    @property
    def full(self) -> bool:
        """As `Sink`."""
        return len(self._pending) >= HIGH_WATER

    @property
    def waiting(self) -> int | None:
        """As `Sink`."""
        return self.fd if self._pending else None

    def put(self, data: bytes) -> None:
        """As `Sink`."""
        self._pending += data

    def flush(self) -> None:
        """As `Sink`; call it when ``fd`` is ready.

        Raises:
            BrokenPipeError: the reader has gone.
            UnavailableError: the system refused to write (a full disk).
        """
        ready = select.poll()
        ready.register(self.fd, select.POLLOUT)
        while self._pending and ready.poll(0):
            try:
                written = os.write(self.fd, self._pending[: self._chunk])
            except BlockingIOError:
                return
            except BrokenPipeError:
                raise
            except OSError as error:
                raise unavailable(error, "the guest's output cannot be written", f"descriptor {self.fd}") from None
            del self._pending[:written]

    def close(self) -> None:
        """Close what was opened here; the given descriptor stays open."""
        if self._own is not None:
            os.close(self._own)


class GuestInlet(Outlet):
    """A socket to the guest; a guest that has gone is no error here: its other sockets tell."""

    def flush(self) -> None:
        """As `Sink`."""
        try:
            super().flush()
        except (BrokenPipeError, ConnectionResetError):
            self._pending.clear()


class Capture:
    """Keeps the first ``limit`` + 1 bytes, so that a caller sees when there were more, and drops the others."""

    full = False
    waiting = None

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = b""

    def put(self, data: bytes) -> None:
        """As `Sink`."""
        self.data += data[: self.limit + 1 - len(self.data)]

    def flush(self) -> None:
        """As `Sink`: nothing waits."""


class Tail:
    """Keeps the last bytes that passed: the end of a console."""

    LIMIT = 16 << 10

    def __init__(self) -> None:
        self.data = b""

    def put(self, data: bytes) -> None:
        """Take bytes, forget the oldest."""
        self.data = (self.data + data)[-self.LIMIT :]


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Source:
    """A descriptor to read from, while there is ``room`` for what it brings; ``ended`` is called once, at its end."""

    fd: int
    take: Callable[[bytes], None]
    room: Callable[[], bool] = _always
    ended: Callable[[], None] = _nothing
    open: bool = True

    def read(self) -> None:
        """Read once and hand on."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # A socket reset by its peer, a terminal that was hung up: nothing more will come.
            data = b""
        if data:
            self.take(data)
        else:
            self.open = False
            self.ended()


def relay(sources: Iterable[Source], sinks: Iterable[Sink], milliseconds: int | None) -> None:
    """One round: wait until something can be read or written, or the time is up, and do what can be done."""
    readers = {source.fd: source for source in sources if source.open and source.room()}
    writers = {sink.waiting: sink for sink in sinks if sink.waiting is not None}
    poll = select.poll()
    for fd in readers.keys() | writers.keys():
        poll.register(fd, (select.POLLIN if fd in readers else 0) | (select.POLLOUT if fd in writers else 0))
    for fd, event in poll.poll(milliseconds):
        if fd in readers and event & ~select.POLLOUT:
            readers[fd].read()
        if fd in writers and event & ~select.POLLIN:
            writers[fd].flush()
