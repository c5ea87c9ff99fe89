import pytest

from bitproof.proof import wasm
from bitproof.proof.reader import MAX_NAME, Reader, WasmError
from bitproof.proof.wasm import Binary, is_wasm, parse
from tests.proof.builders import COMPONENT, CORE, code, component, custom, leb, module, name, nested, section, sized


def refusal(data: bytes) -> str:
    with pytest.raises(WasmError) as caught:
        parse(memoryview(data))
    return str(caught.value)


def rejoined(binary: Binary) -> bytes:
    """The file, from the preamble and the raw sections, at every level."""
    for each in binary.sections:
        if each.inner is not None:
            assert rejoined(each.inner) == each.payload
    return bytes(binary.preamble) + b"".join(each.raw for each in binary.sections)


def test_the_sections_of_a_module_have_names_sizes_and_places() -> None:
    data = module([5], custom("producers", b"rustc"))

    binary = parse(memoryview(data))

    assert not binary.component
    assert [(each.kind, each.name) for each in binary.sections] == [
        ("type", ""),
        ("function", ""),
        ("export", ""),
        ("code", ""),
        ("custom", "producers"),
    ]
    assert binary.sections[-1].payload.tobytes() == b"rustc"
    assert all(data[each.offset :].startswith(each.payload.tobytes()) for each in binary.sections)


def test_what_is_nested_in_a_component_is_taken_apart_too() -> None:
    inner = component(nested(module([1])), custom("c"))
    data = component(nested(module([2])), nested(inner), section(5, b"\0"), custom("d"))

    binary = parse(memoryview(data))

    assert rejoined(binary) == data
    assert [each.kind for each in binary.sections] == ["module", "component", "instance", "custom"]
    kinds = ["type", "function", "export", "code"]
    assert [each.kind for each in binary.all_sections()] == [*kinds, *kinds, "custom", "instance", "custom"]


def test_a_length_in_more_bytes_than_it_needs_is_kept_as_it_is() -> None:
    data = CORE + b"\0" + leb(2, size=5) + name("a")

    assert rejoined(parse(memoryview(data))) == data


def test_bytes_that_are_not_wasm_do_not_claim_to_be() -> None:
    assert is_wasm(memoryview(CORE))
    assert not is_wasm(memoryview(b"\x7fELF"))
    assert refusal(b"\x7fELF\x02\x01\x01\0") == "no wasm preamble at offset 0"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\0asm", "8 bytes are announced and 4 are left at offset 0"),
        (b"\0asm\x02\0\0\0", "an unknown version 02000000 at offset 4"),
        (CORE + b"\x0e\0", "an unknown section 14 at offset 8"),
        (COMPONENT + b"\x0d\0", "an unknown section 13 at offset 8"),
        (CORE + b"\0", "the bytes end too early at offset 9"),
        (CORE + b"\0\x05ab", "5 bytes are announced and 2 are left at offset 10"),
        (CORE + b"\0\xff\xff\xff\xff\x1f", "a number that is too large at offset 9"),
        (CORE + b"\0\x80\x80\x80\x80\x80\0", "a number of too many bytes at offset 9"),
        (CORE + section(0, sized(b"\xff")), r"a name that is not UTF-8, b'\xff', at offset 10"),
        (CORE + section(10, b""), "the bytes end too early at offset 10"),
        (component(section(1, CORE + b"\x63\0")), "an unknown section 99 at offset 18"),
        (component(section(1, b"")), "8 bytes are announced and 0 are left at offset 10"),
    ],
)
def test_malformed_bytes_are_refused_with_what_and_where(data: bytes, sentence: str) -> None:
    assert refusal(data) == sentence


def test_nesting_too_deep_is_refused() -> None:
    data = CORE
    for _ in range(wasm.MAX_DEPTH + 1):
        data = component(section(4 if data.startswith(COMPONENT) else 1, data))

    assert refusal(data).startswith("nested deeper than 16 at offset ")


def test_too_many_sections_are_refused() -> None:
    assert refusal(CORE + custom("") * (wasm.MAX_SECTIONS + 1)) == f"more than 100000 sections at offset {8 + 300_000}"


def test_too_many_definitions_are_refused_whatever_modules_they_stand_in() -> None:
    half = nested(CORE + section(10, leb(wasm.MAX_DEFINITIONS // 2)))

    parse(memoryview(component(half, half)))
    assert refusal(component(half, half, nested(module([])))).startswith("more than 2000000 definitions at offset ")


def test_a_file_that_is_too_large_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm, "MAX_SIZE", 20)

    assert refusal(CORE + bytes(13)) == "more than 20 bytes at offset 20"


def test_a_name_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(WasmError, match=r"^a name of 100001 bytes at offset 0$"):
        Reader(memoryview(leb(MAX_NAME + 1))).name()


def test_a_vector_of_more_elements_than_there_are_bytes_is_refused() -> None:
    with pytest.raises(WasmError, match=r"^a vector of 3 elements, more than fit at offset 0$"):
        Reader(memoryview(b"\x03ab")).count(10)
    with pytest.raises(WasmError, match=r"^a vector of 2 elements, more than fit at offset 0$"):
        Reader(memoryview(b"\x02ab")).count(1)


def test_a_signed_number_ends_where_it_says_or_is_refused() -> None:
    reader = Reader(memoryview(b"\x80\x7f\x01"))
    reader.skip_signed()
    assert reader.offset == 2
    with pytest.raises(WasmError, match=r"^a number of too many bytes at offset 0$"):
        Reader(memoryview(b"\x80" * 6)).skip_signed()


def test_what_is_left_over_is_refused() -> None:
    with pytest.raises(WasmError, match=r"^1 bytes are left over at offset 7$"):
        Reader(memoryview(b"a"), 7).finish()


def test_code_is_not_read_while_sections_are() -> None:
    parse(memoryview(CORE + code(b"\xff" * 9)))
