"""What a registry, or whoever sits before it, may do to a publisher and to a client."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry import blobs
from bitproof.channel.backends.registry.artifacts import MANIFEST_TYPE, parse_descriptors
from bitproof.channel.backends.registry.manifests import read_manifest
from bitproof.channel.ports import NamedBlob, Range
from bitproof.errors import InputError, IntegrityError, UnavailableError
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY, blob_of, source_of, target_in
from tests.channel.places.servers import Asked, Fault, Forward, Proxy, Reply, failing
from tests.evidence import refusal

TIMESTAMP = "stable/metadata/timestamp.json"
TAG = "manifests/stable-timestamp.json"
DATA = bytes(range(256)) * (40 << 10)  # 10 MiB: two pieces
BLOB = blob_of(DATA)

pytestmark = pytest.mark.xdist_group("places")


@dataclass
class Scene:
    """The same repository straight and through a proxy."""

    straight: OciPlace
    place: OciPlace
    proxy: Proxy


@pytest.fixture
def scene(registry_address: str, tmp_path: Path) -> Iterator[Scene]:
    name = "".join(character for character in tmp_path.name.lower() if character.isalnum())
    with servers.proxy(registry_address) as proxy:
        yield Scene(
            OciPlace(f"oci://{registry_address}/{name}", HASTY), OciPlace(f"oci://{proxy.address}/{name}", HASTY), proxy
        )


def put(place: OciPlace, directory: Path, data: bytes = DATA) -> list[int]:
    told: list[int] = []
    with source_of(directory, data) as source:
        place.put(blob_of(DATA), source, told.append)
    return told


def fetch(place: OciPlace, directory: Path, *ranges: Range) -> bytes:
    with target_in(directory) as target:
        place.fetch(BLOB, target, ranges or [Range(0, len(DATA))], lambda _: None)
        return target.path.read_bytes()


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


def test_a_registry_that_stores_another_manifest_is_told(scene: Scene) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        digest = {"Docker-Content-Digest": "sha256:" + "0" * 64}
        return reply._replace(headers={**reply.headers, **digest}) if asked.method == "PUT" else reply

    scene.proxy.fault = lambda asked, forward: fault(asked, forward) if TAG in asked.path else forward(asked)
    message = refusal(IntegrityError, lambda: scene.place.swap(TIMESTAMP, b"1", None)).splitlines()
    assert message[:2] == [
        "the registry stored another manifest",
        f"  where:    {scene.place.where}/manifests/stable-timestamp.json",
    ]
    assert message[3] == f"  found:    sha256:{'0' * 64}"


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


def test_a_manifest_with_more_than_its_limit_is_not_read_on(scene: Scene) -> None:
    headers = {"Content-Type": MANIFEST_TYPE}
    scene.proxy.fault = lambda _, __: Reply(200, headers, b" " * ((4 << 20) + 1))
    assert refusal(IntegrityError, lambda: scene.place.read(TIMESTAMP, 10)) == (
        "the manifest is larger than it may be\n"
        f"  where:    {scene.place.where}/manifests/stable-timestamp.json\n"
        "  expected: at most 4194304 bytes"
    )


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"good", None)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        return reply._replace(body=reply.body.replace(b"Z29vZA==", b"RVZJTA=="))

    scene.proxy.fault = fault
    message = refusal(IntegrityError, lambda: scene.place.read(TIMESTAMP, 10))
    assert message.splitlines()[0] == "the manifest is not what its digest says"


def test_a_file_whose_manifest_carries_junk_is_read_from_its_blob(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"good", None)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        if TAG not in asked.path:
            return reply
        return Reply(200, {"Content-Type": MANIFEST_TYPE}, reply.body.replace(b"Z29vZA==", b"no base64"))

    scene.proxy.fault = fault
    assert scene.place.read(TIMESTAMP, 10) == b"good"


def test_bytes_that_a_manifest_carries_are_compared_with_their_digest(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"good", None)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        headers = {name: value for name, value in reply.headers.items() if name != "Docker-Content-Digest"}
        return Reply(200, headers, reply.body.replace(b"Z29vZA==", b"RVZJTA=="))

    scene.proxy.fault = fault
    good, evil = (blob_of(data).sha256 for data in (b"good", b"EVIL"))
    assert refusal(IntegrityError, lambda: scene.place.read(TIMESTAMP, 10)) == (
        "the registry serves other bytes\n"
        f"  where:    {scene.place.where}@{good}\n"
        f"  expected: {good}, 4 bytes\n"
        f"  found:    {evil}"
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"[]", "the file is not acceptable JSON"),
        (b"{}", "0 layers"),
        (b'{"layers":[]}', "0 layers"),
        (b'{"layers":[7]}', "layers[0]: the wrong type: expected a table, found an integer, 7"),
        (b'{"layers":[{"mediaType":"x","digest":"sha256:0","size":1}]}', "layers[0].digest: not 64 hex digits: '0'"),
    ],
)
def test_what_is_no_manifest_is_refused(scene: Scene, body: bytes, found: str) -> None:
    scene.proxy.fault = lambda _, __: Reply(200, {"Content-Type": MANIFEST_TYPE}, body)
    assert refusal(IntegrityError, lambda: scene.place.read(TIMESTAMP, 10)) == (
        "the registry serves no manifest of this kind\n"
        f"  where:    {scene.place.where}:stable-timestamp.json\n"
        f"  found:    {found}"
    )


def test_a_page_of_html_is_no_manifest(scene: Scene) -> None:
    scene.proxy.fault = lambda _, __: Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>")
    assert refusal(IntegrityError, lambda: scene.place.read(TIMESTAMP, 10)) == (
        "the manifest is of another type\n"
        f"  where:    {scene.place.where}/manifests/stable-timestamp.json\n"
        f"  expected: {MANIFEST_TYPE}\n"
        "  found:    text/html"
    )


def test_a_tag_that_somebody_moves_between_our_write_and_our_look_is_not_ours(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"1", None)

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        if asked.method == "PUT" and TAG in asked.path:
            assert scene.straight.swap(TIMESTAMP, b"theirs", b"ours")
        return reply

    scene.proxy.fault = fault
    assert not scene.place.swap(TIMESTAMP, b"ours", b"1")
    assert scene.straight.read(TIMESTAMP, 10) == b"theirs"


def test_a_tag_that_was_moved_before_we_looked_is_left_alone(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"theirs", None)
    scene.place.registry.call("GET", "tags/list", (200,))
    assert not scene.place.swap(TIMESTAMP, b"ours", b"1")
    assert scene.straight.read(TIMESTAMP, 10) == b"theirs"
    assert all(asked.method == "GET" for asked in scene.proxy.asked)


def test_of_two_swaps_at_once_the_one_that_is_seen_was_told_so(scene: Scene) -> None:
    """Both may be told so: a registry has no conditions."""
    assert scene.straight.swap(TIMESTAMP, b"before", None)
    both = threading.Barrier(2)

    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.method == "PUT" and TAG in asked.path:
            both.wait(60)
        return forward(asked)

    scene.proxy.fault = fault
    done: dict[bytes, bool] = {}

    def swap(data: bytes) -> None:
        done[data] = OciPlace(scene.place.where, HASTY).swap(TIMESTAMP, data, b"before")

    publishers = [threading.Thread(target=swap, args=(data,)) for data in (b"mine", b"theirs")]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    seen = scene.straight.read(TIMESTAMP, 100)
    assert seen is not None
    assert done[seen]


@pytest.mark.parametrize("told", ["0", "soon", "Tue, 24 Nov 2026 19:00:00 GMT", "9" * 5000])
def test_a_pause_that_makes_no_sense_is_not_minded(scene: Scene, told: str) -> None:
    inner = failing(1, 429)

    def fault(asked: Asked, forward: Forward) -> Reply | None:
        reply = inner(asked, forward)
        return reply._replace(headers={"Retry-After": told}) if reply and reply.status == 429 else reply

    scene.proxy.fault = fault
    assert scene.place.read(TIMESTAMP, 10) is None


def test_a_small_file_is_read_by_one_request(scene: Scene) -> None:
    scene.straight.swap(TIMESTAMP, b"1", None)
    assert scene.place.read(TIMESTAMP, 10) == b"1"
    assert [asked.method for asked in scene.proxy.asked] == ["GET"]


def test_a_release_is_an_artifact_that_other_tools_understand(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    scene.place.announce("2026.1124.1+fix", [NamedBlob("x86_64/rootfs.squashfs", BLOB)])
    answer = scene.place.registry.call("GET", "manifests/2026.1124.1_fix", (200,), headers={"Accept": MANIFEST_TYPE})
    assert json.loads(answer.body) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.bitproof.release.v1",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
            "data": "e30=",
        },
        "layers": [
            {
                "mediaType": "application/octet-stream",
                "digest": str(BLOB.sha256),
                "size": len(DATA),
                "annotations": {"org.opencontainers.image.title": "x86_64/rootfs.squashfs"},
            }
        ],
    }


def test_garbage_collection_keeps_the_blobs_of_what_was_announced(tmp_path: Path) -> None:
    with servers.registry(tmp_path / "server") as address:
        place = OciPlace(f"oci://{address}/x", HASTY)
        put(place, tmp_path)
        place.announce("1", [NamedBlob("x86_64/vmlinuz", BLOB)])
        place.swap(TIMESTAMP, b"1", None)
        with source_of(tmp_path, b"nobody's") as source:
            place.put(blob_of(b"nobody's"), source, lambda _: None)
        servers.collect_garbage(tmp_path / "server")
    with servers.registry(tmp_path / "server") as address:  # anew: it remembers nothing
        place = OciPlace(f"oci://{address}/x", HASTY)
        assert place.has(BLOB)
        assert not place.has(blob_of(b"nobody's"))
        assert place.read(TIMESTAMP, 10) == b"1"


def test_a_version_that_shows_another_file_is_not_replaced(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    scene.place.announce("1", [NamedBlob("x86_64/vmlinuz", BLOB)])
    other = blob_of(b"another kernel")
    message = refusal(IntegrityError, lambda: scene.place.announce("1", [NamedBlob("x86_64/vmlinuz", other)]))
    assert message == (
        "the version's tag shows another file\n"
        f"  where:    {scene.place.where}:1 x86_64/vmlinuz\n"
        f"  expected: {other.sha256}\n"
        f"  found:    {BLOB.sha256}\n"
        "  fix:      another release has this version: give yours a new one, or delete the tag if it is not in use"
    )


def test_what_a_version_shows_already_stays_beside_what_is_new(scene: Scene, tmp_path: Path) -> None:
    put(scene.straight, tmp_path)
    names = ["x86_64/vmlinuz", "arm64/vmlinuz"]
    for name in names:
        scene.place.announce("1", [NamedBlob(name, BLOB)])
    manifest = read_manifest(scene.place.registry, "1")
    assert manifest is not None
    layers = parse_descriptors(manifest.data, "layers", "")
    assert [layer.annotations["org.opencontainers.image.title"] for layer in layers] == sorted(names)


@pytest.mark.parametrize("channel", ["a+b", "x" * 120])
def test_a_channel_whose_name_makes_no_tag_is_refused_before_anything_is_written(scene: Scene, channel: str) -> None:
    def publish() -> None:
        with scene.place.exclusive(channel):
            raise AssertionError

    message = refusal(InputError, publish)
    assert message.splitlines()[0] == "a channel of this name cannot be in a registry"
    assert scene.proxy.asked == []


@pytest.mark.parametrize("version", ["stable-timestamp.json", "x" * 129, "/"])
def test_a_version_that_makes_no_tag_of_its_own_is_refused(scene: Scene, version: str) -> None:
    message = refusal(InputError, lambda: scene.place.announce(version, []))
    assert message.splitlines()[0] == "a release of this version cannot be in a registry"
    assert scene.proxy.asked == []


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
