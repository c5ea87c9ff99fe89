"""What is said about two artifacts that differ: values, one paragraph of text, a JSON document."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bitproof.errors import Problem

SHOWN_ITEMS = 5
SHOWN_INPUTS = 20
SHOWN_CUSTOM = 20
"""Enough for every debug section of a module: "custom sections" alone says too little."""


class Kind(StrEnum):
    """What a difference lies in. The first one that is found is the cause of an explanation."""

    CODE = "code"
    INTERFACE = "interface"
    DEFINITIONS = "definitions"
    DATA = "data"
    ORDER = "order"
    ENCODING = "encoding"
    CUSTOM = "custom sections"
    BYTES = "bytes"
    UNKNOWN = "unknown"
    NOTHING = "nothing"


HEADLINES = {
    Kind.CODE: "different code",
    Kind.INTERFACE: "the same code, and an interface change",
    Kind.DEFINITIONS: "the same code, different definitions",
    Kind.DATA: "the same code, different data",
    Kind.ORDER: "the same parts in another order",
    Kind.ENCODING: "the same contents, written in another way",
    Kind.CUSTOM: "identical code, different custom sections",
    Kind.BYTES: "different bytes",
    Kind.UNKNOWN: "the expected bytes are not at hand to compare with",
    Kind.NOTHING: "the bytes are the same",
}
_FURTHER = {Kind.INTERFACE: "an interface change"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCounts:
    """How many function bodies differ. ``total`` is how many the found module has; ``names`` are the first ten.

    ``changed`` and ``moved`` where both sides have the same number of functions; else ``removed`` and ``added``.
    """

    total: int
    changed: int = 0
    moved: int = 0
    removed: int = 0
    added: int = 0
    names: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON."""
        counts = {key: getattr(self, key) for key in ("total", "changed", "moved", "removed", "added")}
        return {**counts, "names": list(self.names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which two artifacts differ.

    Args:
        kind: what it lies in.
        text: a clause such as ``'name' removed``.
        place: the nested part it is about (``module 0``, ``component 1, module 0``); empty for the whole artifact.
        functions: of a difference in code, where bodies could be compared.
    """

    kind: Kind
    text: str
    place: str = ""
    functions: FunctionCounts | None = None

    def __str__(self) -> str:
        """The clause and its place."""
        return f"{self.text} in {self.place}" if self.place else self.text

    def document(self) -> dict[str, object]:
        """As JSON; ``functions`` only where they were compared."""
        document: dict[str, object] = {"kind": str(self.kind), "place": self.place, "text": self.text}
        return document | ({"functions": self.functions.document()} if self.functions else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The found artifact: its size in bytes, what it is, and what it holds, the largest first, each with its bytes."""

    size: int
    form: str
    contents: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """One clause."""
        held = _some([f"{name} {size}" for name, size in self.contents], SHOWN_ITEMS, ", ")
        return f"{self.form} of {self.size} bytes" + (f" ({held})" if held else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an artifact is not the expected one.

    Args:
        cause: the most telling kind of difference.
        found: the artifact that was found.
        expected_size: bytes; None when the expected bytes are not at hand.
        offset: of the first byte that differs; None when there is none, or nothing to compare with.
        differences: the first hundred, the most telling first; ``omitted`` is how many more there are.
        inputs: the recorded inputs that differ; None when those of either side are not at hand.
        notes: what else there is to know: a file that does not parse and where, what is not recorded.
    """

    cause: Kind
    found: Artifact
    expected_size: int | None = None
    offset: int | None = None
    differences: tuple[Difference, ...] = ()
    omitted: int = 0
    inputs: tuple[Problem, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def interface(self) -> tuple[Difference, ...]:
        """The imports and exports that changed."""
        return tuple(difference for difference in self.differences if difference.kind is Kind.INTERFACE)

    @property
    def text(self) -> str:
        """One paragraph."""
        sentences = [*self._told(), self._sizes(), *self.notes, self._inputs()]
        return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence)

    def _told(self) -> Iterable[str]:
        """A sentence for each kind of difference, the cause's first."""
        for kind in Kind:
            of_kind = [str(difference) for difference in self.differences if difference.kind is kind]
            label = HEADLINES[kind] if kind is self.cause else _FURTHER.get(kind, f"different {kind}")
            if of_kind:
                limit = SHOWN_CUSTOM if kind is Kind.CUSTOM else SHOWN_ITEMS
                yield f"{label}: {_some(of_kind, limit, '; ')}"
            elif kind is self.cause:
                yield label
        if self.omitted:
            yield f"{self.omitted} more differences are not listed"

    def _sizes(self) -> str:
        if self.expected_size is None:
            return f"found is {self.found}"
        if self.offset is None:
            return f"both have {self.found.size} bytes"
        sizes = f"expected {self.expected_size} bytes, found {self.found.size}"
        return f"{sizes}, and the first difference is at offset {self.offset}"

    def _inputs(self) -> str:
        if self.inputs is None:
            return ""
        if not self.inputs:
            return "all recorded inputs are the same"
        return f"recorded inputs that differ: {_some([str(problem) for problem in self.inputs], SHOWN_INPUTS, '; ')}"

    def document(self) -> dict[str, object]:
        """As JSON; everything that `text` says, and ``inputs`` in full."""
        inputs = (
            None
            if self.inputs is None
            else [
                {"name": problem.where, "expected": problem.expected, "found": problem.found} for problem in self.inputs
            ]
        )
        return {
            "cause": str(self.cause),
            "text": self.text,
            "expected_size": self.expected_size,
            "found_size": self.found.size,
            "offset": self.offset,
            "found_form": self.found.form,
            "found_contents": dict(self.found.contents),
            "interface_changed": bool(self.interface),
            "differences": [difference.document() for difference in self.differences],
            "omitted": self.omitted,
            "inputs": inputs,
            "notes": list(self.notes),
        }


def _some(items: Sequence[str], limit: int, separator: str) -> str:
    """The first items, and how many more there are."""
    more = len(items) - limit
    return separator.join([*items[:limit], *([f"and {more} more"] if more > 0 else [])])
