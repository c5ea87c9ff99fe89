"""The compatibility matrix in a terminal and as JSON: binaries down, asset releases across, newest first."""

from collections.abc import Sequence

from bitproof.assets.matrix import Matrix, Row
from bitproof.cli.session import Session
from bitproof.model.asset_manifest import AssetRelease
from bitproof.model.version import Version

ROWS = 20
"""Binaries that are drawn; more do not fit a screen."""
MOST = 100
"""Binaries and releases in a JSON matrix."""
GAP = "  "
TAKEN, FITS, NOT = "*", "+", "."
LEGEND = f"{TAKEN} gets it   {FITS} could use it   {NOT} does not fit"
STATES = {
    "cur": "the current release",
    "dep": "a deprecated one",
    "c+d": "the current one, and deprecated",
    "rev": "a revoked one",
    "c+r": "the current one, and revoked",
}


def draw(session: Session, matrices: Sequence[Matrix], current: Version, width: int | None) -> None:
    """Print the matrices, those of arches that are alike as one.

    Args:
        session: where to.
        matrices: one an arch.
        current: the current binary.
        width: columns of the terminal, to which a matrix is cut; None cuts nothing.
    """
    alike: dict[str, list[str]] = {}
    for one in matrices:
        if len(one.rows) == len(one.releases) == 1:
            continue
        alike.setdefault("\n".join(_lines(session, one, current, width)), []).append(one.arch)
    for text, arches in alike.items():
        session.out(session.styled(f"Which release a binary gets on {', '.join(arches)}", "cyan"))
        session.out(text)


def _lines(session: Session, whole: Matrix, current: Version, width: int | None) -> list[str]:
    small = whole if width is None else whole.cut(ROWS, width)  # a column wants more than one character
    heads = [("binary", "state", "gets"), *(_head(row, current) for row in small.rows)]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    left = ["  ".join(cell.ljust(size) for cell, size in zip(head, widths, strict=True)) for head in heads]
    cell = max((len(part) for release in small.releases for part in _stack(small, release)), default=0)
    if width is not None:
        small = small.cut(ROWS, max(width - len(left[0]), 0) // (cell + len(GAP)))
    stacks = [_stack(small, release) for release in small.releases]
    height = max(map(len, stacks), default=1)
    lines = [" " * len(left[0])] * (height - 1) + left[:1]
    for stack in stacks:
        parts = [""] * (height - len(stack)) + stack
        lines = [f"{line}{GAP}{part.rjust(cell)}" for line, part in zip(lines, parts, strict=True)]
    for head, row in zip(left[1:], small.rows, strict=True):
        marks = (_mark(small, row, release).rjust(cell) for release in small.releases)
        lines.append(GAP.join([head, *(session.styled(mark, "green") if TAKEN in mark else mark for mark in marks)]))
    return [*(line.rstrip() for line in lines), _legend(stacks), *_left_out(small)]


def _head(row: Row, current: Version) -> tuple[str, str, str]:
    words = (("current", row.binary.version == current), ("deprecated", row.binary.deprecated))
    return str(row.binary.version), ", ".join(word for word, holds in words if holds), str(row.gets or "none")


def _stack(matrix: Matrix, release: AssetRelease) -> list[str]:
    """A version's parts one above the other, so that a column stays narrow; below them its state."""
    withdrawn = "rev" if release.revoked else "dep" if release.deprecated else ""
    state = withdrawn
    if release.version == matrix.current:
        state = f"c+{withdrawn[0]}" if withdrawn else "cur"
    return [*str(release.version).split("."), state]


def _mark(matrix: Matrix, row: Row, release: AssetRelease) -> str:
    if row.gets == release.version:
        return TAKEN
    return FITS if matrix.fits(row, release) else NOT


def _legend(stacks: Sequence[Sequence[str]]) -> str:
    used = {stack[-1] for stack in stacks}
    return "   ".join([LEGEND, *(f"{word}: {meaning}" for word, meaning in STATES.items() if word in used)])


def _left_out(cut: Matrix) -> list[str]:
    """One sentence, when something was."""
    told = [
        f"{every - shown} of {every} {what}"
        for what, every, shown in (
            ("releases", cut.all_releases, len(cut.releases)),
            ("binaries", cut.all_rows, len(cut.rows)),
        )
        if shown < every
    ]
    return [f"left out: {' and '.join(told)}; --all draws them"] if told else []


def matrix_document(matrix: Matrix, *, whole: bool) -> dict[str, object]:
    """A matrix as JSON; unless ``whole`` cut to the newest `MOST` binaries, and to as many releases."""
    small = matrix if whole else matrix.cut(MOST, MOST)
    rows = [
        {
            "version": str(row.binary.version),
            "gets": None if row.gets is None else str(row.gets),
            "fits": [str(release.version) for release in small.releases if small.fits(row, release)],
        }
        for row in small.rows
    ]
    left_out = {"releases": small.all_releases - len(small.releases), "binaries": small.all_rows - len(small.rows)}
    releases = [str(release.version) for release in small.releases]
    return {"arch": small.arch, "releases": releases, "binaries": rows, "left_out": left_out}
