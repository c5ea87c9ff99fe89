"""What every place promises, tried on each of them over its real wire."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry.artifacts import TITLE, parse_descriptors
from bitproof.channel.backends.registry.blobs import read_blob
from bitproof.channel.backends.registry.manifests import read_manifest
from bitproof.channel.backends.registry.referrers import find_referrers
from bitproof.channel.backends.s3 import S3Place
from bitproof.channel.ports import Backend, NamedBlob, Range
from bitproof.errors import IntegrityError
from bitproof.system.files import Directory
from bitproof.system.net.partial import open_partial
from bitproof.system.net.spans import merged
from tests.channel.places.blobs import HASTY, blob_of, source_of, target_in
from tests.channel.places.servers import BUCKET
from tests.evidence import refusal

TIMESTAMP = "stable/metadata/timestamp.json"
ROOT_1 = "stable/metadata/1.root.json"
LARGE = bytes(range(256)) * (70 << 10)  # 17.5 MiB: three pieces

pytestmark = pytest.mark.xdist_group("places")


def _directory(tmp_path: Path, _: pytest.FixtureRequest, __: pytest.MonkeyPatch) -> Backend:
    return DirectoryPlace(tmp_path / "place")


def _s3(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{request.getfixturevalue('s3_address')}")
    return S3Place(f"s3://{BUCKET}/{tmp_path.name}", HASTY)


def _oci(tmp_path: Path, request: pytest.FixtureRequest, _: pytest.MonkeyPatch) -> Backend:
    name = "".join(character for character in tmp_path.name.lower() if character.isalnum())
    return OciPlace(f"oci://{request.getfixturevalue('registry_address')}/{name}", HASTY)


Make = Callable[[Path, pytest.FixtureRequest, pytest.MonkeyPatch], Backend]


@pytest.fixture(params=[_directory, _s3, _oci], ids=["directory", "s3", "oci"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    make: Make = request.param
    return make(tmp_path, request, monkeypatch)


@pytest.fixture(params=[_s3, _oci], ids=["s3", "oci"])
def wire(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A place over a network, from where what has come is recorded."""
    make: Make = request.param
    return make(tmp_path, request, monkeypatch)


def test_a_file_is_created_once_and_stands(place: Backend) -> None:
    with place.exclusive("stable"):
        assert place.create(ROOT_1, b"one")
        assert place.create(ROOT_1, b"one")
        assert not place.create(ROOT_1, b"two")
        assert not place.create(ROOT_1, b"longer than one")
        assert not place.create(ROOT_1, b"")
    assert place.read(ROOT_1, 100) == b"one"


def test_a_pointer_is_swapped_only_from_what_it_was(place: Backend) -> None:
    with place.exclusive("stable"):
        assert not place.swap(TIMESTAMP, b"2", b"1")
        assert place.swap(TIMESTAMP, b"1", None)
        assert not place.swap(TIMESTAMP, b"2", None)
        assert not place.swap(TIMESTAMP, b"3", b"2")
        assert not place.swap(TIMESTAMP, b"3", b"")
        assert place.read(TIMESTAMP, 10) == b"1"
        assert place.swap(TIMESTAMP, b"a longer one", b"1")
        assert not place.swap(TIMESTAMP, b"4", b"1")
        assert place.swap(TIMESTAMP, b"5", b"a longer one")
    assert place.read(TIMESTAMP, 1) == b"5"


def test_what_is_not_there_is_none(place: Backend) -> None:
    place.create(ROOT_1, b"something, so that the place is there")
    assert place.read(TIMESTAMP, 10) is None


def test_an_empty_file_is_a_file(place: Backend) -> None:
    assert place.create(ROOT_1, b"")
    assert place.read(ROOT_1, 0) == b""


def test_a_file_may_be_as_large_as_its_limit_and_not_larger(place: Backend) -> None:
    data = b"x" * 200_000
    place.create(ROOT_1, data)
    assert place.read(ROOT_1, 200_000) == data
    message = refusal(IntegrityError, lambda: place.read(ROOT_1, 199_999))
    assert message.splitlines()[0] == "the file is larger than it may be"
    assert "  expected: at most 199999 bytes" in message.splitlines()


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_blob_comes_back_as_it_was(place: Backend, tmp_path: Path, data: bytes) -> None:
    blob = blob_of(data)
    told: list[int] = []
    assert not place.has(blob)
    with source_of(tmp_path, data) as source:
        place.put(blob, source, told.append)
        assert place.has(blob)
        assert not place.has(blob._replace(size=len(data) + 1))
        place.put(blob, source, told.append)
    assert sum(told) == 2 * len(data)
    told.clear()
    with target_in(tmp_path) as target:
        place.fetch(blob, target, [Range(0, len(data))], told.append)
        assert target.path.read_bytes() == data
    assert sum(told) == len(data)


def test_ranges_land_at_their_offsets_and_nothing_else(place: Backend, tmp_path: Path) -> None:
    blob = blob_of(LARGE)
    with source_of(tmp_path, LARGE) as source:
        place.put(blob, source, lambda _: None)
    ranges = [Range(1, 2), Range(1000, 9 << 20), Range(len(LARGE) - 3, 3)]
    expected = bytearray(len(LARGE))
    for offset, size in ranges:
        expected[offset : offset + size] = LARGE[offset : offset + size]
    with target_in(tmp_path) as target:
        place.fetch(blob, target, ranges, lambda _: None)
        assert target.path.read_bytes() == bytes(expected)


def test_what_came_before_a_failure_is_not_fetched_again(wire: Backend, tmp_path: Path) -> None:
    blob = blob_of(LARGE)
    with source_of(tmp_path, LARGE) as source:
        wire.put(blob, source, lambda _: None)
    with Directory(tmp_path) as downloads, open_partial(downloads, "part", len(LARGE), "key") as target:
        wire.fetch(blob, target, [Range(1, 2), Range(1000, 9 << 20)], lambda _: None)
        assert merged(target.done) == [(1, 2), (1000, 9 << 20)]
    with Directory(tmp_path) as downloads, open_partial(downloads, "part", len(LARGE), "key") as again:
        assert again.missing([(0, 1000 + (9 << 20))]) == [(0, 1), (3, 997)]


def test_a_release_can_be_announced_twice(place: Backend, tmp_path: Path) -> None:
    blob = blob_of(b"kernel")
    with source_of(tmp_path, b"kernel") as source:
        place.put(blob, source, lambda _: None)
    for _ in range(2):
        place.announce("2026.1124.1", [NamedBlob("x86_64/vmlinuz", blob)])


def bundles_of(place: Backend, version: str) -> list[bytes]:
    """What lies beside a release, as another tool finds it."""
    if not isinstance(place, OciPlace):
        found = place.read(f"stable/bundles/{version}.bitproof", 100)
        return [] if found is None else [found]
    release = read_manifest(place.registry, version)
    assert release is not None
    listed = find_referrers(place.registry, release.digest, "application/vnd.bitproof.bundle.v1+tar")
    assert {entry.annotations[TITLE] for entry in listed} <= {f"stable-{version}.bitproof"}
    bundles = []
    for entry in listed:
        manifest = read_manifest(place.registry, str(entry.digest))
        assert manifest is not None
        (layer,) = parse_descriptors(manifest.data, "layers", "the bundle's manifest")
        bundles.append(read_blob(place.registry, layer, 100))
    return bundles


def test_a_bundle_is_laid_beside_a_release_once(place: Backend, tmp_path: Path) -> None:
    blob = blob_of(b"kernel")
    with source_of(tmp_path, b"kernel") as source:
        place.put(blob, source, lambda _: None)
    place.announce("2026.1124.1", [NamedBlob("x86_64/vmlinuz", blob)])
    place.attach("stable", "2026.1124.1", lambda: None)
    assert bundles_of(place, "2026.1124.1") == []
    place.attach("stable", "2026.1124.1", lambda: b"bundle")
    place.attach("stable", "2026.1124.1", lambda: b"another")
    assert bundles_of(place, "2026.1124.1") == [b"bundle"]
