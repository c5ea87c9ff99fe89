"""What an S3 store, or whoever sits before it, may do to a publisher and to a client."""

import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from bitproof.channel.backends.s3 import S3Place
from bitproof.channel.ports import Range
from bitproof.errors import InputError, IntegrityError, UnavailableError
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY, blob_of, source_of, target_in
from tests.channel.places.servers import BUCKET, Asked, Forward, Proxy, Reply, failing
from tests.evidence import refusal

TIMESTAMP = "stable/metadata/timestamp.json"
DATA = bytes(range(256)) * (40 << 10)  # 10 MiB: two parts, two pieces
BLOB = blob_of(DATA)
SECRETS = ("secret-of-the-test", "key-id-of-the-test")

pytestmark = pytest.mark.xdist_group("places")


@dataclass
class Scene:
    """One prefix of a bucket, through a proxy."""

    place: S3Place
    proxy: Proxy
    store: str

    def left(self) -> bytes:
        """What the store tells of uploads that are neither done nor given up."""
        with urlopen(f"http://{self.store}/{BUCKET}?uploads", timeout=60) as answer:
            return bytes(answer.read())


@pytest.fixture
def scene(s3_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with servers.proxy(s3_address) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{proxy.address}")
        yield Scene(S3Place(f"s3://{BUCKET}/{tmp_path.name}", HASTY), proxy, s3_address)


def put(place: S3Place, directory: Path, data: bytes = DATA) -> None:
    with source_of(directory, data) as source:
        place.put(BLOB, source, lambda _: None)


def fetch(place: S3Place, directory: Path, *ranges: Range) -> bytes:
    with target_in(directory) as target:
        place.fetch(BLOB, target, ranges or [Range(0, len(DATA))], lambda _: None)
        return target.path.read_bytes()


def test_a_store_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.proxy("") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{proxy.address}")
    place = S3Place(f"s3://{BUCKET}/x", HASTY)
    assert refusal(UnavailableError, lambda: place.read(TIMESTAMP, 10)) == (
        "the S3 store cannot be reached\n"
        f"  where:    s3://{BUCKET}/x/{TIMESTAMP}\n"
        "  found:    no answer\n"
        "  fix:      check AWS_ENDPOINT_URL and AWS_REGION, and the network; then run the same command again"
    )
    assert refusal(UnavailableError, lambda: put(place, tmp_path)).startswith("the S3 store cannot be reached\n")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_faults_are_waited_out(scene: Scene, tmp_path: Path, status: int) -> None:
    scene.proxy.fault = failing(HASTY.retries, status)
    put(scene.place, tmp_path)
    scene.proxy.fault = failing(HASTY.retries, status)
    assert fetch(scene.place, tmp_path) == DATA
    scene.proxy.fault = failing(HASTY.retries, status)
    assert scene.place.swap(TIMESTAMP, b"1", None)


@pytest.mark.parametrize(
    ("status", "found", "sentence"),
    [
        (401, "401 Unauthorized, SomeCode", "the S3 store refused the request"),
        (403, "403 Forbidden, SomeCode", "the S3 store refused the request"),
        (429, "429 Too Many Requests, SomeCode", "the S3 store failed"),
        (503, "503 Service Unavailable, SomeCode", "the S3 store failed"),
        (
            501,
            "501 Not Implemented, SomeCode",
            "the S3 store has no conditional writes, without which two publishers could overwrite each other",
        ),
    ],
)
def test_a_refusal_that_stays_is_told_with_its_status_and_no_secret(
    scene: Scene, status: int, found: str, sentence: str
) -> None:
    body = f"<Error><Code>SomeCode</Code><Message>{SECRETS}</Message></Error>".encode()
    scene.proxy.fault = lambda _, __: Reply(status, {}, body)
    with pytest.raises(UnavailableError) as caught:
        scene.place.create(TIMESTAMP, b"1")
    lines = str(caught.value).splitlines()
    assert lines[0] == sentence
    assert f"  found:    {found}" in lines
    told = "".join(traceback.format_exception(caught.value))
    assert not any(secret in told for secret in SECRETS)


def test_a_bucket_that_is_not_there_is_told(scene: Scene) -> None:
    place = S3Place("s3://no-such-bucket/x", HASTY)
    assert scene.proxy.behind
    for call in (lambda: place.read(TIMESTAMP, 10), lambda: place.create(TIMESTAMP, b"1")):
        assert refusal(UnavailableError, call) == (
            "there is no such bucket\n"
            f"  where:    s3://no-such-bucket/x/{TIMESTAMP}\n"
            "  found:    404 Not Found, NoSuchBucket\n"
            "  fix:      make it, or check its name"
        )


def test_a_part_that_breaks_off_is_sent_again(scene: Scene, tmp_path: Path) -> None:
    scene.proxy.hang_up_after = 4 << 20
    put(scene.place, tmp_path)
    assert scene.place.has(BLOB)


def test_a_store_that_goes_away_during_an_upload_is_told_and_shows_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.proxy.fault = lambda asked, forward: None if "partNumber=2" in asked.path else forward(asked)
    message = refusal(UnavailableError, lambda: put(scene.place, tmp_path))
    assert message.startswith("the S3 store cannot be reached\n")
    scene.proxy.fault = None
    assert not scene.place.has(BLOB)
    assert tmp_path.name.encode() not in scene.left()


@pytest.mark.parametrize("data", [DATA[:-1] + b"!", DATA[:-1], DATA + b"!"], ids=["other", "shorter", "longer"])
def test_a_file_that_is_not_the_blob_does_not_appear(scene: Scene, tmp_path: Path, data: bytes) -> None:
    message = refusal(IntegrityError, lambda: put(scene.place, tmp_path, data)).splitlines()
    assert message[0] == "the file is not the blob"
    assert message[2] == f"  expected: {BLOB.sha256}, {len(DATA)} bytes"
    assert not scene.place.has(BLOB)
    assert tmp_path.name.encode() not in scene.left()


def test_a_body_that_breaks_off_each_time_is_told(scene: Scene, tmp_path: Path) -> None:
    put(scene.place, tmp_path)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        headers = {**reply.headers, "Content-Length": str(len(reply.body))}
        return Reply(reply.status, headers, reply.body[: len(reply.body) // 2])

    scene.proxy.fault = fault
    message = refusal(UnavailableError, lambda: fetch(scene.place, tmp_path, Range(0, 100)))
    assert message.splitlines()[0] == "the S3 store cannot be reached"


def _shorter(reply: Reply) -> Reply:
    headers = {**reply.headers, "Content-Range": f"bytes 5-13/{len(DATA)}"}
    return Reply(206, headers, reply.body[:-1])


def _elsewhere(reply: Reply) -> Reply:
    return reply._replace(headers={**reply.headers, "Content-Range": f"bytes 6-15/{len(DATA)}"})


def _whole(reply: Reply) -> Reply:
    headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-range"}
    return Reply(200, headers, DATA)


def _larger(reply: Reply) -> Reply:
    return reply._replace(headers={**reply.headers, "Content-Range": f"bytes 5-14/{len(DATA) + 1}"})


@pytest.mark.parametrize(
    ("tamper", "expected", "found"),
    [
        (_shorter, "bytes 5..15", "bytes 5..14"),
        (_elsewhere, "bytes 5..15", "bytes 6..16"),
        (_larger, f"a blob of {len(DATA)} bytes", f"one of {len(DATA) + 1} bytes"),
        (_whole, "a part", "the whole file"),
    ],
    ids=["shorter", "offset", "size", "whole"],
)
def test_other_bytes_than_were_asked_for_are_refused(
    scene: Scene, tmp_path: Path, tamper: Callable[[Reply], Reply], expected: str, found: str
) -> None:
    put(scene.place, tmp_path)
    scene.proxy.fault = lambda asked, forward: tamper(forward(asked))
    assert refusal(IntegrityError, lambda: fetch(scene.place, tmp_path, Range(5, 10))) == (
        "the S3 store serves other bytes than were asked for\n"
        f"  where:    {scene.place.where}/blobs/{BLOB.blake3.value}\n"
        f"  expected: {expected}\n"
        f"  found:    {found}"
    )
    assert (tmp_path / "target").read_bytes() == b""


def test_a_blob_that_is_not_there_is_told(scene: Scene, tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: fetch(scene.place, tmp_path)) == (
        f"the place has no such blob\n  where:    {scene.place.where}/blobs/{BLOB.blake3.value}"
    )


def test_a_target_that_cannot_be_written_is_told_as_that(scene: Scene, tmp_path: Path) -> None:
    put(scene.place, tmp_path)
    with source_of(tmp_path, b"open for reading only") as target:
        message = refusal(UnavailableError, lambda: scene.place.fetch(BLOB, target, [Range(0, 1)], lambda _: None))
    assert message == (
        f"the blob cannot be written\n  where:    {tmp_path / 'source'}\n  found:    Bad file descriptor"
    )


def test_of_two_swaps_at_once_one_succeeds(scene: Scene) -> None:
    assert scene.place.swap(TIMESTAMP, b"before", None)
    both = threading.Barrier(2)

    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.method == "PUT":
            both.wait(60)
        return forward(asked)

    scene.proxy.fault = fault
    done: dict[bytes, bool] = {}

    def swap(data: bytes) -> None:
        done[data] = scene.place.swap(TIMESTAMP, data, b"before")

    publishers = [threading.Thread(target=swap, args=(data,)) for data in (b"mine", b"theirs")]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    (winner,) = [data for data, won in done.items() if won]
    assert len(done) == 2
    assert scene.place.read(TIMESTAMP, 100) == winner


def test_a_file_that_appears_between_our_look_and_our_write_stands(scene: Scene) -> None:
    other = S3Place(scene.place.where, HASTY)

    def fault(asked: Asked, forward: Forward) -> Reply:
        scene.proxy.fault = None
        if asked.method == "PUT":
            assert other.swap(TIMESTAMP, b"theirs", None)
        return forward(asked)

    scene.proxy.fault = fault
    assert not scene.place.swap(TIMESTAMP, b"ours", None)
    assert scene.place.read(TIMESTAMP, 10) == b"theirs"


def test_a_write_whose_answer_was_lost_is_no_failure(scene: Scene) -> None:
    lost: list[Asked] = []

    def fault(asked: Asked, forward: Forward) -> Reply | None:
        reply = forward(asked)
        if asked.method == "PUT" and not lost:
            lost.append(asked)
            return None
        return reply

    scene.proxy.fault = fault
    assert scene.place.create(TIMESTAMP, b"1")
    lost.clear()
    assert scene.place.swap(TIMESTAMP, b"2", b"1")
    assert scene.place.read(TIMESTAMP, 10) == b"2"


@pytest.mark.parametrize("ignored", ["If-None-Match", "If-Match"])
def test_a_store_that_ignores_conditions_is_refused_before_anything_is_published(scene: Scene, ignored: str) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        kept = {name: value for name, value in asked.headers.items() if name.lower() != ignored.lower()}
        return forward(asked._replace(headers=kept))

    def publish() -> None:
        with scene.place.exclusive("stable"):
            raise AssertionError

    scene.proxy.fault = fault
    for _ in range(2):
        assert refusal(UnavailableError, publish) == (
            "the S3 store has no conditional writes, without which two publishers could overwrite each other\n"
            f"  where:    {scene.place.where}\n"
            "  expected: If-None-Match and If-Match\n"
            "  found:    a write that had to be refused was done\n"
            "  fix:      publish from one machine at a time into a directory, and copy that to the store"
        )


def test_a_plain_http_endpoint_off_the_loopback_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.example.org")
    assert refusal(InputError, lambda: S3Place("s3://bucket/x")) == (
        "the endpoint of the S3 store is plain http\n"
        "  where:    AWS_ENDPOINT_URL\n"
        "  expected: https, or http on the loopback\n"
        "  fix:      use https, or set AWS_ALLOW_HTTP=true for a network that you trust"
    )
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    assert S3Place("s3://bucket/x").allow_http


def test_variables_that_are_not_usable_are_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://")
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "secret-of-the-test")
    with pytest.raises(InputError) as caught:
        S3Place("s3://bucket/x", HASTY).read(TIMESTAMP, 10)
    assert str(caught.value) == (
        "the AWS_* variables are not usable\n"
        "  where:    s3://bucket/x\n"
        "  fix:      check their values, AWS_ENDPOINT_URL first"
    )
    assert "secret-of-the-test" not in "".join(traceback.format_exception(caught.value))
