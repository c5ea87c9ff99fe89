"""bitproof with one safeguard taken out: each of these must be found, or the checks are worth nothing.

They are data, in ``mutants.toml``. A mutant is put into a copy of the package, which a warmed-up Python imports in the
place of the real one.
"""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import bitproof

PACKAGE = Path(bitproof.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One safeguard taken out.

    Args:
        breaks: what it takes away, for people.
        found_by: the check that must find it (see `checks`).
        file: below the package.
        old: an exact piece of it, once there.
        new: what takes its place.
    """

    breaks: str
    found_by: str
    file: str
    old: str
    new: str


MUTANTS = tuple(Mutant(**mutant) for mutant in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["mutant"])


def mutated(mutant: Mutant, scratch: Path) -> Path:
    """A copy of the package with a mutant in it; what goes on ``PYTHONPATH``.

    Raises:
        LookupError: the piece of source is not there just once, so that the mutant has to be looked after.
    """
    text = (PACKAGE / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        raise LookupError(f"{mutant.breaks}: {text.count(mutant.old)} times in {mutant.file}: {mutant.old}")
    shutil.copytree(PACKAGE, scratch / "bitproof", ignore=shutil.ignore_patterns("__pycache__"))
    (scratch / "bitproof" / mutant.file).write_text(text.replace(mutant.old, mutant.new))
    return scratch
