"""The body of an answer: by its length, in chunks, or up to the end of the connection; never less without a word."""

from bitproof.errors import UnavailableError
from bitproof.system.net.connection import Connection, Watch
from bitproof.system.net.failures import ended_early
from bitproof.system.net.heads import Head, chunk_size

LINE = 4096
"""Bytes of a line between chunks."""


class Body:
    """Reads a body piece by piece; ``complete`` once its end was seen."""

    def __init__(self, head: Head, connection: Connection, watch: Watch) -> None:
        self.head = head
        self.connection = connection
        self.watch = watch
        self.done = 0
        self.left = head.length or 0
        self.complete = head.length == 0
        watch.start_body()

    def read_into(self, view: memoryview) -> int:
        """Some bytes, 0 at the end.

        Raises:
            TransientError: the body ends too early, or comes too slowly.
            UnavailableError: what comes is not HTTP, or there is no time left.
        """
        if self.head.chunked and not self.left and not self.complete:
            self._next_chunk()
        if self.complete:
            return 0
        bounded = self.head.chunked or self.head.length is not None
        try:
            size = self.connection.receive(view[: self.left] if bounded else view, self.watch)
        except OSError as error:
            raise self._early(error.strerror or str(error)) from None
        if not size:
            if bounded:
                raise self._early(f"{self.done} bytes")
            self.complete = True
        self.done += size
        if bounded:
            self.left -= size
            self.complete = not self.left and not self.head.chunked
        return size

    def drain(self, most: int) -> None:
        """Read what is left of a short body, so that its connection can be used again; leave a long one."""
        if self.head.length is not None and self.left <= most:
            view = memoryview(bytearray(self.left))
            while self.read_into(view):
                """An error page, which nobody reads."""

    def _next_chunk(self) -> None:
        try:
            if self.done and self._line():
                raise ValueError("no end of a chunk")  # noqa: TRY301 - told below
            self.left = chunk_size(self._line())
            if not self.left:
                while self._line():
                    """Trailers mean nothing here."""
                self.complete = True
        except ValueError as error:
            raise UnavailableError("the server does not speak HTTP", where=self.watch.where, found=str(error)) from None
        except OSError as error:
            raise self._early(error.strerror or str(error)) from None

    def _line(self) -> bytes:
        line = self.connection.receive_until(b"\r\n", LINE, self.watch)
        if line is None:
            raise self._early(f"{self.done} bytes")
        return line

    def _early(self, found: str) -> UnavailableError:
        expected = "the end of its last chunk" if self.head.chunked else f"{self.head.length} bytes"
        return ended_early(self.watch.where, expected, found)
