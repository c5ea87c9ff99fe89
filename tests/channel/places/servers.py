"""The servers that places are tested on, on the loopback: docker-registry, an S3 store, and a proxy with faults."""

import http.client
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = ROOT / ".venv/servers/usr/bin/docker-registry"
HOST = "127.0.0.1"
BUCKET = "releases"
_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(?P<port>[0-9]+)")
_S3 = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    """The process ends with the block, whatever happens in it."""
    with process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def registry(directory: Path, auth: str = "") -> Iterator[str]:
    """A registry that keeps its files in a directory; ``host:port``.

    ``auth`` is the section of this name of its configuration.
    """
    config = directory / "config.yml"
    directory.mkdir(exist_ok=True)
    config.write_text(
        f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {directory}/data}}}}\n"
        f"http: {{addr: '{HOST}:0'}}\n{auth}"
    )
    process = subprocess.Popen(
        [REGISTRY, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with ended(process):
        assert process.stderr is not None
        port = next(match["port"] for line in process.stderr if (match := _LISTENING.search(line)))
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        try:
            yield f"{HOST}:{port}"
        finally:
            process.kill()
            drain.join()


def collect_garbage(directory: Path) -> None:
    """What a registry's operator does to free its disk."""
    subprocess.run([REGISTRY, "garbage-collect", directory / "config.yml"], check=True, capture_output=True)


@contextmanager
def s3_store() -> Iterator[str]:
    """An S3 store with the bucket `BUCKET`; ``host:port``."""
    process = subprocess.Popen(
        [sys.executable, "-c", _S3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with ended(process):
        assert process.stdout is not None
        address = f"{HOST}:{process.stdout.readline().strip()}"
        with urlopen(Request(f"http://{address}/{BUCKET}", method="PUT"), timeout=60):
            yield address


class Reply(NamedTuple):
    """What a server answered, or what is answered in its place."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Forward = Callable[[Asked], Reply]
Fault = Callable[[Asked, Forward], Reply | None]
"""Answers a request, by asking the server behind or not; None hangs up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Proxy"

    def _serve(self) -> None:
        length = wanted = int(self.headers.get("Content-Length", 0))
        if self.server.hang_up_after is not None and length > self.server.hang_up_after:
            wanted, self.server.hang_up_after = self.server.hang_up_after, None
        asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(wanted))
        if len(asked.body) < length:
            self.server.broken(asked)
            self.close_connection = True
            return
        self.server.asked.append(asked)
        reply = self.server.answer(asked)
        if reply is None:
            self.close_connection = True
            return
        self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        told = {name.lower() for name in reply.headers}
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "content-length" not in told and reply.status != http.client.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        promised = reply.headers.get("Content-Length")
        if promised is not None and int(promised) != len(reply.body):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that are looked for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Nothing."""


class Proxy(ThreadingHTTPServer):
    """Stands before a server, and does to some requests what a fault does.

    ``hang_up_after`` breaks the next request whose body is longer than so many bytes, after them.
    """

    daemon_threads = False

    def __init__(self, behind: str, fault: Fault | None = None) -> None:
        super().__init__((HOST, 0), _Handler)
        self.behind = behind
        self.fault = fault
        self.hang_up_after: int | None = None
        self.asked: list[Asked] = []
        self.connections: set[socket.socket] = set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep, so that the threads that serve them end."""
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client, or the server behind, hung up: what faults are about."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_address[1]}"

    def answer(self, asked: Asked) -> Reply | None:
        return self.forward(asked) if self.fault is None else self.fault(asked, self.forward)

    def forward(self, asked: Asked) -> Reply:
        with closing(http.client.HTTPConnection(self.behind, timeout=60)) as connection:
            connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
            response = connection.getresponse()
            body = response.read()
        dropped = {"content-length", "connection", "transfer-encoding"} if asked.method != "HEAD" else {"connection"}
        headers = {name.title(): value for name, value in response.getheaders() if name.lower() not in dropped}
        return Reply(response.status, headers, body)

    def broken(self, asked: Asked) -> None:
        """Send the server behind only a part of what was promised to it, and hang up."""
        connection = http.client.HTTPConnection(self.behind, timeout=60)
        connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers.items():
            connection.putheader(name, value)
        connection.endheaders(asked.body)
        connection.close()


@contextmanager
def proxy(behind: str, fault: Fault | None = None) -> Iterator[Proxy]:
    """A proxy, for the time of a block."""
    server = Proxy(behind, fault)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


def failing(times: int, status: int, where: str = "", method: str = "") -> Fault:
    """A server that fails so many times, for paths that contain ``where``, and then behaves."""
    left = [times]
    lock = threading.Lock()

    def fault(asked: Asked, forward: Forward) -> Reply | None:
        if where in asked.path and method in {"", asked.method}:
            with lock:
                left[0] -= 1
                if left[0] >= 0:
                    return Reply(status)
        return forward(asked)

    return fault
