"""What a binary imports and exports.

Source: the WebAssembly core specification, sections 5.3 "Types" and 5.5 "Modules", and the component model's
``Binary.md``, "Import and Export Definitions". What is not read here (types of GC) is a `WasmError`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from bitproof.proof.reader import Reader, WasmError
from bitproof.proof.wasm import MAX_DEFINITIONS, Binary

FUNC = "func"
MAX_VALUES = 1000
"""Parameters or results of one function, as engines limit them."""

_T = TypeVar("_T")
_FUNC_TYPE = 0x60
_VALUE_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
}
_KINDS = (FUNC, "table", "memory", "global", "tag")
_CORE_SORT = 0x00
_CORE_MODULE = 0x11
_SORTS = {0x01: FUNC, 0x02: "value", 0x03: "type", 0x04: "component", 0x05: "instance"}
_DESCRIBED = {_CORE_SORT: "module", **_SORTS}
_HAS_MAXIMUM, _IS_64_BIT, _HAS_PAGE_SIZE = 1, 4, 8
_WITH_OPTIONS = 2


class Extern(NamedTuple):
    """One import or export, and where it stands; ``number`` is what a core function is numbered, else 0."""

    name: str
    kind: str
    number: int
    offset: int


@dataclass(frozen=True, slots=True)
class Interface:
    """Imports and exports, name to what it is (``func (i32) -> i64``, ``instance``); a name may stand more than once.

    ``functions`` is how many functions are imported: the index of the first one that has a body.
    """

    imports: dict[str, tuple[str, ...]]
    exports: dict[str, tuple[str, ...]]
    functions: int = 0


def interface(binary: Binary, *, signatures: bool = True) -> Interface:
    """What a binary imports and exports.

    Args:
        binary: a module or a component.
        signatures: tell a core function's parameters and results too.

    Raises:
        WasmError: a section cannot be read; with ``signatures``, also when a type is no plain function type.
    """
    if binary.component:
        return Interface(_named(_component_imports(binary)), _named(_component_exports(binary)))
    imports = list(_core_imports(binary))
    imported = [extern.number for extern in imports if extern.kind == FUNC]
    types = _signatures(binary) if signatures else []
    spaces = [*imported, *_function_types(binary)]
    exports = [
        extern._replace(number=_at(spaces, extern)) if extern.kind == FUNC else extern
        for extern in _core_exports(binary)
    ]
    return Interface(_named(imports, types), _named(exports, types), len(imported))


def _named(externs: Iterable[Extern], types: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """By name; a function is told by its type when there are ``types``."""
    named: dict[str, list[str]] = {}
    for extern in externs:
        told = _at(types, extern) if types and extern.kind == FUNC else extern.kind
        named.setdefault(extern.name, []).append(told)
    return {name: tuple(told) for name, told in named.items()}


def _at(items: Sequence[_T], extern: Extern) -> _T:
    if extern.number >= len(items):
        raise WasmError(f"index {extern.number} of {len(items)}", extern.offset)
    return items[extern.number]


def _vector(binary: Binary, kind: str) -> Iterator[Reader]:
    """A reader before each element of the sections of one kind; whoever takes it reads the element."""
    for section in binary.of(kind):
        reader = section.reader()
        for _ in range(reader.count(MAX_DEFINITIONS)):
            yield reader
        reader.finish()


def _signatures(module: Binary) -> list[str]:
    """Every type, as ``func (i32, i32) -> (i64)``."""
    return [_signature(reader) for reader in _vector(module, "type")]


def _signature(reader: Reader) -> str:
    if reader.byte() != _FUNC_TYPE:
        raise WasmError("a type that is no plain function type", reader.offset - 1)
    parameters, results = (
        ", ".join(_value_type(reader.byte(), reader.offset) for _ in range(reader.count(MAX_VALUES))) for _ in range(2)
    )
    return f"{FUNC} ({parameters}) -> ({results})"


def _value_type(byte: int, offset: int) -> str:
    if byte not in _VALUE_TYPES:
        raise WasmError(f"an unknown value type {byte:#04x}", offset - 1)
    return _VALUE_TYPES[byte]


def _function_types(module: Binary) -> list[int]:
    return [reader.number() for reader in _vector(module, "function")]


def _core_exports(module: Binary) -> Iterator[Extern]:
    for reader in _vector(module, "export"):
        offset = reader.offset
        yield Extern(reader.name(), _kind(reader), reader.number(), offset)


def _core_imports(module: Binary) -> Iterator[Extern]:
    for reader in _vector(module, "import"):
        offset, name = reader.offset, f"{reader.name()} {reader.name()}"
        kind = _kind(reader)
        yield Extern(name, kind, _core_type(reader, kind), offset)


def _kind(reader: Reader) -> str:
    number = reader.byte()
    if number >= len(_KINDS):
        raise WasmError(f"an unknown kind {number:#04x}", reader.offset - 1)
    return _KINDS[number]


def _core_type(reader: Reader, kind: str) -> int:
    """The type of an import: a function's index, 0 for what is passed over."""
    if kind == FUNC:
        return reader.number()
    if kind == "memory":
        _skip_limits(reader)
    elif kind == "table":
        _value_type(reader.byte(), reader.offset)
        _skip_limits(reader)
    elif kind == "global":
        _value_type(reader.byte(), reader.offset)
        reader.byte()
    else:
        reader.byte()
        reader.number()
    return 0


def _skip_limits(reader: Reader) -> None:
    flags = reader.byte()
    bits = 64 if flags & _IS_64_BIT else 32
    for has in (True, flags & _HAS_MAXIMUM):
        if has:
            reader.number(bits)
    if flags & _HAS_PAGE_SIZE:
        reader.number()


def _component_imports(component: Binary) -> Iterator[Extern]:
    for reader in _vector(component, "import"):
        offset, name = reader.offset, _extern_name(reader)
        yield Extern(name, _description(reader), 0, offset)


def _component_exports(component: Binary) -> Iterator[Extern]:
    for reader in _vector(component, "export"):
        offset, name = reader.offset, _extern_name(reader)
        kind = _sort(reader)
        reader.number()
        if reader.byte():
            _description(reader)
        yield Extern(name, kind, 0, offset)


def _extern_name(reader: Reader) -> str:
    if reader.byte() >= _WITH_OPTIONS:
        raise WasmError("a name with options", reader.offset - 1)
    return reader.name()


def _sort(reader: Reader) -> str:
    number = reader.byte()
    if number == _CORE_SORT:
        return "module" if reader.byte() == _CORE_MODULE else "core"
    if number not in _SORTS:
        raise WasmError(f"an unknown sort {number:#04x}", reader.offset - 1)
    return _SORTS[number]


def _description(reader: Reader) -> str:
    """What an import is; its type is passed over."""
    sort = _DESCRIBED.get(reader.byte())
    if sort is None:
        raise WasmError("an unknown kind of import", reader.offset - 1)
    if sort == "module":
        reader.byte()
    if sort in {"value", "type"} and reader.byte():
        if sort == "value":
            reader.skip_signed()
        return sort
    reader.number()
    return sort
