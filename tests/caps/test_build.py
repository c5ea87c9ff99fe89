import os
from pathlib import Path

import pytest

from bitproof.errors import InputError, IntegrityError
from bitproof.proof.inputs import RecordedInputs
from bitproof.system.process import OverdueError
from tests.caps.workshop import COMMIT, EPOCH, NAME, Workshop, cap, example, leftovers, write

SCRIPT = "scripts/build.sh"
TELL = "#!/bin/sh\nenv > thing.wasm\numask >> thing.wasm\n"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def told(workshop: Workshop) -> dict[str, str]:
    """The environment and the umask that a build saw."""
    workshop.sibling({SCRIPT: TELL})
    workshop.build(cap())
    *lines, mask = (workshop.git / NAME / "thing.wasm").read_text().splitlines()
    return {**dict(line.split("=", 1) for line in lines), "umask": mask}


def test_the_environment_of_a_build_is_made_and_nothing_is_inherited(workshop: Workshop) -> None:
    workshop.set(environ={"RUSTFLAGS": "-Copt-level=0", "LANG": "de_DE", "CANARY": "sings", "HOME": "/nowhere"})
    cache = workshop.settings.cache

    found = told(workshop)

    assert found.pop("PATH").startswith("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:")
    assert found.pop("CCC_OVERRIDE_OPTIONS").startswith("#+-ffile-prefix-map=")
    assert {name: value for name, value in found.items() if name not in {"PWD", "OLDPWD", "SHLVL", "_"}} == {
        "BITPROOF_GIT_ROOT": str(workshop.git),
        "CARGO_HOME": str(cache / "cargo"),
        "CARGO_INCREMENTAL": "0",
        "CARGO_TERM_COLOR": "never",
        "HOME": str(cache / "homes" / NAME),
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
        "umask": "0022",
    }


def test_a_variable_that_is_named_passes_and_the_caps_own_beats_it(workshop: Workshop) -> None:
    workshop.set(environ={"TOKEN": "outer", "CANARY": "sings", "TZ": "Asia/Tokyo"}, passed=("TOKEN", "TZ", "ABSENT"))
    workshop.configure(env={"TOKEN": "inner"})

    found = told(workshop)

    assert (found["TOKEN"], found["TZ"]) == ("inner", "Asia/Tokyo")
    assert not {"CANARY", "ABSENT"} & set(found)


def test_the_home_of_a_build_is_new(workshop: Workshop) -> None:
    workshop.sibling({SCRIPT: '#!/bin/sh\ntest ! -e "$HOME/seen" && touch "$HOME/seen" && echo > thing.wasm\n'})

    workshop.build(cap())
    workshop.build(cap())

    assert "exit" not in workshop.log(cap())


def test_a_failed_build_tells_the_step_the_command_and_the_end_of_its_log(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\nseq 100\necho broken >&2\nexit 7\n", "thing.wasm": "old"})

    with pytest.raises(IntegrityError) as caught:
        workshop.build(cap())

    log = workshop.settings.log(cap())
    lines = "".join(f"  | {number}\n" for number in range(82, 101))
    assert str(caught.value) == (
        "the build failed\n"
        "  where:    cap thing: scripts/build.sh\n"
        f"  found:    exit code 7 of {repository}/scripts/build.sh\n"
        f"{lines}"
        "  | broken\n"
        f"  fix:      the whole log is {log}"
    )
    assert log.read_text().startswith("bitproof: driver script: the target is blank and the repository has scripts/")
    assert "\n1\n2\n" in log.read_text()


def test_what_a_failed_build_leaves_is_never_the_artifact_of_an_earlier_commit(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\nexit 1\n", "thing.wasm": "old", "thing.wasm.inputs.json": "{}"})

    with pytest.raises(IntegrityError):
        workshop.build(cap())

    assert sorted(path.name for path in repository.iterdir()) == ["scripts"]


def test_a_build_that_makes_nothing_is_told(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\n", "thing.wasm": "old"})

    with pytest.raises(IntegrityError) as caught:
        workshop.build(cap())

    assert str(caught.value) == (
        "the build did not make the artifact\n"
        f"  where:    cap thing: {repository}/thing.wasm\n"
        f"  fix:      the whole log is {workshop.settings.log(cap())}"
    )


def test_a_build_that_hangs_ends_at_its_deadline(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\necho begun\nsleep 60\n"})
    workshop.set(timeout=1.0)

    with pytest.raises(OverdueError) as caught:
        workshop.build(cap())

    assert str(caught.value) == (
        "build.sh did not end in time\n"
        "  where:    cap thing: scripts/build.sh\n"
        "  expected: at most 1 s\n"
        f"  found:    {repository}/scripts/build.sh\n"
        "  | begun\n"
        f"  fix:      the whole log is {workshop.settings.log(cap())}; caps.timeout sets the seconds for a step"
    )


def test_a_build_killed_by_a_signal_says_which(workshop: Workshop) -> None:
    workshop.sibling({SCRIPT: "#!/bin/sh\nkill -9 $$\n"})

    with pytest.raises(IntegrityError) as caught:
        workshop.build(cap())

    assert caught.value.found.startswith("signal 9 of ")


@pytest.mark.parametrize("artifact", ["out/thing.wasm", "thing.wasm"])
def test_nothing_is_removed_or_written_through_a_symlink(workshop: Workshop, artifact: str) -> None:
    outside = write(workshop.root / "outside", {"thing.wasm": "canary"})
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\n"})
    name = artifact.split("/", maxsplit=1)[0]
    (repository / name).symlink_to(outside if name == "out" else outside / name)

    with pytest.raises((InputError, IntegrityError)):
        workshop.build(cap(artifact))

    assert [path.name for path in outside.iterdir()] == ["thing.wasm"]
    assert (outside / "thing.wasm").read_text() == "canary"


def test_an_artifact_that_the_build_makes_a_symlink_is_refused(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: "#!/bin/sh\nln -s /etc/hostname thing.wasm\n"})

    with pytest.raises(InputError) as caught:
        workshop.build(cap())

    assert caught.value.what == "the artifact is a symlink"
    assert not (repository / "thing.wasm.inputs.json").exists()


def test_a_fifo_in_the_place_of_the_artifact_is_refused(workshop: Workshop) -> None:
    workshop.sibling({SCRIPT: "#!/bin/sh\nmkfifo thing.wasm\n"})

    with pytest.raises(InputError, match="the artifact is not a regular file"):
        workshop.build(cap())


def test_the_inputs_are_recorded_beside_the_artifact_and_hold_nothing_of_this_machine(workshop: Workshop) -> None:
    repository = workshop.sibling({SCRIPT: TELL})

    made = workshop.build(cap())

    data = (repository / "thing.wasm.inputs.json").read_bytes()
    assert RecordedInputs.parse(data) == made
    assert (made.commit, made.driver, made.target) == (COMMIT, "script", "")
    assert made.commands == (("/git/thing/scripts/build.sh",),)
    assert dict(made.environment)["HOME"] == "/home"
    assert str(workshop.root).encode() not in data
    assert leftovers(workshop.root) == []


def test_the_toolchain_is_recorded_with_version_host_and_digest(workshop: Workshop) -> None:
    example(workshop, "digits")

    made = workshop.build(cap("target/component/digits.wasm", "wasm32-unknown-unknown", name="digits"))

    programs = {program.name: program for program in made.toolchain}
    assert set(programs) == {"cargo", "librustc_driver", "rustc", "wasm-ld", "wasm-tools"}
    assert programs["rustc"].version.startswith("rustc 1.")
    assert programs["rustc"].host == f"{os.uname().machine}-unknown-linux-gnu"
    assert programs["wasm-tools"].version.startswith("wasm-tools ")
    assert len({program.digest for program in made.toolchain}) == len(programs)
