"""From what users write to a place, and from files to tags."""

from pathlib import Path

import pytest

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.open import open_backend, open_reader
from bitproof.channel.backends.s3 import S3Place
from bitproof.channel.backends.tags import file_tag
from bitproof.channel.backends.urls import OciAddress, S3Address, is_loopback
from bitproof.errors import InputError
from tests.evidence import refusal


@pytest.mark.parametrize(
    ("url", "path"),
    [("a/b", "a/b"), ("/a", "/a"), ("file:///a/b%20c", "/a/b c"), ("FILE://localhost/a", "/a"), ("s3", "s3")],
)
def test_a_path_and_a_file_url_are_directories(url: str, path: str) -> None:
    for place in (open_backend(url), open_reader(url)):
        assert isinstance(place, DirectoryPlace)
        assert place.root == Path(path)


def test_stores_and_registries_go_by_their_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert isinstance(open_reader("s3://bucket/prefix"), S3Place)
    assert isinstance(open_backend("oci://registry.example.org/team/product"), OciPlace)


@pytest.mark.parametrize(("url", "scheme"), [("ftp://user:secret@host/x", "ftp"), ("s3a://bucket", "s3a")])
def test_another_scheme_is_refused_with_those_that_are_known(url: str, scheme: str) -> None:
    assert refusal(InputError, lambda: open_backend(url)) == (
        f"places of this kind are not known\n  where:    {scheme}://\n  expected: a path, file://, s3:// or oci://"
    )
    assert "  expected: a path, file://, http://, https://, s3:// or oci://" in refusal(
        InputError, lambda: open_reader(url)
    )


def test_nothing_is_published_to_a_web_server() -> None:
    assert refusal(InputError, lambda: open_backend("https://user:secret@example.org/x")) == (
        "a web server is a place to read from\n"
        "  where:    https://\n"
        "  expected: a path, file://, s3:// or oci://\n"
        "  fix:      publish into the directory that it serves"
    )


@pytest.mark.parametrize("url", ["file://other/a", "file://", "file:///a?b"])
def test_a_file_url_of_another_machine_is_refused(url: str) -> None:
    assert refusal(InputError, lambda: open_backend(url)).startswith("this is not a file URL of this machine\n")


def test_a_place_has_a_name() -> None:
    assert refusal(InputError, lambda: open_backend("")).startswith("the place has no name\n")


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [("s3://abc", "abc", ""), ("s3://a.b-c/x/y_z/", "a.b-c", "x/y_z")],
)
def test_urls_of_stores(url: str, bucket: str, prefix: str) -> None:
    address = S3Address.parse(url)
    assert address == (bucket, prefix)
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://A/b", "s3://ab", "s3://abc/../x", "s3://abc/x//y", "s3://abc/x y", "s3://abc/ä", "s3:abc"]
)
def test_what_is_no_url_of_a_store_is_refused(url: str) -> None:
    message = refusal(InputError, lambda: S3Address.parse(url))
    assert message.startswith("this is not the URL of a place\n  expected: s3://bucket/prefix\n  found:    ")


@pytest.mark.parametrize("url", ["s3://key:secret@abc/x", "s3://abc/x?secret", "s3://ab@c:secret"])
def test_a_secret_in_a_url_is_refused_and_not_quoted(url: str) -> None:
    assert "secret" not in refusal(InputError, lambda: S3Address.parse(url))
    assert "secret" not in refusal(InputError, lambda: OciAddress.parse(url.replace("s3", "oci")))


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("oci://registry.example.org/a", "https://registry.example.org"),
        ("oci://registry.example.org:5000/team/a-b.c__d", "https://registry.example.org:5000"),
        ("oci://localhost:5000/a", "http://localhost:5000"),
        ("oci://127.9.9.9/a", "http://127.9.9.9"),
        ("oci://[::1]:5000/a", "http://[::1]:5000"),
        ("oci://10.0.0.1/a", "https://10.0.0.1"),
    ],
)
def test_urls_of_registries(url: str, base: str) -> None:
    address = OciAddress.parse(url)
    assert address.base == base
    assert str(address) == url


def test_a_tag_is_read_only_where_one_may_be() -> None:
    url = "oci://registry.example.org:5000/a:1.0"
    assert OciAddress.parse(url, tagged=True) == ("registry.example.org:5000", "a", "1.0")
    assert str(OciAddress.parse(url, tagged=True)) == url
    assert refusal(InputError, lambda: OciAddress.parse(url)) == (
        "this is not the URL of a place\n"
        "  expected: oci://host[:port]/repository\n"
        "  found:    'oci://registry.example.org:5000/a:1.0'"
    )


@pytest.mark.parametrize(
    "url",
    [
        "oci://host",
        "oci://host/A",
        "oci://host/a..b",
        "oci://host/a:",
        "oci://host/a:-",
        "oci://host/a@sha256:0",
        "oci://host:0/a",
        "oci://host:x/a",
        "oci://host:99999/a",
        "oci:///a",
        f"oci://host/{'a' * 256}",
        "http://host/a",
        "oci://[::1/a",
        "oci://ho\tst/a",
    ],
)
def test_what_is_no_url_of_a_registry_is_refused(url: str) -> None:
    message = refusal(InputError, lambda: OciAddress.parse(url, tagged=True))
    assert message.splitlines()[0] == "this is not the URL of a place"


@pytest.mark.parametrize("url", ["http://127.0.0.1.example.org/", "http://example.org/", "http://", "http://[x"])
def test_a_name_that_only_looks_like_the_loopback_is_not_it(url: str) -> None:
    assert not is_loopback(url)


def test_every_file_of_a_channel_has_a_tag_of_its_own() -> None:
    sha256 = "0" * 64
    paths = [
        f"{channel}/{path}"
        for channel in ("stable", "stable-1", "stable.root", "a")
        for path in (
            "metadata/timestamp.json",
            "metadata/1.root.json",
            "metadata/1.snapshot.json",
            f"targets/{sha256}.manifest.json",
            f"targets/{sha256}.manifest.json.minisig",
        )
    ]
    assert len({file_tag(path) for path in paths}) == len(paths)
