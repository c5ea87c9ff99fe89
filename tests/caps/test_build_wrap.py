from pathlib import Path

import pytest

from bitproof.caps.builds.wrap import CoreModule, inspect
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.proof.wasm import parse
from tests.caps.shelf import sha256
from tests.caps.workshop import COMMIT, WASM, Workshop, assembled, component, leftovers, wasm_tools, write

SCRIPT = {"build.sh": "#!/bin/sh\n"}
WIT = {"wit/thing.wit": "package a:b;\nworld w { export odd: func() -> u32; }\n"}
MODULE = '(module (func (export "odd") (result i32) i32.const 41))'
LIBRARY = """(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (func (export "odd") (result i32) call $yield))"""
PROGRAM = """(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (func (export "_start") call $yield drop))"""
ADAPTER = '(module (func (export "sched_yield") (result i32) i32.const 7))'


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def sibling(workshop: Workshop, module: str, *, wit: bool = True) -> Path:
    """A repository whose build copies a module into ``build/``; returns the artifact's path."""
    repository = workshop.sibling({"build.sh": "#!/bin/sh\nmkdir -p build\ncp kept/thing.wasm build/\n"})
    if wit:
        write(repository, WIT)
    assembled(repository / "kept" / "thing.wasm", module)
    return repository / "target" / "component" / "thing.wasm"


def is_component(path: Path) -> bool:
    return parse(memoryview(path.read_bytes())).component


def test_a_core_module_becomes_a_component_with_the_repositorys_wit(workshop: Workshop) -> None:
    artifact = sibling(workshop, MODULE)

    made = workshop.build(component())

    assert is_component(artifact)
    assert [command[:3] for command in made.commands[1:]] == [
        ("wasm-tools", "component", "embed"),
        ("wasm-tools", "component", "new"),
    ]
    assert leftovers(workshop.root) == []


def test_wrapping_twice_gives_the_same_bytes(workshop: Workshop) -> None:
    artifact = sibling(workshop, MODULE)
    workshop.build(component())
    first = artifact.read_bytes()

    workshop.build(component())

    assert artifact.read_bytes() == first


def test_a_module_that_says_its_world_is_not_told_again(workshop: Workshop) -> None:
    artifact = sibling(workshop, MODULE)
    kept = workshop.git / "thing" / "kept" / "thing.wasm"
    wasm_tools("component", "embed", str(workshop.git / "thing" / "wit"), str(kept), "-o", str(kept))

    made = workshop.build(component())

    assert is_component(artifact)
    assert [command[2] for command in made.commands[1:]] == ["new"]


def test_a_component_is_taken_as_it_is(workshop: Workshop) -> None:
    artifact = sibling(workshop, MODULE)
    kept = workshop.git / "thing" / "kept" / "thing.wasm"
    assembled(kept, "(component)")

    made = workshop.build(component())

    assert artifact.read_bytes() == kept.read_bytes()
    assert len(made.commands) == 1


def test_a_build_may_make_the_component_itself(workshop: Workshop) -> None:
    workshop.sibling({"build.sh": "#!/bin/sh\nmkdir -p target/component\necho made > target/component/thing.wasm\n"})

    workshop.build(component())

    assert (workshop.git / "thing" / "target" / "component" / "thing.wasm").read_text() == "made\n"


def test_a_module_of_an_earlier_build_is_not_wrapped(workshop: Workshop) -> None:
    sibling(workshop, MODULE)
    workshop.build(component())
    write(workshop.git / "thing", SCRIPT)

    with pytest.raises(IntegrityError) as caught:
        workshop.build(component())

    assert str(caught.value) == (
        "the build left no core module to wrap\n"
        f"  where:    cap thing: {workshop.git}/thing\n"
        "  expected: target/thing.wasm or build/thing.wasm or thing.wasm\n"
        "  fix:      the stem of artifact must be the crate's name; a [lib] needs crate-type cdylib"
    )
    assert not (workshop.git / "thing" / "target" / "component" / "thing.wasm").exists()


def test_a_crates_module_is_looked_for_with_hyphen_and_underscore(workshop: Workshop) -> None:
    artifact = "target/component/two-words.wasm"
    repository = write(workshop.git / "two-words", {**SCRIPT, **WIT})
    write(
        repository,
        {
            "Cargo.toml": '[package]\nname = "two-words"\nversion = "1.0.0"\n'
            '[lib]\ncrate-type = ["cdylib"]\npath = "l.rs"\n',
            "Cargo.lock": 'version = 3\n\n[[package]]\nname = "two-words"\nversion = "1.0.0"\n',
            "l.rs": '#[no_mangle]\npub extern "C" fn odd() -> u32 { 41 }\n',
        },
    )

    workshop.build(component("two-words", WASM))

    assert is_component(repository / artifact)


def test_a_module_without_wit_is_told(workshop: Workshop) -> None:
    sibling(workshop, MODULE, wit=False)

    with pytest.raises(InputError) as caught:
        workshop.build(component())

    assert str(caught.value) == (
        "nothing says which interfaces the core module has\n"
        f"  where:    cap thing: {workshop.git}/thing\n"
        "  expected: a directory wit/, or a component-type section in the module"
    )


def test_a_module_that_does_not_fit_its_wit_fails_with_what_wasm_tools_says(workshop: Workshop) -> None:
    artifact = sibling(workshop, "(module)")

    with pytest.raises(IntegrityError) as caught:
        workshop.build(component())

    assert caught.value.where == "cap thing: component new"
    assert any("odd" in line for line in caught.value.details)
    assert not artifact.exists()
    assert leftovers(workshop.root) == []


def test_what_is_no_wasm_is_told(workshop: Workshop) -> None:
    workshop.sibling({"build.sh": "#!/bin/sh\necho text > thing.wasm\n", **WIT})

    with pytest.raises(IntegrityError) as caught:
        workshop.build(component())

    assert caught.value.what == "the build's core module is not wasm"
    assert caught.value.where == f"{workshop.git}/thing/thing.wasm"


def test_a_module_of_wasi_preview_1_without_an_adapter_is_told(workshop: Workshop) -> None:
    sibling(workshop, LIBRARY)

    with pytest.raises(UnavailableError) as caught:
        workshop.build(component())

    name = "wasi_snapshot_preview1.reactor.wasm"
    places = [workshop.git / "thing", workshop.git / "thing" / "adapters", workshop.own, workshop.own / "adapters"]
    assert str(caught.value) == (
        "the core module imports wasi_snapshot_preview1, and its adapter is not there\n"
        "  where:    cap thing\n"
        f"  expected: {' or '.join(str(place / name) for place in places)}\n"
        f"  fix:      take {name} from the npm package @bytecodealliance/jco (lib/) or a wasmtime release,"
        " put it into adapters/ beside the manifest, or name it in caps.build.thing.adapter"
    )


@pytest.mark.parametrize("place", ["git/thing/adapters", "product/adapters", "configured"])
def test_the_adapter_is_configured_or_found_beside(workshop: Workshop, place: str) -> None:
    artifact = sibling(workshop, LIBRARY)
    name = "wasi_snapshot_preview1.reactor.wasm"
    if place == "configured":
        workshop.configure(adapter="my/adapter.wasm")
        assembled(workshop.own / "my" / "adapter.wasm", ADAPTER)
    else:
        assembled(workshop.root / place / name, ADAPTER)

    workshop.build(component())

    assert is_component(artifact)


def test_a_configured_adapter_that_is_missing_is_told_and_nothing_else_is_taken(workshop: Workshop) -> None:
    sibling(workshop, LIBRARY)
    assembled(workshop.own / "adapters" / "wasi_snapshot_preview1.reactor.wasm", ADAPTER)
    workshop.configure(adapter="my/adapter.wasm")

    with pytest.raises(UnavailableError) as caught:
        workshop.build(component())

    assert caught.value.expected == f"{workshop.own}/my/adapter.wasm"


def test_a_program_needs_the_command_adapter(tmp_path: Path) -> None:
    text = LIBRARY.replace('"odd"', '"_start"')

    found = inspect(assembled(tmp_path / "thing.wasm", text))

    assert found == CoreModule(component=False, described=False, preview1=True, command=True)


def test_the_commit_is_recorded_with_what_was_wrapped(workshop: Workshop) -> None:
    sibling(workshop, MODULE)

    made = workshop.build(component())

    assert made.commit == COMMIT
    assert "wasm-tools" in {program.name for program in made.toolchain}


def test_a_program_of_wasi_preview_1_needs_no_wit(workshop: Workshop) -> None:
    artifact = sibling(workshop, PROGRAM, wit=False)
    adapter = assembled(workshop.own / "adapters" / "wasi_snapshot_preview1.command.wasm", ADAPTER)

    made = workshop.build(component())

    assert is_component(artifact)
    assert made.commands[1][:3] == ("wasm-tools", "component", "new")
    tools = {program.name: program for program in made.toolchain}
    assert tools["wasi_snapshot_preview1.command.wasm"].digest == sha256(adapter.read_bytes())
    assert tools["wasi_snapshot_preview1.command.wasm"].version == ""
    assert "wasm-tools" in tools


def test_a_library_of_wasi_preview_1_needs_its_wit(workshop: Workshop) -> None:
    sibling(workshop, LIBRARY, wit=False)
    assembled(workshop.own / "adapters" / "wasi_snapshot_preview1.reactor.wasm", ADAPTER)

    with pytest.raises(InputError, match="nothing says which interfaces the core module has"):
        workshop.build(component())
