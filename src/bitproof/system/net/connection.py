"""One connection: its host is resolved once, each address judged, and what was judged is what is connected to.

A plain socket blocks, with a kernel timeout of a tick and MSG_WAITALL: large pieces for little work.
TLS reads with Python's own timeout. Either way a reader looks up every tick at the clock and at who wants it to stop.
"""

import os
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from bitproof.errors import UnavailableError
from bitproof.system.net.addresses import kind, may_connect
from bitproof.system.net.failures import TransientError
from bitproof.system.net.limits import Limits, Pace
from bitproof.system.net.urls import Url

if TYPE_CHECKING:
    from ssl import SSLContext, SSLSocket

TICK = 0.2
"""Seconds between two looks at the clock."""
_TIMEVAL = struct.pack("ll", 0, int(TICK * 1_000_000))
_WAIT_ALL = socket.MSG_WAITALL


class Rules:
    """What holds for all connections of a client; ``stop`` is set when it shall end."""

    def __init__(self, limits: Limits, stop: threading.Event, *, allow_private: bool) -> None:
        self.limits = limits
        self.stop = stop
        self.allow_private = allow_private
        self._context: SSLContext | None = None

    def context(self) -> "SSLContext":
        """For TLS; made once, since reading all CAs takes 20 ms."""
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
        return self._context


class Watch:
    """Looks at the clock while one call runs."""

    def __init__(self, rules: Rules, deadline: float, where: str) -> None:
        self.rules = rules
        self.limits = rules.limits
        self.deadline = deadline
        self.where = where
        self.abandoned = rules.stop
        self.heard = time.monotonic()
        self.pace: Pace | None = None

    def start_request(self) -> None:
        """From now on a byte is waited for."""
        self.heard = time.monotonic()
        self.pace = None

    def start_body(self) -> None:
        """From now on a rate is asked for."""
        self.heard = time.monotonic()
        self.pace = Pace(self.limits, self.heard)

    def tick(self, received: int) -> None:
        """Told how many bytes came since the last time.

        Raises:
            TransientError: none for too long, or too few.
            UnavailableError: there is no time left, or somebody wants to stop.
        """
        now = time.monotonic()
        if received:
            self.heard = now
        if self.rules.stop.is_set() or self.abandoned.is_set():
            raise UnavailableError("the download was stopped", where=self.where)
        if now > self.deadline:
            raise UnavailableError("the download took too long", where=self.where, fix="try again, or another mirror")
        if now - self.heard >= self.limits.idle:
            raise TransientError(
                "the server sends nothing", where=self.where, expected=f"a byte within {self.limits.idle:g} seconds"
            )
        if self.pace and self.pace.too_slow(now, received):
            floor = f"at least {self.limits.floor} bytes a second over {self.limits.window:g} seconds"
            raise TransientError("the server sends too slowly", where=self.where, expected=floor)


class Connection:
    """A connected socket to an origin; ``network`` is the kind of address at its other end."""

    def __init__(self, connected: "socket.socket | SSLSocket", network: str, *, secure: bool) -> None:
        self.socket = connected
        self.network = network
        self.secure = secure
        self.used = False
        self.left = b""

    def send(self, data: bytes) -> None:
        """Send a request. Raises OSError."""
        self.socket.sendall(data)

    def receive(self, view: memoryview, watch: Watch) -> int:
        """Some bytes, or 0 at the end of the connection. Raises as `Watch.tick`, and OSError."""
        if self.left:
            size = min(len(view), len(self.left))
            view[:size] = self.left[:size]
            self.left = self.left[size:]
            return size
        while True:
            try:
                size = self.socket.recv_into(view) if self.secure else self.socket.recv_into(view, 0, _WAIT_ALL)
            except (BlockingIOError, TimeoutError):
                watch.tick(0)
                continue
            watch.tick(size)
            return size

    def receive_until(self, end: bytes, most: int, watch: Watch) -> bytes | None:
        """The bytes before ``end``, which is dropped; None at the end of the connection.

        Raises:
            ValueError: there are more than ``most``.
        """
        data = self.left
        self.left = b""
        while (found := data.find(end)) < 0:
            if len(data) > most:
                raise ValueError(f"more than {most} bytes without an end")
            try:
                more = self.socket.recv(1 << 14)
            except (BlockingIOError, TimeoutError):
                watch.tick(0)
                continue
            watch.tick(len(more))
            if not more:
                self.left = data
                return None
            data += more
        self.left = data[found + len(end) :]
        return data[:found]

    def close(self) -> None:
        """Close."""
        self.socket.close()


def connect(url: Url, rules: Rules, start: str | None, watch: Watch) -> Connection:
    """Connect to the first address of a host that answers.

    Args:
        url: whose origin.
        rules: the limits.
        start: the kind of the address where a chain of redirects began; None at its beginning.
        watch: the call's.

    Raises:
        TransientError: no address answers.
        UnavailableError: it leads to a network that redirects may not lead to; the certificate is not the host's.
    """
    last: OSError | None = None
    for family, _, _, _, address in _resolved(url):
        network = kind(str(address[0]))
        if not may_connect(network, start, allow_private=rules.allow_private):
            raise UnavailableError(
                "the server leads to a network where redirects are not followed",
                where=url.shown,
                expected="a public address",
                found=f"{address[0]}, a {network} address",
                fix="if that is meant, give the URL itself that the redirect leads to",
            )
        try:
            plain = _connected(family, address, rules.limits.connect, watch)
        except OSError as error:
            last = error
            continue
        return _over_tls(plain, url, network, rules) if url.scheme == "https" else _over_tcp(plain, network)
    raise TransientError(
        "the server cannot be reached", where=url.shown, found=last.strerror or str(last) if last else "no address"
    )


def _over_tcp(connected: socket.socket, network: str) -> Connection:
    connected.setblocking(True)  # noqa: FBT003 - socket's own signature
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
    return Connection(connected, network, secure=False)


def _resolved(url: Url) -> "list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]]":
    try:
        # as bytes: text would go through the codec of international names, which takes 3 ms to import
        return socket.getaddrinfo(url.host.encode(), url.port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
    except OSError as error:
        raise TransientError(
            "the server's name is not known", where=url.shown, found=error.strerror or str(error), fix="check the URL"
        ) from None


def _connected(
    family: socket.AddressFamily, address: tuple[str | int, ...], seconds: float, watch: Watch
) -> socket.socket:
    """A connected socket that does not block yet. Raises OSError."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - socket's own signature
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect_ex(address)
        poll = select.poll()
        poll.register(made, select.POLLOUT)
        end = time.monotonic() + seconds
        while not poll.poll(int(TICK * 1000)):
            watch.heard = time.monotonic()  # it is the connection's time that runs here, not that of a silence
            watch.tick(0)
            if time.monotonic() > end:
                raise TimeoutError(f"no answer within {seconds:g} seconds")  # noqa: TRY301 - closed below
        if refusal := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(refusal, os.strerror(refusal))  # noqa: TRY301 - closed below
    except BaseException:
        made.close()
        raise
    return made


def _over_tls(plain: socket.socket, url: Url, network: str, rules: Rules) -> Connection:
    """TLS, for the host of the URL and no other; who vouches is the system's store of CAs, or SSL_CERT_FILE."""
    import ssl

    plain.settimeout(rules.limits.connect)
    try:
        secure = rules.context().wrap_socket(plain, server_hostname=url.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise UnavailableError(
            "the server's certificate does not prove that it is this host",
            where=url.shown,
            found=error.verify_message,
            fix="check the URL, and this machine's clock and CAs",
        ) from None
    except OSError as error:
        plain.close()
        raise TransientError("the server does not speak TLS", where=url.shown, found=str(error)) from None
    secure.settimeout(TICK)
    return Connection(secure, network, secure=True)
