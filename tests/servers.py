"""nginx on the loopback, as it serves a channel's place: for tests, benchmarks and the demo.

    with nginx(tmp_path / "served", tmp_path / "nginx") as server:
        place = HttpPlace(server.url)
        ...
        assert server.asked() == ["GET /blobs/12ab 206 1048576 bytes=0-1048575"]

`nginx` serves the files below a directory on a free port of 127.0.0.1 for the time of a block; ``server.url`` has no
slash at its end. Its own files (configuration, logs) go into a second directory, which must be new. It is a child of
this process, with one worker, and is ended by its id. It inherits a socket that listens already: nobody waits for it,
and nobody else can take its port. (With ``master_process off`` Debian's nginx crashes on an inherited socket.)

From a shell: ``python3 -m tests.servers DIRECTORY OWN_DIRECTORY &`` prints the URL as its first line and becomes nginx;
``kill $!`` ends it.

The program is the one that ``scripts/setup test`` (or demo, or bench) unpacked; nothing is installed.
"""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

NGINX = Path(__file__).resolve().parent.parent / ".venv/servers/usr/sbin/nginx"
HOST = "127.0.0.1"
MARK = "/.asked"
CONFIG = """\
daemon off;
user root;
worker_processes 1;
pid {own}/pid;
error_log {own}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format asked '$request_method $uri $status $body_bytes_sent $http_range';
    access_log {own}/access.log asked;
    client_body_temp_path {own}/body;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    sendfile on;
    tcp_nopush on;
    server {{
        listen {host}:{port};
        root {root};
        location = {mark} {{ return 204; }}
        {options}
    }}
}}
"""


class Nginx(NamedTuple):
    """A server that runs."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def asked(self) -> list[str]:
        """Every request that was answered: method, path, status, bytes of the body, the range asked for or ``-``."""
        self.get(MARK)  # one worker: what it answered before is in the log by now
        lines = self.log.read_text().splitlines()
        return [line for line in lines if line.split()[1] != MARK]

    def get(self, path: str) -> bytes:
        """The body of an answer, by the standard library's client."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own address
            body: bytes = answer.read()
        return body


@contextmanager
def nginx(root: Path, own: Path, options: str = "") -> Iterator[Nginx]:
    """Serve the files below ``root``; ``options`` are directives of nginx's ``server`` block."""
    with socket.create_server((HOST, 0), backlog=128) as listening:
        argv, environment = _prepared(listening, root, own, options)
        process = subprocess.Popen(argv, env=environment, pass_fds=[listening.fileno()])
        url = f"http://{HOST}:{listening.getsockname()[1]}"
    try:
        yield Nginx(url, own / "access.log", process)
    finally:
        process.terminate()
        process.wait()


def _prepared(listening: socket.socket, root: Path, own: Path, options: str) -> tuple[list[str], dict[str, str]]:
    """The command that serves from a socket, and its environment, in which nginx looks for sockets to inherit."""
    own.mkdir(parents=True)
    config = own / "nginx.conf"
    port = listening.getsockname()[1]
    text = CONFIG.format(own=own.resolve(), root=root.resolve(), host=HOST, port=port, mark=MARK, options=options)
    config.write_text(text)
    argv = [str(NGINX), "-p", str(own.resolve()), "-c", str(config.resolve()), "-e", str(own.resolve() / "error.log")]
    return argv, {"NGINX": f"{listening.fileno()};"}


def main() -> None:
    """Serve until somebody ends this process."""
    with socket.create_server((HOST, 0), backlog=128) as listening:
        argv, environment = _prepared(listening, Path(sys.argv[1]), Path(sys.argv[2]), "")
        os.write(1, f"http://{HOST}:{listening.getsockname()[1]}\n".encode())
        listening.set_inheritable(True)
        os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is needed


if __name__ == "__main__":
    main()
