"""What is said about an artifact after it was pushed, in registries that list it and in those that do not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitproof.channel.backends.components import push_component
from bitproof.channel.backends.registry.artifacts import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    TITLE,
    Descriptor,
    described,
    image_index,
    image_manifest,
)
from bitproof.channel.backends.registry.blobs import upload_empty
from bitproof.channel.backends.registry.connection import Registry
from bitproof.channel.backends.registry.manifests import write_manifest
from bitproof.channel.backends.registry.referrers import attach, find_referrers, referrers_tag
from bitproof.channel.backends.urls import OciAddress
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from tests.caps.shelf import sha256
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY, source_of
from tests.channel.places.servers import Asked, Forward, Reply
from tests.evidence import refusal
from tests.proof.builders import component

COMPONENT = component()
pytestmark = pytest.mark.xdist_group("places")


@pytest.fixture
def registry(registry_address: str, tmp_path: Path) -> Registry:
    repository = "".join(character for character in tmp_path.name.lower() if character.isalnum())
    return Registry(OciAddress(registry_address, repository), {}, HASTY)


SUBJECT = described(b"subject", MANIFEST_TYPE)


def _said(text: bytes) -> Descriptor:
    """The entry that `say` makes."""
    layer = described(text, "text/plain", "x")
    manifest = image_manifest([layer], "text/plain", subject=SUBJECT, annotations={TITLE: "x"})
    return described(manifest, MANIFEST_TYPE, "x")._replace(artifact_type="text/plain")


def say(registry: Registry, text: bytes) -> Digest:
    return attach(registry, SUBJECT, described(text, "text/plain", "x"), text, "text/plain").digest


def test_what_is_attached_later_stands_beside_the_first(registry: Registry) -> None:
    digests = [say(registry, b"one"), say(registry, b"two"), say(registry, b"one")]
    assert [entry.digest for entry in find_referrers(registry, SUBJECT.digest)] == digests[:2]
    assert find_referrers(registry, SUBJECT.digest, "another/type") == ()
    assert find_referrers(registry, described(b"nothing", "").digest) == ()


@pytest.fixture
def proxy(registry_address: str) -> Iterator[servers.Proxy]:
    with servers.proxy(registry_address) as proxy:
        yield proxy


def test_a_registry_that_knows_subjects_keeps_the_list_itself(registry: Registry, proxy: servers.Proxy) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        if asked.method == "PUT" and "/manifests/" in asked.path:
            return reply._replace(headers={**reply.headers, "OCI-Subject": str(SUBJECT.digest)})
        return reply

    proxy.fault = fault
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    say(through, b"one")
    assert find_referrers(registry, SUBJECT.digest) == ()
    assert not [asked for asked in proxy.asked if "manifests/sha256-" in asked.path]


def test_the_list_of_a_registry_that_has_one_is_believed(registry: Registry, proxy: servers.Proxy) -> None:
    entry = described(b"said", MANIFEST_TYPE)._replace(artifact_type="text/plain")
    body = json.dumps({"manifests": [entry.document()]}).encode()
    proxy.fault = lambda _, __: Reply(200, {"Content-Type": INDEX_TYPE}, body)
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    assert [found.digest for found in find_referrers(through, SUBJECT.digest)] == [entry.digest]


def test_a_list_that_others_change_meanwhile_keeps_their_entries(registry: Registry, proxy: servers.Proxy) -> None:
    theirs: list[Digest] = []

    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        if asked.method == "PUT" and "manifests/sha256-" in asked.path and not theirs:
            theirs.append(say(registry, b"theirs"))
            write_manifest(registry, referrers_tag(SUBJECT.digest), image_index([_said(b"theirs")]), INDEX_TYPE)
        return reply

    proxy.fault = fault
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    ours = say(through, b"ours")
    assert {entry.digest for entry in find_referrers(registry, SUBJECT.digest)} == {ours, *theirs}


def test_a_list_that_changes_all_the_time_is_told(registry: Registry, proxy: servers.Proxy) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.method == "PUT" and "manifests/sha256-" in asked.path:
            return Reply(201)
        return forward(asked)

    proxy.fault = fault
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    assert refusal(UnavailableError, lambda: say(through, b"ours")) == (
        "the list of what was attached changes all the time\n"
        f"  where:    {through.where}\n"
        "  fix:      others write to it at the same moment: run the same command again"
    )


@pytest.mark.parametrize("body", [b"{", b'{"manifests": 7}', b"[]"])
def test_what_is_no_list_is_not_written_over(registry: Registry, proxy: servers.Proxy, body: bytes) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.method == "GET" and "manifests/sha256-" in asked.path:
            return Reply(200, {"Content-Type": INDEX_TYPE}, body)
        return forward(asked)

    proxy.fault = fault
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    message = refusal(IntegrityError, lambda: say(through, b"ours"))
    assert message.startswith("the registry serves no manifest of this kind\n")
    assert not [asked for asked in proxy.asked if asked.method == "PUT" and "manifests/sha256-" in asked.path]


def test_a_tag_that_somebody_moves_meanwhile_is_told(registry: Registry, proxy: servers.Proxy, tmp_path: Path) -> None:
    def fault(asked: Asked, forward: Forward) -> Reply:
        reply = forward(asked)
        if asked.method == "PUT" and asked.path.endswith("/manifests/one"):
            upload_empty(registry)
            write_manifest(registry, "one", image_manifest([]))
        return reply

    proxy.fault = fault
    through = Registry(registry.address._replace(host=proxy.address), {}, HASTY)
    with source_of(tmp_path, COMPONENT) as file:
        message = refusal(UnavailableError, lambda: push_component(through, "one", file, sha256(COMPONENT), 0, {}))
    assert message == (
        "somebody else moved the tag meanwhile\n"
        f"  where:    {through.where}:one\n"
        "  fix:      run the same command again"
    )
