"""Why an artifact is not the expected one: whatever bytes come in, an explanation comes out.

What can be taken apart is compared part by part; what cannot, or is not wasm, byte by byte. Recorded inputs that differ
are told in every case. What is left out: reading the files, and deciding whether they differ, which is a digest's.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from bitproof.errors import shown
from bitproof.proof.compare import compare
from bitproof.proof.explanation import Artifact, Difference, Explanation, Kind
from bitproof.proof.inputs import RecordedInputs, differing
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import COMPONENT, CUSTOM, MODULE, Binary, is_wasm, parse

Data = bytes | memoryview

MAX_DIFFERENCES = 100
MAX_CONTENTS = 32
_CHUNK = 1 << 16


def explain(
    expected: Data | None,
    found: Data,
    *,
    expected_inputs: RecordedInputs | None = None,
    found_inputs: RecordedInputs | None = None,
) -> Explanation:
    """Explain why ``found`` is not ``expected``.

    Args:
        expected: its bytes; None when only its digest is known.
        found: the bytes that are there. Views of mapped files serve; nothing holds them afterwards.
        expected_inputs: what the expected artifact was built from, where that is recorded.
        found_inputs: what the found artifact was built from.
    """
    new = _view(found)
    inputs = differing(expected_inputs, found_inputs) if expected_inputs and found_inputs else None
    binary, notes = _parsed(new, "found")
    told = Explanation(
        cause=Kind.UNKNOWN,
        found=_described(new, binary),
        inputs=inputs,
        notes=(*notes, *_unrecorded(expected_inputs, found_inputs)),
    )
    if expected is None:
        return told
    old = _view(expected)
    told = replace(told, expected_size=len(old), offset=_first_difference(old, new), cause=Kind.NOTHING)
    if told.offset is None:
        return told
    wanted, notes = _parsed(old, "expected")
    told = replace(told, cause=Kind.BYTES, notes=(*notes, *told.notes))
    if wanted is None or binary is None:
        return told
    differences, omitted = _differences(wanted, binary)
    return replace(told, cause=differences[0].kind, differences=differences, omitted=omitted)


def _view(data: Data) -> memoryview:
    return memoryview(data).toreadonly().cast("B")


def _parsed(view: memoryview, side: str) -> tuple[Binary | None, tuple[str, ...]]:
    """The binary, or None and why not; what does not claim to be wasm needs no reason."""
    if not is_wasm(view):
        return None, ()
    try:
        return parse(view), ()
    except WasmError as error:
        return None, (f"the {side} wasm does not parse: {error}",)


def _unrecorded(expected: RecordedInputs | None, found: RecordedInputs | None) -> Iterator[str]:
    """What is known of a build that cannot be compared with another, because the other one is not recorded."""
    sides = {"expected": expected, "found": found}
    missing = [side for side, inputs in sides.items() if inputs is None]
    if missing:
        yield f"what the {' and the '.join(missing)} artifact was built from is not recorded"
        for side, inputs in sides.items():
            if inputs is not None:
                programs = ", ".join(f"{program.name} {program.version}".strip() for program in inputs.toolchain)
                commit = inputs.commit or "no commit"
                yield f"{side} was built by {inputs.driver} from {commit} with {programs or 'no recorded program'}"


def _differences(expected: Binary, found: Binary) -> tuple[tuple[Difference, ...], int]:
    """The first hundred differences, and how many more there are.

    The most telling kind comes first, and of one kind what is of the whole artifact before what is of its parts.
    """
    kept: dict[Kind, list[Difference]] = {kind: [] for kind in Kind}
    total = 0
    for total, difference in enumerate(compare(expected, found), 1):  # noqa: B007 - the last one counts them
        if len(kept[difference.kind]) < MAX_DIFFERENCES:
            kept[difference.kind].append(difference)
    listed = [difference for kind in Kind for difference in sorted(kept[kind], key=lambda each: each.place != "")]
    listed = listed or [Difference(kind=Kind.ENCODING, text="the sizes of sections")]
    shown_ones = tuple(listed[:MAX_DIFFERENCES])
    return shown_ones, max(0, total - len(shown_ones))


def _first_difference(old: memoryview, new: memoryview) -> int | None:
    """The offset of the first byte that differs, which may be the end of the shorter side; None when none does."""
    for start in range(0, max(len(old), len(new)), _CHUNK):
        first, second = (view[start : start + _CHUNK].tobytes() for view in (old, new))
        if first != second:
            pairs = enumerate(zip(first, second, strict=False))
            return start + next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
    return None


def _described(view: memoryview, binary: Binary | None) -> Artifact:
    if binary is None:
        return Artifact(size=len(view), form="wasm that does not parse" if is_wasm(view) else "a file that is not wasm")
    sizes: Counter[str] = Counter()
    for section in binary.all_sections():
        sizes[f"custom {shown(section.name)}" if section.kind == CUSTOM else section.kind] += len(section.raw)
    nested = {kind: sum(1 for _ in _nested(binary, kind)) for kind in (MODULE, COMPONENT)}
    parts = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in nested.items() if count]
    form = f"a wasm {COMPONENT if binary.component else MODULE}" + (f" with {' and '.join(parts)}" if parts else "")
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    others = sum(size for _, size in ordered[MAX_CONTENTS:])
    return Artifact(
        size=len(view), form=form, contents=(*ordered[:MAX_CONTENTS], *([("others", others)] if others else ()))
    )


def _nested(binary: Binary, kind: str) -> Iterator[Binary]:
    """Everything of one kind that is nested, at any depth."""
    for section in binary.sections:
        if section.inner is not None:
            if section.kind == kind:
                yield section.inner
            yield from _nested(section.inner, kind)
