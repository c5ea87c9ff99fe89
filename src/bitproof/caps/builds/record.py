"""What a build's bytes are a function of, written beside the artifact with names in place of this machine's paths."""

import sys
from collections.abc import Callable
from pathlib import Path

from bitproof.caps.builds.drivers.recipe import Recipe
from bitproof.caps.builds.environment import Job
from bitproof.caps.builds.steps import Running
from bitproof.caps.builds.toolchain import identities
from bitproof.caps.siblings import write_below
from bitproof.model.digest import Digest
from bitproof.proof.inputs import INPUTS_SUFFIX, RecordedInputs


def record(
    job: Job, recipe: Recipe, running: Running, wrapped: tuple[str, ...], parts: tuple[tuple[str, Digest], ...]
) -> RecordedInputs:
    """Write the record beside the artifact.

    Args:
        job: which build.
        recipe: what it was to do.
        running: what it did.
        wrapped: what the artifact was wrapped with (`wrap`).
        parts: for a precomposed cap or the product, the ids and digests of what it is made of.

    Raises:
        BitproofError: it cannot be written.
    """
    environment = running.environment
    compilers = tuple(environment[name] for name in ("CC", "CXX") if name in environment)
    toolchain = (*recipe.toolchain, *compilers, *wrapped)
    rename = _renaming(job, recipe)
    inputs = RecordedInputs(
        commit=job.commit,
        driver=recipe.driver,
        target=job.cap.target,
        commands=tuple(tuple(rename(word) for word in step.argv) for step in running.steps),
        toolchain=identities(job, toolchain),
        environment=tuple((name, rename(value)) for name, value in environment.items()),
        flags=tuple(rename(flag) for flag in recipe.flags),
        parts=parts,
    )
    write_below(job.repository, job.cap.artifact + INPUTS_SUFFIX, inputs.to_bytes())
    return inputs


def _renaming(job: Job, recipe: Recipe) -> Callable[[str], str]:
    """What takes this machine out of a text: a program becomes its name, a directory the one that stands for it."""
    programs = {path for path in recipe.toolchain if "/" in path}
    names = {**job.path_names(), **recipe.names, str(Path(sys.executable).parent.parent): "/bitproof"}
    paths = sorted(names, key=len, reverse=True)

    def rename(text: str) -> str:
        if text in programs or text.endswith("/bin/wasm-tools"):
            return Path(text).name
        for path in paths:
            text = text.replace(path, names[path])
        return text

    return rename
