"""Wasm written by hand, byte by byte, from the specification: small modules and components to compare."""

from collections.abc import Iterable, Sequence

from bitproof.model.digest import Digest
from bitproof.proof.inputs import Program, RecordedInputs

CORE = b"\0asm\x01\0\0\0"
COMPONENT = b"\0asm\x0d\0\x01\0"
I32_TO_I32 = b"\x60\x01\x7f\x01\x7f"
NOTHING_TO_NOTHING = b"\x60\0\0"
FUNC, TABLE, MEMORY, GLOBAL, TAG = range(5)


def leb(value: int, size: int = 0) -> bytes:
    """Unsigned LEB128; padded to ``size`` bytes when that is given."""
    out = bytearray()
    while value > 0x7F or len(out) + 1 < size:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sized(data: bytes) -> bytes:
    return leb(len(data)) + data


def name(text: str) -> bytes:
    return sized(text.encode())


def vector(items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return leb(len(listed)) + b"".join(listed)


def section(number: int, payload: bytes) -> bytes:
    return bytes([number]) + sized(payload)


def custom(title: str, payload: bytes = b"") -> bytes:
    return section(0, name(title) + payload)


def types(*signatures: bytes) -> bytes:
    return section(1, vector(signatures))


def imports(*entries: bytes) -> bytes:
    return section(2, vector(entries))


def imported(module: str, field: str, kind: int, description: bytes) -> bytes:
    return name(module) + name(field) + bytes([kind]) + description


def functions(*type_indices: int) -> bytes:
    return section(3, vector(map(leb, type_indices)))


def exports(**indices: int) -> bytes:
    """Functions, by name."""
    return section(7, vector(name(text) + bytes([FUNC]) + leb(index) for text, index in indices.items()))


def exported(text: str, kind: int) -> bytes:
    return section(7, vector([name(text) + bytes([kind]) + b"\0"]))


def code(*bodies: bytes) -> bytes:
    return section(10, vector(map(sized, bodies)))


def data(content: bytes) -> bytes:
    return section(11, vector([b"\0\x41\0\x0b" + sized(content)]))


def names(of: dict[int, str]) -> bytes:
    """A name section: the module's name, then those of functions."""
    listed = vector(leb(index) + name(text) for index, text in of.items())
    return custom("name", b"\0" + sized(name("a module")) + b"\x01" + sized(listed))


def body(constant: int) -> bytes:
    """No locals, one constant."""
    return b"\0\x41" + leb(constant) + b"\x0b"


def module(constants: Sequence[int] = (1, 2, 3), *more: bytes, run: int = 0, extra: bytes = b"") -> bytes:
    """A module of one function a constant, all without parameters; ``run`` is exported. ``more`` goes to the end."""
    return (
        CORE
        + types(NOTHING_TO_NOTHING)
        + functions(*[0] * len(constants))
        + exports(run=run)
        + code(*map(body, constants))
        + extra
        + b"".join(more)
    )


def component(*sections: bytes) -> bytes:
    return COMPONENT + b"".join(sections)


def nested(binary: bytes) -> bytes:
    """A section that holds a module or a component."""
    return section(4 if binary.startswith(COMPONENT) else 1, binary)


def component_imports(*entries: bytes) -> bytes:
    return section(10, vector(entries))


def component_exports(*entries: bytes) -> bytes:
    return section(11, vector(entries))


def extern(text: str, what: bytes, kind: int = 0) -> bytes:
    return bytes([kind]) + name(text) + what


def recorded(
    *,
    commit: str = "a" * 40,
    driver: str = "cargo",
    commands: tuple[tuple[str, ...], ...] = (("cargo", "build", "--locked"),),
    version: str = "1.63.0",
    flags: tuple[str, ...] = (),
    environment: tuple[tuple[str, str], ...] = (("LANG", "C.UTF-8"), ("TZ", "UTC")),
    parts: tuple[tuple[str, Digest], ...] = (),
) -> RecordedInputs:
    return RecordedInputs(
        commit=commit,
        driver=driver,
        commands=commands,
        toolchain=(program("rustc", version),),
        target="wasm32-wasi",
        environment=environment,
        flags=flags,
        parts=parts,
    )


def program(title: str = "rustc", version: str = "1.63.0") -> Program:
    return Program(name=title, version=version, host="x86_64-unknown-linux-gnu", digest=Digest("sha256", "1" * 64))
