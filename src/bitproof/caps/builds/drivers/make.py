"""A repository with a Makefile: ``make``, everything anew.

make believes times, and a killed make leaves half a file with a new one; another compiler does not make anything newer
either. So all targets are made again (``--always-make``): sync only builds what is not what was pinned.
"""

from bitproof.caps.builds.drivers.recipe import C_TOOLCHAIN, Recipe, Step
from bitproof.caps.builds.environment import Job, program

NAMES = ("GNUmakefile", "makefile", "Makefile")
"""In the order in which GNU make looks for them."""


def make_recipe(job: Job, name: str) -> Recipe:
    """How a repository with the makefile ``name`` is built: its default goal.

    Raises:
        UnavailableError: make is not there.
    """
    make = program(job, "make", "make")
    return Recipe(
        driver="make",
        reason=f"the target is blank and the repository has a {name}",
        steps=(Step("make", (make, "--always-make", f"--file={name}")),),
        flags=tuple(job.c_flags()),
        toolchain=(make, *C_TOOLCHAIN),
    )
