"""Which driver builds a cap: the first that fits.

In this order:

1. ``[caps.build.<id>] command`` of ``bitproof.toml``
2. a precomposed cap: its script in the manifest's own repository
3. ``target`` is given: cargo
4. ``scripts/build.sh`` or ``build.sh``: there for no other purpose
5. a makefile: where there is a CMakeLists.txt too, it is the author's way to call it
6. ``CMakeLists.txt``
"""

from bitproof.caps.builds.drivers import make, script
from bitproof.caps.builds.drivers.cargo import cargo_recipe
from bitproof.caps.builds.drivers.cmake import LISTS, cmake_recipe
from bitproof.caps.builds.drivers.command import command_recipe
from bitproof.caps.builds.drivers.precompose import precompose_recipe
from bitproof.caps.builds.drivers.recipe import Recipe
from bitproof.caps.builds.environment import Job
from bitproof.errors import InputError


def choose_recipe(job: Job) -> Recipe:
    """How a cap is built, and why so.

    Raises:
        InputError: no driver fits.
        UnavailableError: a program that the driver needs is not there.
    """
    if job.own.command:
        return command_recipe(job)
    if job.cap.precomposed:
        return precompose_recipe(job)
    if job.cap.target:
        return cargo_recipe(job)
    if name := _first(job, script.NAMES):
        return script.script_recipe(job, name)
    if name := _first(job, make.NAMES):
        return make.make_recipe(job, name)
    if _first(job, (LISTS,)):
        return cmake_recipe(job)
    raise InputError(
        "nothing says how this cap is built",
        where=f"cap {job.cap.id}: {job.repository}",
        expected=", ".join((*script.NAMES, *make.NAMES[2:], LISTS)),
        fix=f"set caps.build.{job.cap.id}.command in bitproof.toml, or target when it is a cargo project",
    )


def _first(job: Job, names: tuple[str, ...]) -> str:
    return next((name for name in names if (job.repository / name).is_file()), "")
