import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError, Problem
from bitproof.model.digest import Digest
from bitproof.proof.inputs import RecordedInputs, differing
from tests.proof.builders import program, recorded

DIGEST = Digest("sha256", "2" * 64)
TEXT = st.text(max_size=8)


@given(
    commit=st.sampled_from(["", "a" * 40, "0" * 64]),
    commands=st.lists(st.lists(TEXT, max_size=3).map(tuple), max_size=3).map(tuple),
    environment=st.dictionaries(TEXT, TEXT, max_size=4).map(lambda pairs: tuple(pairs.items())),
    flags=st.lists(TEXT, max_size=3).map(tuple),
    parts=st.dictionaries(TEXT, st.just(DIGEST), max_size=3).map(lambda pairs: tuple(pairs.items())),
)
def test_what_was_written_is_read_back_and_written_again_as_the_same_bytes(
    commit: str,
    commands: tuple[tuple[str, ...], ...],
    environment: tuple[tuple[str, str], ...],
    flags: tuple[str, ...],
    parts: tuple[tuple[str, Digest], ...],
) -> None:
    inputs = recorded(commit=commit, commands=commands, environment=environment, flags=flags, parts=parts)

    read = RecordedInputs.parse(inputs.to_bytes())

    assert read == inputs
    assert read.to_bytes() == inputs.to_bytes()


def test_the_order_of_what_has_none_changes_no_byte() -> None:
    variables, parts = (("A", "1"), ("B", "2")), (("kv", DIGEST), ("log", DIGEST))

    forwards = recorded(environment=variables, parts=parts)

    assert recorded(environment=variables[::-1], parts=parts[::-1]).to_bytes() == forwards.to_bytes()
    tools = (program("wasm-tools"), program("rustc"))
    made = RecordedInputs(commit="", driver="make", commands=(("make",),), toolchain=tools)
    assert [tool.name for tool in made.toolchain] == ["rustc", "wasm-tools"]


def test_the_document_is_what_the_reference_shows() -> None:
    assert recorded(flags=("-C", "debuginfo=0"), parts=(("kv", DIGEST),)).document() == {
        "format": 1,
        "commit": "a" * 40,
        "driver": "cargo",
        "target": "wasm32-wasi",
        "commands": [["cargo", "build", "--locked"]],
        "flags": ["-C", "debuginfo=0"],
        "toolchain": [
            {"name": "rustc", "version": "1.63.0", "host": "x86_64-unknown-linux-gnu", "sha256": "1" * 64},
        ],
        "environment": {"LANG": "C.UTF-8", "TZ": "UTC"},
        "parts": {"kv": "2" * 64},
    }


def test_every_problem_of_a_record_is_told_at_once() -> None:
    document = {
        "format": 2,
        "commit": "HEAD",
        "driver": 7,
        "target": "",
        "commands": [["make", 1], "make"],
        "flagz": [],
        "toolchain": [3, {"name": "cc", "version": "12", "host": "", "sha256": "12", "path": "/usr/bin/cc"}],
        "environment": {"LANG": None},
        "parts": {"kv": "sha1:00"},
    }

    with pytest.raises(InputError) as caught:
        RecordedInputs.parse(json.dumps(document).encode(), "kv.inputs.json")

    assert str(caught.value) == (
        "the recorded inputs are not usable\n"
        "  where:    kv.inputs.json\n"
        "  - format: out of range: expected 1 to 1, found 2\n"
        "  - flagz: not a known key: expected 'flags'\n"
        "  - commit: not a commit: expected 40 or 64 lower-case hex digits, found 'HEAD'\n"
        "  - driver: the wrong type: expected a string, found an integer, 7\n"
        "  - commands.0[1]: the wrong type: expected a string, found an integer\n"
        "  - commands.1: the wrong type: expected an array, found a string, 'make'\n"
        "  - toolchain: the wrong type: expected an array of tables, found an integer\n"
        "  - toolchain[1].path: not a known key: expected one of host, name, sha256, version\n"
        "  - toolchain[1].sha256: not 64 hex digits: '12'\n"
        "  - environment.LANG: the wrong type: expected a string, found null, None\n"
        "  - parts.kv: unsupported algorithm 'sha1', this digest must be sha256\n"
        "  fix:      build it again"
    )


def test_a_program_that_stands_twice_in_a_record_is_a_problem() -> None:
    document = recorded().document() | {"toolchain": [program().document(), program().document()]}

    with pytest.raises(InputError) as caught:
        RecordedInputs.parse(json.dumps(document).encode())

    assert [str(problem) for problem in caught.value.problems] == ["a program stands more than once: 'rustc'"]


def test_a_variable_or_a_part_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a variable stands more than once: 'A'$"):
        recorded(environment=(("A", "1"), ("A", "2")))
    with pytest.raises(ValueError, match=r"^a part stands more than once: 'kv'$"):
        recorded(parts=(("kv", DIGEST), ("kv", DIGEST)))


def test_text_that_json_cannot_hold_is_refused_when_it_is_recorded() -> None:
    with pytest.raises(ValueError, match=r"^not text that UTF-8 can hold: '.udcff"):
        recorded(environment=(("A", "\udcff"),))


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(InputError):
        RecordedInputs.parse(data)


def test_nothing_differs_between_a_record_and_itself() -> None:
    assert differing(recorded(), recorded()) == ()


def test_every_input_that_differs_is_told_with_both_values_the_most_telling_first() -> None:
    old = recorded(flags=("-C", "opt-level=3"), parts=(("kv", DIGEST),))
    new = recorded(
        commit="b" * 40,
        driver="make",
        version="1.64.0",
        commands=(("cargo", "build", "a b"), ("wasm-tools", "strip")),
        flags=("-C", "opt-level=s"),
        environment=(("LANG", ""), ("TZ", "nothing")),
        parts=(("kv", Digest("sha256", "3" * 64)),),
    )

    assert [str(problem) for problem in differing(old, new)] == [
        f"commit: differs: expected {'a' * 40}, found {'b' * 40}",
        "driver: differs: expected cargo, found make",
        f"parts.kv: differs: expected {'2' * 64}, found {'3' * 64}",
        "toolchain.rustc.version: differs: expected 1.63.0, found 1.64.0",
        "flags: differ: expected opt-level=3, found opt-level=s",
        "commands.1: differs: expected cargo build --locked, found cargo build 'a b'",
        "commands.2: differs: expected nothing, found wasm-tools strip",
        "environment.LANG: differs: expected C.UTF-8, found ''",
        "environment.TZ: differs: expected UTC, found 'nothing'",
    ]


def test_flags_that_only_one_side_has_and_flags_in_another_order_are_told_apart() -> None:
    assert differing(recorded(flags=("-O2",)), recorded()) == (
        Problem("flags", "differ", expected="-O2", found="nothing"),
    )
    assert differing(recorded(flags=("-O2", "-g")), recorded(flags=("-g", "-O2"))) == (
        Problem("flags", "stand in another order", expected="-O2 -g", found="-g -O2"),
    )
