"""Wasm binaries taken apart into sections: core modules, and components with what is nested in them.

Source: the WebAssembly core specification, section 5.5 "Modules", and the component model's ``Binary.md``. The framing
is read and nothing is validated; what sections hold is `contents`'s. Joining a preamble and the raw sections gives the
file back, byte for byte. Limits keep hostile bytes from taking more than seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bitproof.proof.reader import Reader, WasmError

MAGIC = b"\0asm"
MAX_SIZE = 256 << 20
MAX_DEPTH = 16
MAX_SECTIONS = 100_000
MAX_DEFINITIONS = 2_000_000
"""Types, imports, functions, exports and bodies of a whole file. Engines allow one module a million functions."""

CUSTOM = "custom"
CODE = "code"
MODULE = "module"
COMPONENT = "component"

_COUNTED = ("type", "import", "function", "export", CODE)
_CORE_VERSION = b"\x01\0\0\0"
_COMPONENT_VERSION = b"\x0d\0\x01\0"
_CORE = (
    *(CUSTOM, "type", "import", "function", "table", "memory", "global", "export", "start", "element", CODE, "data"),
    *("data count", "tag"),
)
_COMPONENT = (
    *(CUSTOM, MODULE, "core instance", "core type", COMPONENT, "instance", "alias", "type", "canonical function"),
    *("start", "import", "export", "value"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """One section. ``raw`` is all of it, ``payload`` what it holds: of a custom section, what follows its ``name``."""

    kind: str
    raw: memoryview
    payload: memoryview
    offset: int
    """Of the payload, in the file."""
    name: str = ""
    inner: "Binary | None" = None

    def reader(self) -> Reader:
        """A cursor at the begin of the payload."""
        return Reader(self.payload, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binary:
    """A core module or a component; ``preamble`` is its first 8 bytes."""

    component: bool
    preamble: memoryview
    sections: tuple[Section, ...]

    def of(self, kind: str) -> tuple[Section, ...]:
        """The sections of one kind, in order."""
        return tuple(section for section in self.sections if section.kind == kind)

    def all_sections(self) -> Iterator[Section]:
        """Every section that holds no other binary, here and in what is nested."""
        for section in self.sections:
            if section.inner is None:
                yield section
            else:
                yield from section.inner.all_sections()


class _Budget:
    """What one file may still hold."""

    def __init__(self) -> None:
        self.sections = MAX_SECTIONS
        self.definitions = MAX_DEFINITIONS

    def spend_section(self, offset: int) -> None:
        self.sections -= 1
        if self.sections < 0:
            raise WasmError(f"more than {MAX_SECTIONS} sections", offset)

    def spend_definitions(self, count: int, offset: int) -> None:
        self.definitions -= count
        if self.definitions < 0:
            raise WasmError(f"more than {MAX_DEFINITIONS} definitions", offset)


def is_wasm(data: memoryview) -> bool:
    """Whether bytes claim to be wasm."""
    return data[: len(MAGIC)] == MAGIC


def parse(data: memoryview) -> Binary:
    """Take a wasm file apart.

    Raises:
        WasmError: it is not wasm, malformed, or beyond a limit; says at which offset.
    """
    if len(data) > MAX_SIZE:
        raise WasmError(f"more than {MAX_SIZE} bytes", MAX_SIZE)
    return _binary(Reader(data), 0, _Budget())


def _binary(reader: Reader, depth: int, budget: _Budget) -> Binary:
    start = reader.offset
    if depth > MAX_DEPTH:
        raise WasmError(f"nested deeper than {MAX_DEPTH}", start)
    preamble = reader.take(len(MAGIC) + len(_CORE_VERSION))
    if not is_wasm(preamble):
        raise WasmError("no wasm preamble", start)
    version = preamble[len(MAGIC) :].tobytes()
    if version not in {_CORE_VERSION, _COMPONENT_VERSION}:
        raise WasmError(f"an unknown version {version.hex()}", start + len(MAGIC))
    component = version == _COMPONENT_VERSION
    sections = []
    while reader.left:
        budget.spend_section(reader.offset)
        sections.append(_section(reader, component=component, depth=depth, budget=budget))
    return Binary(component=component, preamble=preamble, sections=tuple(sections))


def _section(reader: Reader, *, component: bool, depth: int, budget: _Budget) -> Section:
    start, before = reader.offset, reader.rest()
    kinds = _COMPONENT if component else _CORE
    number = reader.byte()
    if number >= len(kinds):
        raise WasmError(f"an unknown section {number}", start)
    kind = kinds[number]
    size = reader.number()
    offset = reader.offset
    payload = reader.take(size)
    raw = before[: reader.offset - start]
    name, inner = "", None
    inside = Reader(payload, offset)
    if kind == CUSTOM:
        name = inside.name()
        payload, offset = inside.rest(), inside.offset
    elif kind in _COUNTED:
        budget.spend_definitions(inside.number(), offset)
    elif kind in {MODULE, COMPONENT}:
        inner = _binary(inside, depth + 1, budget)
    return Section(kind=kind, name=name, raw=raw, payload=payload, offset=offset, inner=inner)
