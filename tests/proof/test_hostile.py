"""Whatever bytes come in, an explanation comes out."""

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bitproof.proof.explain import explain
from bitproof.proof.explanation import Kind
from bitproof.proof.functions import bodies, compare_bodies, function_names
from bitproof.proof.interface import interface
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import Binary, parse
from tests.proof.builders import (
    COMPONENT,
    CORE,
    FUNC,
    component,
    component_exports,
    component_imports,
    custom,
    data,
    extern,
    imported,
    imports,
    module,
    names,
    nested,
    section,
)

FULL = module([1, 2, 3], data(b"data"), names({0: "a", 2: "c"}), custom("producers", b"x"), extra=section(8, b"\0"))
IMPORTING = CORE + imports(imported("env", "now", FUNC, b"\0")) + FULL[len(CORE) :]
WHOLE = component(
    component_imports(extern("pylon:kv/store@0.1.0", b"\x05\0"), extern("t", b"\x03\x01")),
    nested(FULL),
    nested(component(nested(IMPORTING), custom("component-name"))),
    component_exports(extern("run", b"\x01\0\x01\x01\0")),
)
SECTIONS = st.builds(section, st.integers(0, 14), st.binary(max_size=24))
MODULES = st.lists(SECTIONS, max_size=8).map(lambda sections: CORE + b"".join(sections))
COMPONENTS = st.lists(SECTIONS | st.builds(nested, MODULES), max_size=8).map(
    lambda sections: COMPONENT + b"".join(sections)
)
BODIES = st.lists(st.binary(max_size=1), max_size=8)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good binary with a few bytes replaced, inserted or cut away."""
    binary = bytearray(draw(st.sampled_from([FULL, IMPORTING, WHOLE])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(binary)))
        binary[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(binary)


ANYTHING = st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: CORE + tail) | MODULES | COMPONENTS
ANYTHING |= mutated()


def rejoined(binary: Binary) -> bytes:
    return bytes(binary.preamble) + b"".join(each.raw for each in binary.sections)


def is_refused(binary: bytes, read: Callable[[memoryview], object]) -> bool:
    """Whether reading ends in the one documented error, which names a place in the file."""
    try:
        read(memoryview(binary))
    except WasmError as error:
        offset = error.offset
    else:
        return False
    assert 0 <= offset <= len(binary)
    return True


def read_everything(view: memoryview) -> None:
    parsed = parse(view)
    function_names(parsed, range(9))
    interface(parsed, signatures=False)
    interface(parsed)
    bodies(parsed)


@given(ANYTHING)
def test_what_parses_can_be_put_together_again_to_the_same_bytes(binary: bytes) -> None:
    assert is_refused(binary, parse) or rejoined(parse(memoryview(binary))) == binary


@given(ANYTHING)
def test_no_section_is_read_to_anything_but_a_value_or_a_refusal(binary: bytes) -> None:
    is_refused(binary, read_everything)


@given(ANYTHING, ANYTHING)
def test_two_files_of_any_bytes_are_explained(expected: bytes, found: bytes) -> None:
    explanation = explain(expected, found)

    assert json.loads(json.dumps(explanation.document()))["text"] == explanation.text
    assert explanation.text.isprintable()
    assert (explanation.cause is Kind.NOTHING) == (expected == found)
    assert (explanation.offset is None) == (expected == found)


@given(ANYTHING)
def test_one_file_of_any_bytes_is_described(found: bytes) -> None:
    explanation = explain(None, found)

    assert explanation.cause is Kind.UNKNOWN
    assert explanation.found.size == len(found)


@given(mutated())
def test_a_mutated_binary_that_still_parses_has_a_cause_in_its_parts(found: bytes) -> None:
    explanation = explain(WHOLE, found)

    assert bool(explanation.differences) == (explanation.cause not in {Kind.BYTES, Kind.NOTHING})


@given(BODIES, BODIES)
def test_functions_are_counted_as_a_slow_comparison_counts_them(expected: list[bytes], found: list[bytes]) -> None:
    changes = compare_bodies(expected, found)

    added = sum(max(0, found.count(body) - expected.count(body)) for body in set(found))
    removed = sum(max(0, expected.count(body) - found.count(body)) for body in set(expected))
    if len(expected) == len(found):
        differing = sum(old != new for old, new in zip(expected, found, strict=True))
        assert (len(changes.changed), changes.moved) == (added, differing - added)
        assert not changes.removed
        assert not changes.added
    else:
        assert (len(changes.removed), len(changes.added)) == (removed, added)
        assert not changes.changed
