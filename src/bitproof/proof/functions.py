"""The functions of core modules: which bodies differ, and what they are called.

Source: the WebAssembly core specification, sections 5.5.13 "Code Section" and 7.4.1 "Name Section".
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from bitproof.errors import shown
from bitproof.proof.explanation import Difference, FunctionCounts, Kind
from bitproof.proof.interface import interface
from bitproof.proof.reader import Reader, WasmError
from bitproof.proof.wasm import CODE, CUSTOM, MAX_DEFINITIONS, Binary

NAMES = "name"
MAX_NAMES = 10
FUNCTION_NAMES = 1
"""The number of that subsection of a name section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyChanges:
    """Indices of bodies, each from the first function that is not imported, in order.

    With the same number of functions, ``changed`` are those that differ and ``moved`` says how many more only stand at
    another index; with different numbers, ``removed`` (of the expected) and ``added`` (of the found) are what one side
    has and the other has not, wherever it stands.
    """

    changed: tuple[int, ...] = ()
    moved: int = 0
    removed: tuple[int, ...] = ()
    added: tuple[int, ...] = ()


def compare_bodies(expected: Sequence[bytes], found: Sequence[bytes]) -> BodyChanges:
    """Which of two modules' function bodies differ. Linear: bodies are compared by index and counted as a multiset."""
    added = _not_in(expected, found)
    if len(expected) != len(found):
        return BodyChanges(removed=_not_in(found, expected), added=added)
    differing = tuple(index for index, (old, new) in enumerate(zip(expected, found, strict=True)) if old != new)
    return BodyChanges(changed=added if len(added) < len(differing) else differing, moved=len(differing) - len(added))


def _not_in(known: Sequence[bytes], bodies: Sequence[bytes]) -> tuple[int, ...]:
    """The indices of those ``bodies`` that are not among the ``known``, each of which counts once."""
    left = Counter(known)
    missing = []
    for index, body in enumerate(bodies):
        left[body] -= 1
        if left[body] < 0:
            missing.append(index)
    return tuple(missing)


def bodies(module: Binary) -> list[bytes]:
    """Every function's body, by index from the first that is not imported. Raises `WasmError`."""
    found = []
    for section in module.of(CODE):
        reader = section.reader()
        found += [reader.take(reader.number()).tobytes() for _ in range(reader.count(MAX_DEFINITIONS))]
        reader.finish()
    return found


def function_names(module: Binary, wanted: Collection[int]) -> dict[int, str]:
    """The names of functions by index (imports count), as far as a readable name section has them."""
    sections = [section for section in module.of(CUSTOM) if section.name == "name"]
    found: dict[int, str] = {}
    try:
        for section in sections[:1]:
            found.update(_subsection_names(section.reader(), wanted))
    except WasmError:
        return {}  # a custom section may hold anything: then it has no names for us
    return found


def _subsection_names(reader: Reader, wanted: Collection[int]) -> Iterator[tuple[int, str]]:
    while reader.left:
        number = reader.byte()
        size = reader.number()
        offset = reader.offset
        inside = Reader(reader.take(size), offset)
        if number == FUNCTION_NAMES:
            for _ in range(inside.count(MAX_DEFINITIONS)):
                index, name = inside.number(), inside.name()
                if index in wanted:
                    yield index, name


def code_difference(expected: Binary, found: Binary, place: str) -> Difference:
    """The difference between two modules whose code sections are not the same bytes."""
    try:
        old, new = bodies(expected), bodies(found)
    except WasmError as error:
        return Difference(kind=Kind.CODE, place=place, text=f"the code section differs and does not parse: {error}")
    changes = compare_bodies(old, new)
    names = _names(expected, found, changes)
    counts = FunctionCounts(
        total=len(new),
        changed=len(changes.changed),
        moved=changes.moved,
        removed=len(changes.removed),
        added=len(changes.added),
        names=names[:MAX_NAMES],
    )
    text = _told(counts, len(old))
    text += f" ({', '.join(counts.names)}{', …' if len(names) > MAX_NAMES else ''})" if names else ""
    return Difference(kind=_kind(counts), place=place, text=text, functions=counts)


def _kind(counts: FunctionCounts) -> Kind:
    if counts.changed or counts.removed or counts.added:
        return Kind.CODE
    return Kind.ORDER if counts.moved else Kind.ENCODING


def _told(counts: FunctionCounts, expected_total: int) -> str:
    """The counts in words."""
    if counts.removed or counts.added:
        sides = ((counts.removed, expected_total, "removed"), (counts.added, counts.total, "added"))
        return ", ".join(f"{count} of {total} functions {verb}" for count, total, verb in sides if count)
    if counts.changed:
        moved = f", {counts.moved} more stand at another index" if counts.moved else ""
        return f"{counts.changed} of {counts.total} functions {'differs' if counts.changed == 1 else 'differ'}{moved}"
    if counts.moved:
        return f"the same functions, {counts.moved} of {counts.total} at another index"
    return "the same functions, their sizes written in another way"


def _names(expected: Binary, found: Binary, changes: BodyChanges) -> tuple[str, ...]:
    """The functions that differ and have a name, each quoted, first those of the found module."""
    if changes.changed:
        named = _named(found, changes.changed) or _named(expected, changes.changed)
        return tuple(shown(name) for name in named)
    removed, added = _named(expected, changes.removed), _named(found, changes.added)
    gone, new = set(removed), set(added)
    both = [f"{shown(name)} changed" for name in added if name in gone]
    extra = [f"{shown(name)} added" for name in added if name not in gone]
    return (*both, *extra, *(f"{shown(name)} removed" for name in removed if name not in new))


def _named(module: Binary, indices: Sequence[int]) -> list[str]:
    """The names of functions, each by its index from the first that is not imported."""
    try:
        imported = interface(module, signatures=False).functions
    except WasmError:
        return []
    names = function_names(module, {imported + index for index in indices})
    return [names[index] for index in sorted(names)]
