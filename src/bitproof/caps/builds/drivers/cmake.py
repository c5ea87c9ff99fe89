"""A repository with a CMakeLists.txt: configure in ``build/``, then build, everything anew.

The cache of an earlier run is dropped (``--fresh`` needs CMake 3.24): it remembers compilers and flags.
"""

from bitproof.caps.builds.drivers.recipe import C_TOOLCHAIN, Recipe, Step
from bitproof.caps.builds.environment import Job, program

LISTS = "CMakeLists.txt"
BUILD = "build"


def cmake_recipe(job: Job) -> Recipe:
    """How a CMake project is built: as Release, with make.

    Raises:
        UnavailableError: cmake or make is not there.
    """
    cmake, make = program(job, "cmake", "cmake"), program(job, "make", "make")
    options = ("-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_MAKE_PROGRAM={make}", "-G", "Unix Makefiles")
    configure = (cmake, "--fresh", "-S", str(job.repository), "-B", str(job.repository / BUILD), *options)
    return Recipe(
        driver="cmake",
        reason=f"the target is blank and the repository has a {LISTS}",
        steps=(
            Step("cmake configure", configure),
            Step("cmake build", (cmake, "--build", str(job.repository / BUILD), "--clean-first", "--verbose")),
        ),
        environment=job.with_c_flags(),
        flags=tuple(job.c_flags()),
        toolchain=(cmake, make, *C_TOOLCHAIN),
    )
