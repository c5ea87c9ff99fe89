import hashlib
import shutil
from pathlib import Path

import pytest

from bitproof.model.caps_manifest import Cap, parse_caps_manifest
from tests.caps.workshop import EXAMPLE, WASM, Workshop, component, example, write

MANIFEST = parse_caps_manifest((EXAMPLE / "caps-manifest.toml").read_bytes(), allow_local_repos=True)
BUILT = {cap.id: cap for cap in MANIFEST.caps if not cap.precomposed and not cap.sha_is_placeholder}

CARGO = f"""
[package]
name = "{component().id}"
version = "1.0.0"
[lib]
crate-type = ["cdylib"]
path = "lib.rs"
"""
LOCK = f'version = 3\n\n[[package]]\nname = "{component().id}"\nversion = "1.0.0"\n'
CRATE = {
    "Cargo.toml": CARGO,
    "Cargo.lock": LOCK,
    "lib.rs": '#[no_mangle]\npub extern "C" fn odd() -> u32 { if cfg!(special) { 43 } else { 41 } }\n',
    "wit/thing.wit": "package a:b;\nworld w { export odd: func() -> u32; }\n",
}
MODULE = f"target/{WASM}/release/thing.wasm"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copied(workshop: Workshop, cap: Cap) -> Path:
    """A sibling of the example in the git root; returns its artifact's path."""
    repository = workshop.git / cap.sibling
    shutil.copytree(EXAMPLE / "siblings" / cap.id, repository)
    return repository / cap.artifact


@pytest.mark.parametrize("name", list(BUILT))
def test_a_sibling_gives_its_pinned_bytes_in_any_directory(tmp_path: Path, name: str) -> None:
    cap = BUILT[name]
    here, there = Workshop(tmp_path / "a"), Workshop(tmp_path / "another" / "and-a-deeper-one")
    artifacts = [copied(workshop, cap) for workshop in (here, there)]

    records = [workshop.build(cap) for workshop in (here, there)]

    assert [digest(artifact) for artifact in artifacts] == [cap.digest.value] * 2
    assert records[0] == records[1]
    assert all(str(tmp_path).encode() not in artifact.read_bytes() for artifact in artifacts)


@pytest.mark.parametrize("name", ["division", "mixer", "scale"])
def test_paths_that_reach_the_artifact_are_names(tmp_path: Path, name: str) -> None:
    workshop = Workshop(tmp_path / "w")
    artifact = copied(workshop, BUILT[name])

    workshop.build(BUILT[name])

    assert f"/git/{name}".encode() in artifact.read_bytes()


def test_a_crate_in_a_directory_with_blanks_is_built(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "with two blanks")
    artifact = copied(workshop, BUILT["division"])

    workshop.build(BUILT["division"])

    assert digest(artifact) == BUILT["division"].digest.value


def test_cargos_configuration_above_the_sibling_has_no_say(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "w")
    artifact = write(workshop.git / "thing", CRATE) / "target" / "component" / "thing.wasm"
    workshop.build(component(target=WASM))
    plain = digest(artifact)
    for directory in (tmp_path, workshop.git):
        write(directory / ".cargo", {"config.toml": '[build]\nrustflags = ["--cfg", "special"]\n'})

    workshop.build(component(target=WASM))

    assert digest(artifact) == plain


def test_cargos_configuration_of_the_sibling_counts(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "w")
    repository = write(workshop.git / "thing", CRATE)
    artifact = repository / "target" / "component" / "thing.wasm"
    workshop.build(component(target=WASM))
    plain = digest(artifact)
    write(repository / ".cargo", {"config.toml": '[build]\nrustflags = ["--cfg", "special"]\n'})

    workshop.build(component(target=WASM))

    assert digest(artifact) != plain


def test_a_module_that_changed_on_disk_is_linked_again(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "w")
    repository = write(workshop.git / "thing", CRATE)
    artifact = repository / "target" / "component" / "thing.wasm"
    workshop.build(component(target=WASM))
    good = digest(artifact)
    with (repository / MODULE).open("r+b") as module:  # in place: cargo's other name of it changes too
        module.truncate(60)

    workshop.build(component(target=WASM))

    assert digest(artifact) == good


@pytest.mark.parametrize(
    ("name", "half"), [("mixer", "build/mixer.o"), ("scale", "build/CMakeFiles/scale.dir/src/scale.cpp.obj")]
)
def test_half_an_object_of_a_killed_build_is_made_again(tmp_path: Path, name: str, half: str) -> None:
    workshop = Workshop(tmp_path / "w")
    artifact = copied(workshop, BUILT[name])
    workshop.build(BUILT[name])
    with (workshop.git / name / half).open("r+b") as written:
        written.truncate(20)

    workshop.build(BUILT[name])

    assert digest(artifact) == BUILT[name].digest.value


def test_a_lock_file_that_does_not_fit_fails_the_build(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "w")
    write(workshop.git / "thing", {**CRATE, "Cargo.lock": "version = 3\n"})

    with pytest.raises(Exception, match="the build failed") as caught:
        workshop.build(component(target=WASM))

    assert "needs to be updated but --locked was passed" in str(caught.value)


def test_a_changed_constant_changes_the_artifact(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "w")
    source = example(workshop, "mixer") / "mixer.c"
    source.write_text(source.read_text().replace("16777619u", "16777621u"))

    workshop.build(BUILT["mixer"])

    assert digest(workshop.git / "mixer" / BUILT["mixer"].artifact) != BUILT["mixer"].digest.value
