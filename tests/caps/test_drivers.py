from pathlib import Path

import pytest

from bitproof.caps.builds.drivers.choose import choose_recipe
from bitproof.errors import InputError, UnavailableError
from tests.caps.workshop import WASM, Workshop, cap


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


EVERYTHING = {"scripts/build.sh": "", "build.sh": "", "GNUmakefile": "", "Makefile": "", "CMakeLists.txt": ""}


@pytest.mark.parametrize(
    ("gone", "driver", "reason"),
    [
        ([], "script", "scripts/build.sh"),
        (["scripts/build.sh"], "script", "build.sh"),
        (["scripts/build.sh", "build.sh"], "make", "a GNUmakefile"),
        (["scripts/build.sh", "build.sh", "GNUmakefile"], "make", "a Makefile"),
        (["scripts/build.sh", "build.sh", "GNUmakefile", "Makefile"], "cmake", "a CMakeLists.txt"),
    ],
)
def test_a_blank_target_is_built_by_the_first_that_the_repository_has(
    workshop: Workshop, gone: list[str], driver: str, reason: str
) -> None:
    workshop.sibling({name: text for name, text in EVERYTHING.items() if name not in gone})

    recipe = choose_recipe(workshop.job(cap()))

    assert recipe.driver == driver
    assert recipe.reason == f"the target is blank and the repository has {reason}"


def test_a_target_means_cargo_whatever_else_there_is(workshop: Workshop) -> None:
    repository = workshop.sibling({**EVERYTHING, "Cargo.toml": ""})

    recipe = choose_recipe(workshop.job(cap(target=WASM)))

    (step,) = recipe.steps
    assert (recipe.driver, recipe.reason) == ("cargo", f"the target is {WASM}")
    assert step.argv == (
        "/usr/bin/cargo",
        *("build", "--release", "--locked", "--target", WASM),
        *("--manifest-path", str(repository / "Cargo.toml")),
    )


def test_a_configured_command_beats_every_driver(workshop: Workshop) -> None:
    repository = workshop.sibling({**EVERYTHING, "Cargo.toml": ""})
    workshop.configure("tools/compile", "--all")

    recipe = choose_recipe(workshop.job(cap(target=WASM)))

    assert (recipe.driver, recipe.reason) == ("command", "caps.build.thing.command says so")
    assert [step.argv for step in recipe.steps] == [(str(repository / "tools" / "compile"), "--all")]


def test_a_configured_command_without_a_slash_is_a_program(workshop: Workshop) -> None:
    workshop.sibling({})
    workshop.configure("make", "wasm")

    (step,) = choose_recipe(workshop.job(cap())).steps

    assert step.argv == ("/usr/bin/make", "wasm")


def test_a_precomposed_cap_runs_its_script_in_the_manifests_repository(workshop: Workshop) -> None:
    (workshop.own / "scripts").mkdir()
    script = workshop.own / "scripts" / "precompose-thing.sh"
    script.write_text("")

    recipe = choose_recipe(workshop.job(cap(precomposed=True)))

    assert recipe.driver == "precompose"
    assert [step.argv for step in recipe.steps] == [("/usr/bin/sh", str(script))]


def test_a_precomposed_cap_without_a_script_is_told(workshop: Workshop) -> None:
    with pytest.raises(InputError) as caught:
        choose_recipe(workshop.job(cap(precomposed=True)))

    assert str(caught.value) == (
        "a precomposed cap has no script\n"
        "  where:    cap thing\n"
        f"  expected: {workshop.own}/scripts/precompose-thing.sh\n"
        "  fix:      add it, or set caps.build.thing.command in bitproof.toml"
    )


def test_a_repository_that_nothing_builds_is_told(workshop: Workshop) -> None:
    repository = workshop.sibling({"README.md": ""})

    with pytest.raises(InputError) as caught:
        choose_recipe(workshop.job(cap()))

    assert str(caught.value) == (
        "nothing says how this cap is built\n"
        f"  where:    cap thing: {repository}\n"
        "  expected: scripts/build.sh, build.sh, Makefile, CMakeLists.txt\n"
        "  fix:      set caps.build.thing.command in bitproof.toml, or target when it is a cargo project"
    )


def test_a_target_without_a_cargo_project_is_told(workshop: Workshop) -> None:
    workshop.sibling({"Makefile": ""})

    with pytest.raises(InputError) as caught:
        choose_recipe(workshop.job(cap(target=WASM)))

    assert str(caught.value) == (
        "the repository has no Cargo.toml\n"
        "  where:    cap thing: target\n"
        "  expected: a cargo project, or a blank target\n"
        f"  found:    {WASM}\n"
        "  fix:      set caps.build.thing.command in bitproof.toml when it is built otherwise"
    )


@pytest.mark.parametrize(
    ("files", "target", "name", "package"),
    [
        ({"Makefile": ""}, "", "make", "make"),
        ({"CMakeLists.txt": ""}, "", "cmake", "cmake"),
        ({"Cargo.toml": ""}, WASM, "rustc", "rustc"),
    ],
)
def test_a_missing_program_is_told_with_its_package(
    workshop: Workshop, files: dict[str, str], target: str, name: str, package: str
) -> None:
    workshop.sibling(files)
    workshop.set(environ={"PATH": "/nowhere"}, passed=("PATH",))

    with pytest.raises(UnavailableError) as caught:
        choose_recipe(workshop.job(cap(target=target)))

    assert str(caught.value) == (
        f"the program {name} is not installed\n"
        "  where:    cap thing\n"
        f"  expected: {name} in /nowhere\n"
        f"  fix:      apt-get install {package}; or name PATH in caps.env to use your own PATH"
    )
