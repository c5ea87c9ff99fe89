"""A precomposed cap: ``scripts/precompose-<id>.sh`` of the manifest's own repository (seed 002, ``precomposed``).

The script finds the siblings below the directory that BITPROOF_GIT_ROOT names.
"""

from bitproof.caps.builds.drivers.recipe import EVERY_TOOLCHAIN, Recipe, Step
from bitproof.caps.builds.drivers.script import script_argv
from bitproof.caps.builds.environment import Job
from bitproof.errors import InputError


def precompose_recipe(job: Job) -> Recipe:
    """How a precomposed cap is made.

    Raises:
        InputError: there is no script.
        UnavailableError: sh is not there.
    """
    name = f"scripts/precompose-{job.cap.id}.sh"
    if not (job.repository / name).is_file():
        fix = f"add it, or set caps.build.{job.cap.id}.command in bitproof.toml"
        raise InputError(
            "a precomposed cap has no script", where=f"cap {job.cap.id}", expected=str(job.repository / name), fix=fix
        )
    return Recipe(
        driver="precompose",
        reason="the cap is precomposed",
        steps=(Step(name, script_argv(job, name)),),
        toolchain=EVERY_TOOLCHAIN,
    )
