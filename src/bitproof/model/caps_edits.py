"""New pins in ``caps-manifest.toml``: the digits change and nothing else does (FORMATS section 6).

The strings of the file are found where TOML 1.0 puts them, outside of comments and other strings, and their digits are
replaced in the text itself: a TOML writer would move a table that stands between two caps. What comes out is read
again, and must say what was said before but for the new pins.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bitproof.errors import InputError
from bitproof.model.caps_manifest import (
    MANIFEST_NAME,
    MAX_CAPS_MANIFEST,
    PRODUCT_SUFFIX,
    CapsManifest,
    parse_caps_manifest,
)
from bitproof.model.decode import decode_text, parse_toml
from bitproof.model.digest import Digest

_TOKEN = re.compile(
    r"""\#[^\n]*+ | \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*+" | '[^'\n]*+'""",
    re.VERBOSE | re.DOTALL,
)
"""A comment or a string; whatever stands between two of them holds neither."""
_BARE_KEY = re.compile(r"([A-Za-z0-9_-]+)[ \t]*=[ \t]*", re.ASCII)
_AFTER_KEY = re.compile(r"[ \t]*=[ \t]*", re.ASCII)

Slot = tuple[str, str]
"""A key and the string it holds: ``("sha", "57b0…")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repin:
    """New pins: cap id to commit, cap id to digest, and the composed artifact's; what is absent stays."""

    shas: Mapping[str, str]
    digests: Mapping[str, Digest]
    product: Digest | None = None


def repinned(data: bytes, repin: Repin, where: str = MANIFEST_NAME) -> bytes:
    """The manifest's bytes with new pins.

    Raises:
        InputError: it is no usable manifest, or is written in a way that only its author can edit.
    """
    manifest = parse_caps_manifest(data, where, allow_local_repos=True)
    document: dict[str, Any] = parse_toml(data, where, MAX_CAPS_MANIFEST)
    text = decode_text(data, where, MAX_CAPS_MANIFEST)
    places = _places(text)
    edits: list[tuple[int, int, str]] = []
    for table, key, new in _changes(document, manifest, repin):
        waiting = places[key, table[key]]
        old = table[key].rpartition(":")[2]  # an algorithm's tag stays
        if new is not None and waiting:
            end = waiting[0] + len(table[key])
            edits.append((end - len(old), end, new))
            table[key] = table[key].removesuffix(old) + new
        elif new is not None:
            table[key] = new
        del waiting[:1]
    edited = _spliced(text, edits).encode()
    if parse_toml(edited, where, MAX_CAPS_MANIFEST) != document:
        expected = "each pin as one plain string, and no other key of that name with the same value"
        raise InputError("the pins cannot be replaced in place", where=where, expected=expected)
    return edited


def _changes(
    document: dict[str, Any], manifest: CapsManifest, repin: Repin
) -> Iterator[tuple[dict[str, Any], str, str | None]]:
    """Every pin in document order: its table, its key, and its new digits or None."""
    product = repin.product.value if repin.product else None
    yield document, manifest.product + PRODUCT_SUFFIX, product
    for table in document.get("cap", []):
        yield table, "sha", repin.shas.get(table["id"])
        digest = repin.digests.get(table["id"])
        yield table, "sha256", digest.value if digest else None


def _places(text: str) -> dict[Slot, list[int]]:
    """Where the plain strings of each slot begin, in document order: the offset behind the opening quote."""
    places: dict[Slot, list[int]] = defaultdict(list)
    end, before = 0, ""
    for token in _TOKEN.finditer(text):
        gap = text[end : token.start()]
        bare = re.search(rf"{_BARE_KEY.pattern}\Z", gap, re.ASCII)
        key = bare[1] if bare else before if _AFTER_KEY.fullmatch(gap) else ""
        value = token[0]
        end, before = token.end(), value[1:-1]
        if not value.startswith("#"):
            places[key, before].append(token.start() + 1)
    return places


def _spliced(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts, done = [], 0
    for start, end, new in sorted(edits):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])
