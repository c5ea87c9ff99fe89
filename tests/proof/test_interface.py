import pytest

from bitproof.proof.interface import Interface, interface
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import parse
from tests.proof.builders import (
    CORE,
    FUNC,
    GLOBAL,
    I32_TO_I32,
    MEMORY,
    NOTHING_TO_NOTHING,
    TABLE,
    TAG,
    component,
    component_exports,
    component_imports,
    exported,
    exports,
    extern,
    functions,
    imported,
    imports,
    section,
    types,
    vector,
)


def read(data: bytes, *, signatures: bool = True) -> Interface:
    return interface(parse(memoryview(data)), signatures=signatures)


def refusal(data: bytes) -> str:
    with pytest.raises(WasmError) as caught:
        read(data)
    return str(caught.value)


def test_a_module_imports_by_two_names_and_functions_are_told_by_their_type() -> None:
    found = read(
        CORE
        + types(NOTHING_TO_NOTHING, I32_TO_I32)
        + imports(
            imported("env", "f", FUNC, b"\x01"),
            imported("env", "t", TABLE, b"\x70\0\x01"),
            imported("env", "m", MEMORY, b"\x01\x01\x02"),
            imported("env", "big", MEMORY, b"\x05\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff\xff\x01"),
            imported("env", "paged", MEMORY, b"\x08\x01\x00"),
            imported("env", "g", GLOBAL, b"\x7e\x01"),
            imported("env", "e", TAG, b"\0\0"),
            imported("env", "f", FUNC, b"\0"),
        )
        + functions(0)
        + exports(twice=1, run=2)
    )

    assert found.imports == {
        "env f": ("func (i32) -> (i32)", "func () -> ()"),
        "env t": ("table",),
        "env m": ("memory",),
        "env big": ("memory",),
        "env paged": ("memory",),
        "env g": ("global",),
        "env e": ("tag",),
    }
    assert found.exports == {"twice": ("func () -> ()",), "run": ("func () -> ()",)}
    assert found.functions == 2


def test_what_is_no_function_is_exported_by_its_kind() -> None:
    assert read(CORE + exported("memory", MEMORY)).exports == {"memory": ("memory",)}


def test_without_signatures_types_need_not_be_readable() -> None:
    data = CORE + types(b"\x5f\0") + imports(imported("a", "b", FUNC, b"\0")) + functions(0) + exports(run=1)

    assert refusal(data) == "a type that is no plain function type at offset 11"
    assert read(data, signatures=False) == Interface({"a b": ("func",)}, {"run": ("func",)}, 1)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (CORE + types(b"\x60\x01\x40\0"), "an unknown value type 0x40 at offset 13"),
        (CORE + exported("a", 9), "an unknown kind 0x09 at offset 13"),
        (CORE + exports(run=3), "index 3 of 0 at offset 11"),
        (CORE + types(NOTHING_TO_NOTHING) + imports(imported("", "", FUNC, b"\x02")), "index 2 of 1 at offset 17"),
        (CORE + imports(imported("a", "t", TABLE, b"\x63\x70\0\0")), "an unknown value type 0x63 at offset 16"),
        (component(component_imports(extern("a", b"\x01\0", 2))), "a name with options at offset 11"),
        (component(component_imports(extern("a", b"\x09"))), "an unknown kind of import at offset 14"),
        (component(component_exports(extern("a", b"\x09"))), "an unknown sort 0x09 at offset 14"),
        (component(section(11, vector([extern("a", b"\x01\0\0")]) + b"x")), "1 bytes are left over at offset 17"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_and_where(data: bytes, sentence: str) -> None:
    assert refusal(data) == sentence


def test_a_component_imports_and_exports_by_one_name() -> None:
    found = read(
        component(
            component_imports(
                extern("pylon:kv/store@0.1.0", b"\x05\x07"),
                extern("log", b"\x01\0", 1),
                extern("core", b"\0\x11\0"),
                extern("limit", b"\x02\x01\x79"),
                extern("same", b"\x02\0\x03"),
            ),
            component_imports(extern("bucket", b"\x03\x01"), extern("key", b"\x03\0\x04"), extern("part", b"\x04\0")),
            component_exports(
                extern("run", b"\x01\x02\0"),
                extern("pylon:kv/api@0.1.0", b"\x05\x01\x01\x05\x02"),
                extern("module", b"\0\x11\0\0"),
                extern("memory", b"\0\x02\0\0"),
            ),
        )
    )

    assert found.imports == {
        "pylon:kv/store@0.1.0": ("instance",),
        "log": ("func",),
        "core": ("module",),
        "limit": ("value",),
        "same": ("value",),
        "bucket": ("type",),
        "key": ("type",),
        "part": ("component",),
    }
    assert found.exports == {
        "run": ("func",),
        "pylon:kv/api@0.1.0": ("instance",),
        "module": ("module",),
        "memory": ("core",),
    }
