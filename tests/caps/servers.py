"""Servers on the loopback as private repositories have them: https with a certificate of a CA of our own, ssh, a proxy.

Each runs the real program per connection: ``git http-backend``, and ``dropbear``, an ssh server whose package starts
no service.
"""

import base64
import os
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, TypeVar

from bitproof.system.process import find_program
from tests.caps.repositories import GIT, GIT_ENVIRONMENT

OPENSSL = find_program("openssl", "openssl")
DROPBEAR = find_program("dropbear", "dropbear-bin")
DROPBEARKEY = find_program("dropbearkey", "dropbear-bin")
SSH_KEYGEN, SSH_AGENT, SSH_ADD = (
    find_program(name, "openssh-client") for name in ("ssh-keygen", "ssh-agent", "ssh-add")
)
HOST = "127.0.0.1"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")

Server = TypeVar("Server", bound=socketserver.BaseServer)


class Certificates(NamedTuple):
    """A CA that nobody else knows, and what it vouches for: 127.0.0.1."""

    authority: Path
    server: Path
    key: Path


def certificates(directory: Path) -> Certificates:
    """Make a CA and a server's certificate."""
    directory.mkdir()
    authority, authority_key = directory / "ca.pem", directory / "ca.key"
    made = Certificates(authority, directory / "server.pem", directory / "server.key")
    _openssl("req", "-x509", *CURVE, "-subj", "/CN=a CA of our own", "-keyout", authority_key, "-out", authority)
    signed = ("-CA", authority, "-CAkey", authority_key, "-addext", f"subjectAltName=IP:{HOST}")
    plain = ("-addext", "basicConstraints=critical,CA:FALSE", "-subj", "/CN=server")
    _openssl("req", "-x509", *CURVE, *signed, *plain, "-keyout", made.key, "-out", made.server)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True)


class _GitOverHttp(BaseHTTPRequestHandler):
    """Git's own CGI program (git-http-backend(1)), behind a password when the server has one."""

    server: "HttpsServer"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.page:
            self._answer(200, [("Content-Type", "text/html")], self.server.page)
        elif self.server.login and self.headers["Authorization"] != self._expected():
            self._answer(401, [("WWW-Authenticate", 'Basic realm="private"')], b"")
        else:
            self._git()

    do_POST = do_GET  # noqa: N815 - the name that the base class looks for

    def _expected(self) -> str:
        return "Basic " + base64.b64encode(self.server.login.encode()).decode()

    def _git(self) -> None:
        path, _, query = self.path.partition("?")
        cgi = {
            "GIT_PROJECT_ROOT": str(self.server.base),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        done = subprocess.run(
            [GIT, "http-backend"], env={**GIT_ENVIRONMENT, **cgi}, input=body, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((value.split(" ")[0] for name, value in headers if name == "Status"), "200")
        self._answer(int(status), [(name, value) for name, value in headers if name != "Status"], content)

    def _answer(self, status: int, headers: Sequence[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Nothing."""


class HttpsServer(ThreadingHTTPServer):
    """Serves the repositories below a directory."""

    daemon_threads = True

    def __init__(self, base: Path, known: Certificates, *, login: str = "", page: bytes = b"") -> None:
        super().__init__((HOST, 0), _GitOverHttp)
        self.base, self.login, self.page = base, login, page
        self.asked: list[str] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(known.server, known.key)

    def url(self, name: str) -> str:
        return f"https://{HOST}:{self.server_address[1]}/{name}"

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """The handshake in the connection's own thread; a client that does not trust us hangs up in it."""
        assert isinstance(request, socket.socket)
        try:
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        except OSError:
            return


class _Login(socketserver.BaseRequestHandler):
    """One connection, handed to a dropbear of its own."""

    server: "SshServer"

    def handle(self) -> None:
        argv = [*self.server.within, DROPBEAR, "-i", "-s", "-r", str(self.server.host_key)]
        subprocess.run(argv, stdin=self.request.fileno(), stdout=self.request.fileno(), check=False)


class SshServer(socketserver.ThreadingTCPServer):
    """Lets in whom the home's ``authorized_keys`` name; no passwords."""

    daemon_threads = True

    def __init__(self, directory: Path, within: Sequence[str]) -> None:
        super().__init__((HOST, 0), _Login)
        directory.mkdir()
        self.within = within
        self.host_key = directory / "host_key"
        subprocess.run([DROPBEARKEY, "-t", "ed25519", "-f", self.host_key], check=True, capture_output=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def public_key(self) -> str:
        """The host's key, as ``known_hosts`` has it."""
        told = subprocess.run([DROPBEARKEY, "-y", "-f", self.host_key], check=True, capture_output=True, text=True)
        return next(line for line in told.stdout.splitlines() if line.startswith("ssh-ed25519 "))


class _Tunnel(BaseHTTPRequestHandler):
    """One CONNECT."""

    server: "Proxy"

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as onward:
            self.send_response(200)
            self.end_headers()
            there = threading.Thread(target=_pump, args=(self.connection, onward))
            there.start()
            _pump(onward, self.connection)
            there.join()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Nothing."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class Proxy(ThreadingHTTPServer):
    """An https proxy that remembers whereto it was asked to connect."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Tunnel)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, for the time of a block."""
    thread = threading.Thread(target=server.serve_forever)
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Account:
    """A login of its own in a mount namespace of its own: ssh and git look for a home in the password file.

    ``within`` starts a program there; ``trusting`` puts a CA into the system's store for it. Needs root.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        home.chmod(0o700)
        self.passwd = home / "passwd"
        names = ("root", "git")
        self.passwd.write_text("".join(f"{name}:x:0:0::{home}:/bin/sh\n" for name in names))

    def within(self, trusting: Path | None = None) -> list[str]:
        binds = {"/etc/passwd": self.passwd}
        if trusting is not None:
            binds["/etc/ssl/certs/ca-certificates.crt"] = trusting
        mounts = " && ".join(f"mount --bind '{source}' {target}" for target, source in binds.items())
        # unshare cannot make them private itself in a chroot, whose root is no mount
        private = "if mountpoint -q /; then mount --make-rprivate /; fi"
        script = f'{private} && {mounts} && exec "$@"'
        return ["/usr/bin/unshare", "--mount", "--propagation", "unchanged", "/bin/sh", "-c", script, "sh"]

    def key(self, name: str) -> Path:
        """A new key that may log in."""
        path = self.home / name
        subprocess.run([SSH_KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        authorized = self.home / ".ssh/authorized_keys"
        authorized.write_text(path.with_suffix(".pub").read_text())
        authorized.chmod(0o600)
        return path

    def knows(self, host: str, server: SshServer) -> None:
        (self.home / ".ssh/known_hosts").write_text(f"[{host}]:{server.port} {server.public_key}\n")


@contextmanager
def agent(directory: Path, key: Path) -> Iterator[Path]:
    """An ssh-agent that holds a key; its socket."""
    place = directory / "agent"
    with subprocess.Popen([SSH_AGENT, "-D", "-a", place], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it listens by then
            environment = {**os.environ, "SSH_AUTH_SOCK": str(place)}
            subprocess.run([SSH_ADD, "-q", key], env=environment, check=True, stderr=subprocess.DEVNULL)
            yield place
        finally:
            process.kill()
