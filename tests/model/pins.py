"""Manifests of caps as text: one good one, and what may be changed in it."""

import json
from collections.abc import Mapping

PRODUCT = "2b3cb1315e474429851633af4c7a8981ccc7089630747164311e49470696e353"
SHA = "57b070c806e66c1772d81c922d8d86d016718d66"
SHA256 = "703a5c73f56494ed07c07d95e2142d98e9b0c415b5758e29563d070307156e3e"
ZEROS = "0" * 64
AEAD: Mapping[str, object] = {
    "id": "aead",
    "repo": "https://example.org/aead-multiplexer.git",
    "sha": SHA,
    "target": "wasm32-wasip1",
    "artifact": "target/component/aead_multiplexer.wasm",
    "sha256": SHA256,
}


def block(**changes: object) -> str:
    """One ``[[cap]]``: the seed's, with these keys changed, or left out where they are None."""
    keys = {key: value for key, value in {**AEAD, **changes}.items() if value is not None}
    return "".join(
        ["[[cap]]\n", *(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())]
    )


def manifest(*blocks: str, product: str = f'pylon_sha256 = "{PRODUCT}"\n') -> bytes:
    """A whole manifest."""
    return "\n".join([product, *blocks]).encode()
