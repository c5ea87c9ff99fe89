"""A repository with a build script of its own: ``scripts/build.sh`` or ``build.sh``."""

from bitproof.caps.builds.drivers.recipe import EVERY_TOOLCHAIN, Recipe, Step
from bitproof.caps.builds.environment import Job, program

NAMES = ("scripts/build.sh", "build.sh")


def script_argv(job: Job, name: str) -> tuple[str, ...]:
    """The command of a shell script: itself when it may be executed, so that its first line counts; else sh.

    Raises:
        UnavailableError: sh is not there.
    """
    path = job.repository / name
    return (str(path),) if path.stat().st_mode & 0o100 else (program(job, "sh", "dash"), str(path))


def script_recipe(job: Job, name: str) -> Recipe:
    """How a repository with the build script ``name`` is built. Raises as `script_argv`."""
    return Recipe(
        driver="script",
        reason=f"the target is blank and the repository has {name}",
        steps=(Step(name, script_argv(job, name)),),
        flags=tuple(job.c_flags()),
        toolchain=EVERY_TOOLCHAIN,
    )
