"""Blobs to and from a registry, and what it, or whoever sits before it, may do meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry import blobs
from bitproof.channel.ports import Range
from bitproof.errors import IntegrityError, UnavailableError
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY, source_of
from tests.channel.places.scenes import BLOB, DATA, TIMESTAMP, Scene, fetch, put
from tests.channel.places.servers import Asked, Fault, Forward, Reply, failing
from tests.evidence import refusal

pytestmark = pytest.mark.xdist_group("places")


@contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing listens any more."""
    with servers.proxy("") as proxy:
        address = proxy.address
    yield address


def test_a_registry_that_is_gone_is_told(tmp_path: Path) -> None:
    with nobody() as address:
        place = OciPlace(f"oci://{address}/x", HASTY)
        message = refusal(UnavailableError, lambda: place.read(TIMESTAMP, 10))
        assert message == (
            "the registry cannot be reached\n"
            f"  where:    oci://{address}/x/manifests/stable-timestamp.json\n"
            "  found:    no connection\n"
            "  fix:      check the network and the registry's name, then run the same command again"
        )
        assert refusal(UnavailableError, lambda: put(place, tmp_path)).startswith("the registry cannot be reached\n")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_faults_are_waited_out(scene: Scene, tmp_path: Path, status: int) -> None:
    scene.proxy.fault = failing(HASTY.retries, status)
    put(scene.place, tmp_path)
    scene.proxy.fault = failing(HASTY.retries, status)
    assert fetch(scene.place, tmp_path) == DATA
    scene.proxy.fault = failing(HASTY.retries, status)
    assert scene.place.swap(TIMESTAMP, b"1", None)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "the registry refused the request"),
        (403, "the registry refused the request"),
        (429, "the registry allows no more requests for now"),
        (503, "the registry failed"),
        (418, "the registry does not do what was asked"),
    ],
)
def test_a_refusal_that_stays_is_told_with_its_status(scene: Scene, status: int, sentence: str) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"secret of the server"}]}'
    scene.proxy.fault = lambda _, __: Reply(status, {}, body)
    message = refusal(UnavailableError, lambda: scene.place.read(TIMESTAMP, 10)).splitlines()
    assert message[0] == sentence
    assert message[1:3] == [
        f"  where:    {scene.place.where}/manifests/stable-timestamp.json",
        f"  found:    {status}, DENIED",
    ]


def test_an_upload_that_broke_off_is_resumed_where_it_broke(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a registry that keeps what it got, as newer ones than Debian's do."""
    kept: list[Reply] = []

    def keep(asked: Asked) -> None:
        headers = {**asked.headers, "Content-Length": str(len(asked.body))}
        kept.append(scene.proxy.forward(asked._replace(headers=headers)))

    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.method == "GET" and "uploads" in asked.path:
            return Reply(204, {name: kept[0].headers[name] for name in ("Range", "Location")})
        return forward(asked)

    monkeypatch.setattr(scene.proxy, "broken", keep)
    scene.proxy.fault = fault
    scene.proxy.hang_up_after = 4 << 20
    assert sum(put(scene.place, tmp_path)) == len(DATA)
    assert scene.straight.has(BLOB)
    (patch,) = [asked for asked in scene.proxy.asked if asked.method == "PATCH"]
    assert len(patch.body) == len(DATA) - (4 << 20)
    assert patch.headers["Content-Range"] == f"{4 << 20}-{len(DATA) - 1}"


def test_an_upload_that_broke_off_begins_anew_where_the_registry_forgets_it(scene: Scene, tmp_path: Path) -> None:
    scene.proxy.hang_up_after = 4 << 20
    assert sum(put(scene.place, tmp_path)) == len(DATA)
    assert scene.straight.has(BLOB)


def test_a_registry_that_goes_away_during_an_upload_is_told_and_shows_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.proxy.fault = lambda asked, forward: None if asked.method == "PATCH" else forward(asked)
    message = refusal(UnavailableError, lambda: put(scene.place, tmp_path))
    assert message.startswith("the registry cannot be reached\n")
    assert not scene.straight.has(BLOB)


def test_an_answer_that_was_lost_is_no_failed_upload(scene: Scene, tmp_path: Path) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply | None:
        reply = forward(asked)
        return None if asked.method == "PUT" and "uploads" in asked.path else reply

    scene.proxy.fault = fault
    put(scene.place, tmp_path)
    assert scene.straight.has(BLOB)


def test_a_file_that_changes_while_it_is_uploaded_is_refused_and_does_not_appear(scene: Scene, tmp_path: Path) -> None:
    changed = DATA[:-1] + b"!"
    assert refusal(IntegrityError, lambda: put(scene.place, tmp_path, changed)) == (
        "the registry received other bytes\n"
        f"  where:    {scene.place.where}\n"
        "  found:    400, DIGEST_INVALID\n"
        "  fix:      the file changed while it was uploaded: run the same command again"
    )
    assert not scene.straight.has(BLOB)


def test_a_file_that_ends_too_early_is_refused_and_does_not_appear(scene: Scene, tmp_path: Path) -> None:
    message = refusal(IntegrityError, lambda: put(scene.place, tmp_path, DATA[:-1]))
    assert message == f"the file ended while it was uploaded\n  where:    {scene.place.where}"
    assert not scene.straight.has(BLOB)


def _at_another_offset(reply: Reply) -> Reply:
    first, _, rest = reply.headers["Content-Range"].removeprefix("bytes ").partition("-")
    return reply._replace(headers={**reply.headers, "Content-Range": f"bytes {int(first) + 1}-{rest}"})


def _of_another_size(reply: Reply) -> Reply:
    told = reply.headers["Content-Range"].rpartition("/")[0]
    return reply._replace(headers={**reply.headers, "Content-Range": f"{told}/{len(DATA) + 1}"})


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_at_another_offset, f"bytes 6-14/{len(DATA)}"),
        (_of_another_size, f"bytes 5-14/{len(DATA) + 1}"),
        (lambda reply: reply._replace(headers={}), "no range"),
    ],
    ids=["offset", "size", "no range"],
)
def test_other_bytes_than_were_asked_for_are_refused(
    scene: Scene, tmp_path: Path, tamper: Callable[[Reply], Reply], found: str
) -> None:
    put(scene.straight, tmp_path)
    scene.proxy.fault = lambda asked, forward: tamper(forward(asked))
    assert refusal(IntegrityError, lambda: fetch(scene.place, tmp_path, Range(5, 10))) == (
        "the registry serves other bytes than were asked for\n"
        f"  where:    {scene.place.where}@{BLOB.sha256}\n"
        f"  expected: bytes 5-14/{len(DATA)}\n"
        f"  found:    {found}"
    )
    assert (tmp_path / "target").read_bytes() == b""


def test_a_registry_without_ranges_serves_all_the_same(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)

    def fault(asked: Asked, forward: Forward) -> Reply:
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "range"}
        return forward(asked._replace(headers=headers))

    scene.proxy.fault = fault
    assert fetch(scene.place, tmp_path, Range(9 << 20, 1 << 20))[9 << 20 :] == DATA[9 << 20 :]
    assert fetch(scene.place, tmp_path) == DATA


def test_a_registry_without_ranges_is_told_when_the_whole_is_another(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    scene.proxy.fault = lambda _, __: Reply(200, {}, b"short")
    assert refusal(IntegrityError, lambda: fetch(scene.place, tmp_path)) == (
        "the registry serves other bytes than were asked for\n"
        f"  where:    {scene.place.where}@{BLOB.sha256}\n"
        f"  expected: {len(DATA)} bytes\n"
        "  found:    5 bytes"
    )


def test_a_blob_that_is_not_there_is_told(scene: Scene, tmp_path: Path) -> None:
    message = refusal(UnavailableError, lambda: fetch(scene.place, tmp_path)).splitlines()
    assert message[0] == "the registry does not do what was asked"
    assert message[2] == "  found:    404, BLOB_UNKNOWN"


def test_a_target_that_cannot_be_written_is_told_as_that(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    with source_of(tmp_path, b"open for reading only") as target:
        message = refusal(
            UnavailableError, lambda: scene.place.fetch(BLOB, target, [Range(0, len(DATA))], lambda _: None)
        )
    assert message == (
        f"the blob cannot be written\n  where:    {tmp_path / 'source'}\n  found:    Bad file descriptor"
    )


def test_a_registry_that_is_too_slow_is_left(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(scene.straight, tmp_path)
    monkeypatch.setattr(blobs, "GRACE", -1000)
    assert refusal(UnavailableError, lambda: fetch(scene.place, tmp_path)) == (
        f"the registry is too slow\n  where:    {scene.place.where}@{BLOB.sha256}\n  expected: 16384 bytes a second"
    )


def test_a_registry_that_names_no_place_to_upload_to_is_told(scene: Scene, tmp_path: Path) -> None:
    scene.proxy.fault = lambda asked, forward: Reply(202) if asked.method == "POST" else forward(asked)
    message = refusal(UnavailableError, lambda: put(scene.place, tmp_path))
    assert message == f"the registry names no place to upload to\n  where:    {scene.place.where}"


def test_a_body_that_breaks_off_each_time_is_told(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        return Reply(
            reply.status, {**reply.headers, "Content-Length": str(len(reply.body))}, reply.body[: len(reply.body) // 2]
        )

    scene.proxy.fault = fault
    message = refusal(UnavailableError, lambda: fetch(scene.place, tmp_path, Range(0, 100)))
    assert message.splitlines()[0] == "the registry cannot be reached"
    assert message.splitlines()[2] == "  found:    the connection broke off"


def _redirecting(to: str) -> Fault:
    def fault(asked: Asked, forward: Forward) -> Reply:
        return Reply(307, {"Location": to}) if asked.method == "GET" and "/blobs/" in asked.path else forward(asked)

    return fault


def test_a_redirect_to_where_blobs_are_is_followed_without_our_authorization(
    scene: Scene, tmp_path: Path, registry_address: str
) -> None:
    put(scene.straight, tmp_path)
    with servers.proxy(registry_address) as elsewhere:
        path = f"/v2/{scene.place.registry.address.repository}/blobs/{BLOB.sha256}"
        scene.proxy.fault = _redirecting(f"http://{elsewhere.address}{path}")
        scene.place.registry._authorization = "Basic c2VjcmV0"  # noqa: SLF001 - as after a challenge
        assert fetch(scene.place, tmp_path) == DATA
        assert all("Authorization" in asked.headers for asked in scene.proxy.asked)
        assert elsewhere.asked
        assert all("Authorization" not in asked.headers for asked in elsewhere.asked)


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("http://example.org/x?signature=secret", "http://example.org"),
        ("https://169.254.169.254/latest", "https://169.254.169.254"),
        ("https://10.0.0.1/x", "https://10.0.0.1"),
        ("https://localhost.localhost/x", "https://localhost.localhost"),
        ("file:///etc/passwd", "file://None"),
    ],
)
def test_a_redirect_to_where_it_may_not_go_is_refused(scene: Scene, tmp_path: Path, to: str, found: str) -> None:
    put(scene.straight, tmp_path)
    scene.proxy.fault = _redirecting(to)
    assert refusal(UnavailableError, lambda: fetch(scene.place, tmp_path)) == (
        "the registry redirects to where it may not\n"
        f"  where:    {scene.place.where}\n"
        "  expected: https, and no private address\n"
        f"  found:    {found}"
    )


def test_redirects_without_end_are_left(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    scene.proxy.fault = _redirecting("")
    path = f"/v2/{scene.place.registry.address.repository}/blobs/{BLOB.sha256}"
    scene.proxy.fault = _redirecting(path)
    message = refusal(UnavailableError, lambda: fetch(scene.place, tmp_path, Range(0, 1)))
    assert message == f"the registry redirects without end\n  where:    {scene.place.where}"
    assert len(scene.proxy.asked) == 6
