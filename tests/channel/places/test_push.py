"""Wasm pushed to a registry, and pulled back as any other tool does: by media types, over plain HTTP."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from bitproof.channel.backends.registry.artifacts import (
    INDEX_TYPE,
    MANIFEST_TYPE,
)
from bitproof.proof.inputs import RecordedInputs
from tests.caps.shelf import SHA, Shelf, sha256
from tests.cli.products import ZEROS, Terminal, entry, lay_out
from tests.proof.builders import component, component_exports, component_imports, extern, module, recorded

COMPONENT = component(
    component_imports(extern("wasi:io/streams@0.2.0", b"\x05\0")),
    component_exports(extern("wasi:cli/run@0.2.0", b"\x05\0\0")),
)
MODULE = module()
INPUTS_TYPE = "application/vnd.bitproof.inputs.v1+json"
CREATED = "2023-11-14T22:13:20Z"

pytestmark = pytest.mark.xdist_group("places")


class Puller:
    """A client that knows nothing of bitproof."""

    def __init__(self, host: str, repository: str) -> None:
        self.host = f"{host}/v2/{repository}"

    def get(self, path: str, accept: str = "*/*") -> bytes:
        with urlopen(Request(f"http://{self.host}/{path}", headers={"Accept": accept}), timeout=60) as answer:
            return bytes(answer.read())

    def manifest(self, reference: str, accept: str = MANIFEST_TYPE) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.get(f"manifests/{reference}", accept))

    def blob(self, descriptor: Any) -> bytes:  # noqa: ANN401 - JSON
        data = self.get(f"blobs/{descriptor['digest']}")
        assert descriptor["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert descriptor["size"] == len(data)
        return data

    def layer(self, reference: str, media_type: str) -> bytes:
        (layer,) = [one for one in self.manifest(reference)["layers"] if one["mediaType"] == media_type]
        return self.blob(layer)


class Product:
    """Two caps, a component and a module, and a command line."""

    def __init__(self, shelf: Shelf, bitproof: Terminal, address: str, repository: str) -> None:
        self.shelf = shelf
        self.bitproof = bitproof
        self.url = f"oci://{address}/{repository}"
        self.puller = Puller(address, repository)

    def artifact(self, name: str) -> Path:
        return self.shelf.roots.git_root / name / "out" / f"{name}.wasm"

    def put(self, name: str, data: bytes, inputs: RecordedInputs | None = None) -> None:
        path = self.artifact(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if inputs is not None:
            path.with_name(f"{name}.wasm.inputs.json").write_bytes(inputs.to_bytes())


@pytest.fixture
def product(
    tmp_path: Path,
    registry_address: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Product:
    pins = [entry("one", digest=sha256(COMPONENT).value), entry("two", digest=sha256(MODULE).value)]
    shelf = lay_out(tmp_path, *pins, entry("later", sha="0" * 40, digest=ZEROS))
    repository = "".join(character for character in tmp_path.name.lower() if character.isalnum())
    made = Product(shelf, Terminal(shelf.roots.own, capsys, monkeypatch), registry_address, repository)
    made.put("one", COMPONENT, recorded(environment=(("SOURCE_DATE_EPOCH", "1700000000"),)))
    made.put("two", MODULE)
    return made


def test_a_component_is_pulled_back_by_its_media_type_and_is_the_same(product: Product) -> None:
    told = product.bitproof("push", "one", "two", "--to", product.url)
    assert (told.code, told.err) == (0, "")
    assert product.puller.layer("one", "application/wasm") == COMPONENT
    assert product.puller.layer("two", "application/wasm") == MODULE
    digest = hashlib.sha256(product.puller.get("manifests/one", MANIFEST_TYPE)).hexdigest()
    assert told.out.splitlines()[0] == f"one  {product.url}:one@sha256:{digest}"


def test_a_component_lies_there_as_the_layout_of_wasm_artifacts_says(product: Product) -> None:
    product.bitproof("push", "one", "--to", product.url)
    manifest = product.puller.manifest("one")
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": manifest["config"],
        "layers": [
            {
                "mediaType": "application/wasm",
                "digest": str(sha256(COMPONENT)),
                "size": len(COMPONENT),
                "annotations": {"org.opencontainers.image.title": "one.wasm"},
            }
        ],
        "annotations": {
            "org.opencontainers.image.title": "one.wasm",
            "org.opencontainers.image.revision": SHA,
            "org.opencontainers.image.source": "https://example.org/one.git",
        },
    }
    assert manifest["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert json.loads(product.puller.blob(manifest["config"])) == {
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [str(sha256(COMPONENT))],
        "component": {"exports": ["wasi:cli/run@0.2.0"], "imports": ["wasi:io/streams@0.2.0"]},
    }


def test_a_module_has_no_component_in_its_config(product: Product) -> None:
    product.bitproof("push", "two", "--to", product.url)
    assert json.loads(product.puller.blob(product.puller.manifest("two")["config"])) == {
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [str(sha256(MODULE))],
    }


def test_what_it_was_built_from_is_attached_by_the_fallback_tag(product: Product) -> None:
    told = product.bitproof("push", "one", "--to", product.url, "--json").document
    subject = told["caps"][0]["manifest"]
    index = product.puller.manifest(subject.replace(":", "-"), INDEX_TYPE)
    (listed,) = index["manifests"]
    assert listed["artifactType"] == INPUTS_TYPE
    assert listed["digest"] == told["caps"][0]["inputs"]
    manifest = product.puller.manifest(listed["digest"])
    assert manifest["subject"]["digest"] == subject
    assert manifest["artifactType"] == INPUTS_TYPE
    inputs = product.artifact("one").with_name("one.wasm.inputs.json")
    assert product.puller.layer(listed["digest"], INPUTS_TYPE) == inputs.read_bytes()


def test_pushing_again_changes_nothing(product: Product) -> None:
    first = product.bitproof("push", "one", "two", "--to", product.url, "--json")
    assert product.bitproof("push", "one", "two", "--to", product.url, "--json") == first
    assert first.document["caps"][1]["inputs"] == ""


def test_one_cap_may_have_a_tag_of_its_own(product: Product) -> None:
    assert product.bitproof("push", "one", "--to", f"{product.url}:1.0").code == 0
    assert product.puller.layer("1.0", "application/wasm") == COMPONENT
    told = product.bitproof("push", "one", "two", "--to", f"{product.url}:1.0")
    assert told.code == 2
    assert told.err == (
        "error: one tag cannot name several caps\n"
        "  where:    1.0\n"
        "  found:    2 caps\n"
        "  fix:      name one cap, or leave the tag out: each cap's id is its tag\n"
    )


def test_nothing_is_pushed_when_one_cap_is_not_as_pinned(product: Product) -> None:
    product.put("two", COMPONENT)
    product.artifact("one").unlink()
    told = product.bitproof("push", "one", "two", "--to", product.url)
    assert (told.code, told.out) == (1, "")
    assert told.err == (
        "error: these caps are not as pinned: nothing was pushed\n"
        f"  - one: the artifact is missing: expected {sha256(COMPONENT)}, found no file\n"
        f"  - two: the artifact is not as pinned: expected {sha256(MODULE)}, found {sha256(COMPONENT)}\n"
        "  fix:      bitproof caps sync, which builds and proves them\n"
    )
    with pytest.raises(OSError, match="404"):
        product.puller.get("tags/list")


def test_a_cap_without_a_pin_is_not_pushed(product: Product) -> None:
    told = product.bitproof("push", "--to", product.url)
    assert (told.code, told.err) == (
        2,
        "error: these caps have no pin to prove\n  - later: not pinned yet\n  fix:      bitproof caps regen\n",
    )


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"#!/bin/sh\n", "no wasm preamble at offset 0"),
        (COMPONENT[:-1], "24 bytes are announced and 23 are left at offset 38"),
    ],
)
def test_what_is_no_wasm_is_not_pushed(product: Product, data: bytes, found: str) -> None:
    path = product.shelf.roots.own / "caps-manifest.toml"
    path.write_text(path.read_text().replace(sha256(COMPONENT).value, sha256(data).value))
    product.put("one", data)
    told = product.bitproof("push", "one", "--to", product.url)
    assert told.code == 2
    assert told.err == (
        f"error: the artifact is not wasm\n  where:    {product.artifact('one')}\n  found:    {found}\n"
    )


def test_the_place_is_an_oci_url(product: Product) -> None:
    told = product.bitproof("push", "one", "--to", "https://registry.example.org/x")
    assert (told.code, told.err.splitlines()[0]) == (2, "error: this is not the URL of a place")
