"""A channel's small files in a registry: what is served in their place, and who moves their tags."""

import threading

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry.artifacts import MANIFEST_TYPE
from bitproof.errors import IntegrityError
from tests.channel.places.blobs import HASTY, blob_of
from tests.channel.places.scenes import TIMESTAMP, Scene
from tests.channel.places.servers import Asked, Forward, Reply, failing
from tests.evidence import refusal

TAG = "manifests/stable-timestamp.json"

pytestmark = pytest.mark.xdist_group("places")


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
