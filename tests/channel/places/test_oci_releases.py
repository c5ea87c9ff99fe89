"""Releases in a registry, as other tools see them."""

import json
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry.artifacts import MANIFEST_TYPE, parse_descriptors
from bitproof.channel.backends.registry.manifests import read_manifest
from bitproof.channel.ports import NamedBlob
from bitproof.errors import InputError, IntegrityError
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY, blob_of, source_of
from tests.channel.places.scenes import BLOB, DATA, TIMESTAMP, Scene, put
from tests.evidence import refusal

pytestmark = pytest.mark.xdist_group("places")


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
