"""A web server of this process, for channels: it knows ranges, and remembers what it was asked for."""

import re
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WHOLE = re.compile(r"bytes=([0-9]+)-([0-9]+)", re.ASCII)


class Server(ThreadingHTTPServer):
    """Serves what lies in ``places``, under its whole path; ``asked`` are the paths, and how many bytes of each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.places: set[Path] = set()
        self.asked: list[tuple[str, int]] = []

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """A file, or the part of it that is asked for."""
        path = Path(self.path)
        if not self.server.places.intersection(path.parents) or not path.is_file():
            self._answer(404, {}, b"")
            return
        data = path.read_bytes()
        wanted = WHOLE.fullmatch(self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, {}, data)
            return
        first, last = int(wanted[1]), int(wanted[2])
        self._answer(206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"}, data[first : last + 1])

    def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.server.asked.append((self.path, len(body)))
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@cache
def server() -> Server:
    """The server, which is there as long as this process."""
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def url_of(place: Path) -> str:
    """The URL of a directory, which is served from now on."""
    made = server()
    made.places.add(place)
    return f"http://127.0.0.1:{made.server_address[1]}{place}"
