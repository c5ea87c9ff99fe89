import json
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError
from bitproof.model.asset_manifest import AssetManifest
from tests.model.samples import FIRST, Document, document, release

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def _round_trip(data: bytes) -> None:
    try:
        manifest = AssetManifest.parse(data)
    except BitproofError as error:
        assert str(error)  # noqa: PT017 - any refusal is fine, any other exception is not
    else:
        assert AssetManifest.parse(manifest.to_bytes()) == manifest


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _round_trip(data)


@given(st.dictionaries(st.sampled_from(["format", "assets", "binaries", "latest", "releases"]), JSON))
def test_any_json_is_read_or_refused(found: Document) -> None:
    _round_trip(json.dumps(found).encode())
    _round_trip(json.dumps({**found, "format": 2}).encode())


def _places(found: object) -> list[tuple[Document, str]]:
    if not isinstance(found, dict):
        return []
    return [(found, key) for key in found] + [place for inner in found.values() for place in _places(inner)]


@given(st.data())
def test_any_mutation_of_a_manifest_is_read_or_refused(data: st.DataObject) -> None:
    found = deepcopy(document({FIRST: release(date="2026-04-15"), "2026.0416.1": release("b", deprecated=True)}))
    for _ in range(data.draw(st.integers(1, 3))):
        table, key = data.draw(st.sampled_from(_places(found)))
        value = table.pop(key)
        table[data.draw(st.just(key) | st.text(max_size=6))] = data.draw(JSON | st.just(value))
    _round_trip(json.dumps(found).encode())
    text = json.dumps(document()).encode()
    cut = data.draw(st.integers(0, len(text)))
    _round_trip(text[:cut] + data.draw(st.binary(max_size=3)) + text[cut:])
