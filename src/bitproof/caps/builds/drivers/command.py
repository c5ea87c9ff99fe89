"""Commands from ``bitproof.toml``: a cap's own, ``[caps.build.<id>] command``, and those that compose the product."""

from bitproof.caps.builds.drivers.recipe import EVERY_TOOLCHAIN, Recipe, Step
from bitproof.caps.builds.environment import Job, program


def command_recipe(job: Job) -> Recipe:
    """How a cap is built as configured. Raises as `commands_recipe`."""
    return commands_recipe(job, (job.own.command,), driver="command", where=f"caps.build.{job.cap.id}.command")


def commands_recipe(job: Job, commands: tuple[tuple[str, ...], ...], *, driver: str, where: str) -> Recipe:
    """Commands, one after the other, each a program and its arguments.

    A first word with a slash is a path in the repository, another is looked for in the build's PATH.

    Raises:
        UnavailableError: a program is not there.
    """
    return Recipe(
        driver=driver,
        reason=f"{where} says so",
        steps=tuple(_step(job, *command) for command in commands),
        flags=tuple(job.c_flags()),
        toolchain=EVERY_TOOLCHAIN,
    )


def _step(job: Job, name: str, *arguments: str) -> Step:
    path = str(job.repository / name) if "/" in name else program(job, name, name)
    return Step(name, (path, *arguments))
