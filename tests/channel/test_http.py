"""Web servers that lie, stall, break off or lead elsewhere: each is told, and one that only stumbles is forgiven."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bitproof.channel.backends.http import HttpPlace
from bitproof.channel.mirrors import Mirrors
from bitproof.channel.ports import Blob, Range
from bitproof.errors import BitproofError, IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest, bytes_sha256
from bitproof.system.net.http import Client
from bitproof.system.net.limits import Limits
from bitproof.system.net.partial import open_partial
from bitproof.system.opened import OpenFile, ignore, in_memory

DATA = bytes(range(256)) * 400
IMPATIENT = Limits(connect=2, idle=0.5, deadline=10, floor=1000, window=0.5, attempts=3, backoff=0.01, patience=0.02)
BLOB = Blob(bytes_digest(DATA), bytes_sha256(DATA), len(DATA))


class Server(ThreadingHTTPServer):
    """Serves `DATA` under every name; the first answers are as ``faults`` say, one each."""

    daemon_threads = True

    def __init__(self, *faults: str, always: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = list(faults)
        self.always = always
        self.asked: list[str] = []
        self.clients: list[Client] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """One answer, good or bad."""
        self.server.asked.append(self.headers.get("Range", ""))
        fault = self.server.faults.pop(0) if self.server.faults else self.server.always
        first, last = 0, len(DATA) - 1
        if (wanted := self.headers.get("Range")) and fault != "no ranges":
            first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
        body = DATA[first : last + 1]
        if fault.isdigit():
            self._answer(int(fault), {"Content-Length": "0"}, b"")
        elif fault.startswith("to "):
            self._answer(302, {"Location": fault[3:], "Content-Length": "0"}, b"")
        elif fault == "gzip":
            self._answer(200, {"Content-Encoding": "gzip", "Content-Length": str(len(body))}, body)
        elif fault == "truncated":
            self._answer(*self._head(first, last), body[: len(body) // 2], close=True)
        elif fault == "stalls":
            self._answer(*self._head(first, last), body[:100])
            threading.Event().wait(3)
        elif fault == "wrong offset":
            self._answer(206, self._head(first + 1, last)[1] | {"Content-Length": str(len(body))}, body)
        elif fault == "wrong size":
            fields = {"Content-Range": f"bytes {first}-{last}/{len(DATA) + 1}", "Content-Length": str(len(body))}
            self._answer(206, fields, body)
        elif fault == "endless":
            self._answer(200, {}, DATA * 50, close=True)
        else:
            self._answer(*self._head(first, last), body)

    def _head(self, first: int, last: int) -> tuple[int, dict[str, str]]:
        fields = {"Content-Length": str(last + 1 - first)}
        if (first, last) == (0, len(DATA) - 1):
            return 200, fields
        return 206, fields | {"Content-Range": f"bytes {first}-{last}/{len(DATA)}"}

    def _answer(self, status: int, fields: dict[str, str], body: bytes, *, close: bool = False) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client has had enough


@contextmanager
def served(*faults: str, always: str = "") -> Iterator[Server]:
    server = Server(*faults, always=always)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        for client in server.clients:
            client.close()
        server.shutdown()
        server.server_close()
        thread.join()


def place(server: Server) -> HttpPlace:
    client = Client(IMPATIENT)
    server.clients.append(client)
    return HttpPlace(server.url, client)


def fetched(server: Server, *ranges: Range) -> bytes:
    with in_memory(b"\0" * len(DATA), "target") as target:
        place(server).fetch(BLOB, target, list(ranges) or [Range(0, len(DATA))], ignore)
        return OpenFile(target.fd, target.path).read(len(DATA))


def refusal(kind: type[BitproofError], fault: str, *ranges: Range) -> BitproofError:
    with served(always=fault) as server, pytest.raises(kind) as caught:
        fetched(server, *ranges)
    return caught.value


def test_ranges_land_where_they_belong() -> None:
    with served() as server:
        found = fetched(server, Range(10, 20), Range(5000, 7))
    assert found == b"\0" * 10 + DATA[10:30] + b"\0" * 4970 + DATA[5000:5007] + b"\0" * (len(DATA) - 5007)


@pytest.mark.parametrize("faults", [("500", "503"), ("truncated", "truncated"), ("429",)])
def test_a_server_that_stumbles_is_forgiven(faults: tuple[str, ...]) -> None:
    with served(*faults) as server:
        assert fetched(server) == DATA


def test_a_server_without_ranges_sends_the_whole_once() -> None:
    with served(always="no ranges") as server:
        assert fetched(server, Range(100, 50))[100:150] == DATA[100:150]


def test_wrong_offset() -> None:
    error = refusal(IntegrityError, "wrong offset", Range(100, 50))
    assert error.what == "the server sends another part of the file than was asked for"
    assert "bytes 100-149/102400" in error.expected


def test_wrong_size() -> None:
    error = refusal(IntegrityError, "wrong size", Range(100, 50))
    assert error.what == "the server sends another part of the file than was asked for"


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/x", "http://169.254.169.254/latest", "file:///etc/passwd", "http://127.0.0.2:1/x"]
)
def test_redirects_elsewhere(target: str) -> None:
    assert refusal(UnavailableError, f"to {target}").what == (
        "the server leads elsewhere, in a way that is not followed"
    )


@pytest.mark.parametrize("fault", ["truncated", "stalls", "500"])
def test_a_server_that_never_gets_better(fault: str) -> None:
    assert refusal(UnavailableError, fault).exit_code == UnavailableError.exit_code


def test_endless_data() -> None:
    with served(always="endless") as server, pytest.raises(IntegrityError) as caught:
        place(server).read("stable/metadata/timestamp.json", 1000)
    assert "1000" in caught.value.expected


def test_an_encoded_body() -> None:
    with served(always="gzip") as server, pytest.raises(BitproofError):
        place(server).read("x", len(DATA))


def test_a_file_that_is_not_there_is_none() -> None:
    with served(always="404") as server:
        assert place(server).read("x", 10) is None


def test_a_server_that_is_gone() -> None:
    with served() as server:
        gone = place(server)
    with pytest.raises(UnavailableError):
        gone.read("x", 10)


def test_a_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory, served() as server:
        with open_partial(directory, "part", len(DATA), "key") as target:
            place(server).fetch(BLOB, target, [Range(0, 60_000)], ignore)
        server.asked.clear()
        with open_partial(directory, "part", len(DATA), "key") as target:
            left = [Range(*span) for span in target.missing([(0, len(DATA))])]
            assert left == [Range(60_000, len(DATA) - 60_000)]
            place(server).fetch(BLOB, target, left, ignore)
        assert server.asked == [f"bytes=60000-{len(DATA) - 1}"]
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_download_of_other_bytes_is_begun_anew(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        with open_partial(directory, "part", 10, "key") as target:
            target.landed(0, 10)
        with open_partial(directory, "part", 10, "another") as target:
            assert target.missing([(0, 10)]) == [(0, 10)]


def test_a_mirror_that_fails_is_left_for_the_next() -> None:
    with served(always="500") as bad, served() as good, in_memory(b"", "target") as target:
        mirrors = Mirrors([place(bad), place(good)], {}, lambda _: None)
        mirrors.fetch(BLOB, target, [Range(0, len(DATA))], ignore)
        assert OpenFile(target.fd, target.path).read(len(DATA)) == DATA
        assert (mirrors.last, mirrors.health[bad.url].failures) == ((good.url,), 1)


def test_a_mirror_that_lies_is_named_and_left() -> None:
    notes: list[str] = []
    with served(always="wrong size") as liar, served() as good, in_memory(b"", "target") as target:
        mirrors = Mirrors([place(liar), place(good)], {}, notes.append)
        mirrors.fetch(BLOB, target, [Range(0, 1000)], ignore)
        mirrors.fetch(BLOB, target, [Range(1000, 1000)], ignore)
        assert len(liar.asked) == 1
        assert [liar.url in note for note in notes] == [True]


def test_mirrors_that_all_fail_are_all_named() -> None:
    with served(always="500") as first, served(always="404") as second, in_memory(b"", "target") as target:
        mirrors = Mirrors([place(first), place(second)], {}, lambda _: None)
        with pytest.raises(UnavailableError, match="no mirror serves this") as caught:
            mirrors.fetch(BLOB, target, [Range(0, len(DATA))], ignore)
        assert [problem.where for problem in caught.value.problems] == [first.url, second.url]


def test_a_digest_is_asked_for_by_its_name() -> None:
    other = Blob(Digest("blake3", "ab" * 32), BLOB.sha256, len(DATA))
    with served() as server, in_memory(b"", "target") as target:
        place(server).fetch(other, target, [Range(0, 10)], ignore)
        assert server.asked == ["bytes=0-9"]
