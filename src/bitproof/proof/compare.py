"""How two wasm binaries differ, part by part: sections, function bodies, interface, and what is nested in them.

Modules and components that are nested are matched by content, then by what they import and export, then by position.
Every step is linear in the size of the files.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from bitproof.errors import shown
from bitproof.proof.explanation import Difference, Kind
from bitproof.proof.functions import code_difference
from bitproof.proof.interface import Interface, interface
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import CODE, COMPONENT, CUSTOM, MODULE, Binary, Section

MAX_LISTED = 5

_DATA = ("data", "data count")
_INTERFACE = ("import", "export")
_SHAPING = (*_INTERFACE, "type", "function")
"""The sections that an interface is read from."""


def compare(expected: Binary, found: Binary, place: str = "") -> Iterator[Difference]:
    """Every difference between two binaries; none when they differ only in how lengths are written.

    Args:
        expected: one side.
        found: the other.
        place: what they are in the whole artifact, for `Difference.place`.
    """
    if expected.component != found.component:
        forms = [COMPONENT if binary.component else MODULE for binary in (expected, found)]
        yield Difference(kind=Kind.CODE, place=place, text=f"expected a {forms[0]}, found a {forms[1]}")
        return
    yield from _custom(expected, found, place)
    for kind in (MODULE, COMPONENT):
        yield from _nested(kind, expected, found, place)
    changed = _changed_kinds(expected, found)
    if CODE in changed:
        yield code_difference(expected, found, place)
    yield from _definitions(changed, expected, found, place)
    orders = [[(section.kind, section.name) for section in binary.sections] for binary in (expected, found)]
    if orders[0] != orders[1] and Counter(orders[0]) == Counter(orders[1]):
        yield Difference(kind=Kind.ORDER, place=place, text="the same sections stand in another order")


def _same(expected: Sequence[Section], found: Sequence[Section]) -> bool:
    return len(expected) == len(found) and all(
        len(old.payload) == len(new.payload) and old.payload.tobytes() == new.payload.tobytes()
        for old, new in zip(expected, found, strict=True)
    )


def _grouped(sections: Sequence[Section], key: Callable[[Section], str]) -> dict[str, list[Section]]:
    groups: dict[str, list[Section]] = defaultdict(list)
    for section in sections:
        groups[key(section)].append(section)
    return groups


def _changes(old: dict[str, list[Section]], new: dict[str, list[Section]]) -> dict[str, str]:
    """Name to ``added``, ``removed`` or ``changed``; what is the same is left out."""
    verbs = {}
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            verbs[name] = "removed"
        elif name not in old:
            verbs[name] = "added"
        elif not _same(old[name], new[name]):
            verbs[name] = "changed"
    return verbs


def _custom(expected: Binary, found: Binary, place: str) -> Iterator[Difference]:
    old, new = (_grouped(binary.of(CUSTOM), lambda section: section.name) for binary in (expected, found))
    for name, verb in _changes(old, new).items():
        yield Difference(kind=Kind.CUSTOM, place=place, text=f"{shown(name)} {verb}")


def _changed_kinds(expected: Binary, found: Binary) -> dict[str, str]:
    """Kinds of sections that differ, but for custom sections and nested binaries, and how."""
    old, new = (
        _grouped(
            [section for section in binary.sections if section.kind not in {CUSTOM, MODULE, COMPONENT}],
            lambda section: section.kind,
        )
        for binary in (expected, found)
    )
    return _changes(old, new)


def _definitions(changed: dict[str, str], expected: Binary, found: Binary, place: str) -> Iterator[Difference]:
    """The differences of all sections but code; imports and exports are told by name."""
    told: set[str] = set()
    if any(kind in _SHAPING for kind in changed):
        for kind, text in _interface_changes(expected, found):
            told.add(kind)
            yield Difference(kind=Kind.INTERFACE, place=place, text=text)
    for kind, verb in changed.items():
        if kind in _DATA:
            yield Difference(kind=Kind.DATA, place=place, text=f"{kind} section {verb}")
        elif kind != CODE and kind not in told:
            yield Difference(kind=Kind.DEFINITIONS, place=place, text=f"{kind} section {verb}")


def _interface_changes(expected: Binary, found: Binary) -> Iterator[tuple[str, str]]:
    """``import`` or ``export``, and a clause, for each that changed; none when they cannot be read."""
    sides = _interfaces(expected, found)
    if sides is None:
        return
    for kind, old, new in (
        ("import", sides[0].imports, sides[1].imports),
        ("export", sides[0].exports, sides[1].exports),
    ):
        for name in dict.fromkeys((*old, *new)):
            before, after = (_told(side.get(name, ())) for side in (old, new))
            if not after:
                yield kind, f"{kind} {shown(name)} removed ({before})"
            elif not before:
                yield kind, f"{kind} {shown(name)} added ({after})"
            elif before != after:
                yield kind, f"{kind} {shown(name)} changed (from {before} to {after})"


def _told(externs: Sequence[str]) -> str:
    """What a name stands for; it may stand for several things, in a module's imports even the same one twice."""
    more = len(externs) - MAX_LISTED
    return " and ".join([*externs[:MAX_LISTED], *([f"{more} more"] if more > 0 else [])])


def _interfaces(expected: Binary, found: Binary) -> tuple[Interface, Interface] | None:
    """Both interfaces, with signatures when both sides have readable ones, so that like is compared with like."""
    for signatures in (True, False):
        try:
            return interface(expected, signatures=signatures), interface(found, signatures=signatures)
        except WasmError:
            continue
    return None


@dataclass(frozen=True, slots=True)
class _Nested:
    """A nested binary and its index among those of its kind."""

    index: int
    section: Section
    binary: Binary

    def content(self) -> bytes:
        return sha256(self.section.payload).digest()

    def shape(self) -> bytes:
        """What it imports and exports, by the bytes: what stays when its code changes."""
        told = sha256()
        for kind in _INTERFACE:
            for section in self.binary.of(kind):
                told.update(section.raw)
        return told.digest()


def _children(binary: Binary, kind: str) -> list[_Nested]:
    inner = (section for section in binary.of(kind) if section.inner is not None)
    return [_Nested(index, section, section.inner) for index, section in enumerate(inner) if section.inner is not None]


def _nested(kind: str, expected: Binary, found: Binary, place: str) -> Iterator[Difference]:
    """The differences of what is nested: the same in another order, added, removed, or different inside."""
    if _same(expected.of(kind), found.of(kind)):
        return
    old, new = _children(expected, kind), _children(found, kind)
    same, old, new = _matched(old, new, _Nested.content)
    moves = [f"{after.index} was {before.index}" for before, after in same if before.index != after.index]
    if any(first[0].index > second[0].index for first, second in pairwise(same)):
        told = ", ".join([*moves[:MAX_LISTED], *(["…"] if len(moves) > MAX_LISTED else [])])
        yield Difference(kind=Kind.ORDER, place=place, text=f"the same {kind}s in another order ({told})")
    alike, old, new = _matched(old, new, _Nested.shape)
    pairs = [*alike, *zip(old, new, strict=False)]
    for before, after in sorted(pairs, key=lambda pair: pair[1].index):
        yield from compare(before.binary, after.binary, f"{place}, {kind} {after.index}".removeprefix(", "))
    for gone in old[len(new) :]:
        yield Difference(kind=Kind.CODE, place=place, text=f"{kind} {gone.index} removed")
    for extra in new[len(old) :]:
        yield Difference(kind=Kind.CODE, place=place, text=f"{kind} {extra.index} added")


def _matched(
    old: Sequence[_Nested], new: Sequence[_Nested], key: Callable[[_Nested], bytes]
) -> tuple[list[tuple[_Nested, _Nested]], list[_Nested], list[_Nested]]:
    """The pairs with the same key, first come first served, in the order of ``new``; then what is left of each side."""
    waiting: dict[bytes, deque[_Nested]] = defaultdict(deque)
    for before in old:
        waiting[key(before)].append(before)
    pairs, rest = [], []
    for after in new:
        queue = waiting[key(after)]
        if queue:
            pairs.append((queue.popleft(), after))
        else:
            rest.append(after)
    left = sorted((before for queue in waiting.values() for before in queue), key=lambda before: before.index)
    return pairs, left, rest
