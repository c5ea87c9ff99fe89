import json

import pytest

from bitproof.errors import Problem
from bitproof.proof.explain import explain
from bitproof.proof.explanation import Explanation, Kind
from bitproof.proof.inputs import RecordedInputs
from tests.proof.builders import (
    CORE,
    FUNC,
    I32_TO_I32,
    NOTHING_TO_NOTHING,
    body,
    code,
    custom,
    data,
    exports,
    functions,
    imported,
    imports,
    leb,
    module,
    names,
    recorded,
    section,
    sized,
    types,
    vector,
)

UNRECORDED = " What the expected and the found artifact was built from is not recorded."


def told(expected: bytes, found: bytes) -> str:
    """The text without what is said of recorded inputs and of sizes."""
    text = explain(expected, found).text
    assert text.endswith(UNRECORDED)
    return text.removesuffix(UNRECORDED).rpartition(" Expected ")[0]


def test_a_stripped_name_section_is_explained_as_custom_sections_only() -> None:
    expected, found = module([1], names({0: "run"}), custom("producers")), module([1], custom("producers"))

    explanation = explain(expected, found)

    assert explanation.cause is Kind.CUSTOM
    assert explanation.text == (
        "Identical code, different custom sections: 'name' removed. "
        f"Expected {len(expected)} bytes, found {len(found)}, and the first difference is at offset 36.{UNRECORDED}"
    )


def test_custom_sections_that_were_added_removed_or_changed_are_each_named() -> None:
    old = module([1], custom("a"), custom("b", b"1"), custom("same"), custom("twice"), custom("twice"))
    new = module([1], custom("b", b"2"), custom("same"), custom("c\n"), custom("twice"))

    assert told(old, new) == (
        "Identical code, different custom sections: 'a' removed; 'b' changed; 'twice' changed; 'c\\n' added."
    )


def test_a_changed_constant_in_data_is_the_same_code_with_different_data() -> None:
    explanation = explain(module([1], data(b"hello")), module([1], data(b"jello")))

    assert explanation.cause is Kind.DATA
    assert told(module([1], data(b"hello")), module([1], data(b"jello"))) == (
        "The same code, different data: data section changed."
    )


def test_a_changed_constant_in_code_is_one_function_and_says_which() -> None:
    called = names({0: "first", 1: "_ZN3kv3get17h0123456789abcdefE", 2: "last"})

    explanation = explain(module([1, 2, 3], called), module([1, 9, 3], called))

    assert explanation.cause is Kind.CODE
    assert explanation.text.startswith(
        "Different code: 1 of 3 functions differs ('_ZN3kv3get17h0123456789abcdefE'). Expected "
    )
    assert explanation.document()["differences"] == [
        {
            "kind": "code",
            "place": "",
            "text": "1 of 3 functions differs ('_ZN3kv3get17h0123456789abcdefE')",
            "functions": {
                "total": 3,
                "changed": 1,
                "moved": 0,
                "removed": 0,
                "added": 0,
                "names": ["'_ZN3kv3get17h0123456789abcdefE'"],
            },
        }
    ]


def test_the_expected_modules_names_serve_where_the_found_one_has_none() -> None:
    assert told(module([1, 2], names({1: "get"})), module([1, 3])) == (
        "Different code: 1 of 2 functions differs ('get'). Different custom sections: 'name' removed."
    )


def test_at_most_ten_functions_are_named() -> None:
    called = names({index: f"f{index}" for index in range(12)})

    assert told(module(range(12), called), module(range(100, 112), called)) == (
        "Different code: 12 of 12 functions differ ('f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9', …)."
    )


def test_imported_functions_come_first_when_functions_are_named() -> None:
    def importing(constant: int) -> bytes:
        return (
            CORE
            + types(NOTHING_TO_NOTHING)
            + imports(imported("env", "now", FUNC, b"\0"))
            + functions(0)
            + code(body(constant))
            + names({0: "now", 1: "run"})
        )

    assert told(importing(1), importing(2)) == "Different code: 1 of 1 functions differs ('run')."


def test_functions_are_not_named_by_indices_that_cannot_be_known() -> None:
    def unreadable(constant: int) -> bytes:
        return CORE + section(2, b"\x01") + code(body(constant)) + names({0: "run"})

    assert told(unreadable(1), unreadable(2)) == "Different code: 1 of 1 functions differs."


def test_a_broken_name_section_names_nothing_and_stops_nothing() -> None:
    broken = custom("name", b"\x01\x05")

    assert told(module([1], broken), module([2], broken)) == "Different code: 1 of 1 functions differs."


def test_with_another_number_of_functions_bodies_are_compared_wherever_they_stand() -> None:
    old = module([1, 2, 3], names({0: "a", 1: "b", 2: "c"}))
    new = module([7, 1, 5, 8], names({0: "new", 1: "a", 2: "b", 3: "newer"}))

    text = told(old, new)

    assert text == (
        "Different code: 2 of 3 functions removed, 3 of 4 functions added "
        "('b' changed, 'new' added, 'newer' added, 'c' removed). "
        "Different definitions: function section changed. Different custom sections: 'name' changed."
    )
    assert told(module([1, 1]), module([1, 1, 1])).startswith("Different code: 1 of 3 functions added. ")
    assert told(module([1, 1]), module([1])).startswith("Different code: 1 of 2 functions removed. ")


def test_functions_that_only_moved_are_not_counted_as_different() -> None:
    assert told(module([1, 2, 3]), module([3, 1, 2])) == (
        "The same parts in another order: the same functions, 3 of 3 at another index."
    )
    assert told(module([1, 2, 3]), module([3, 9, 1])) == (
        "Different code: 1 of 3 functions differs, 2 more stand at another index."
    )


def test_sizes_of_functions_written_in_more_bytes_are_no_different_code() -> None:
    padded = module([]).replace(code(), section(10, leb(1) + leb(len(body(1)), size=3) + body(1)))

    explanation = explain(module([1]), padded.replace(functions(), functions(0)))

    assert explanation.cause is Kind.ENCODING
    assert explanation.differences[0].text == "the same functions, their sizes written in another way"


def test_sizes_of_sections_written_in_more_bytes_are_told_as_that() -> None:
    plain, padded = CORE + custom("a"), CORE + b"\0" + leb(2, size=4) + b"\x01a"

    assert told(plain, padded) == "The same contents, written in another way: the sizes of sections."


def test_sections_in_another_order_are_told_as_that() -> None:
    assert told(module([1], custom("a"), custom("b")), module([1], custom("b"), custom("a"))) == (
        "The same parts in another order: the same sections stand in another order."
    )


def test_an_export_that_was_renamed_is_an_interface_change() -> None:
    old = module([1], names({0: "run"}))
    new = old.replace(exports(run=0), exports(ran=0))

    explanation = explain(old, new)

    assert explanation.cause is Kind.INTERFACE
    assert [difference.text for difference in explanation.interface] == [
        "export 'run' removed (func () -> ())",
        "export 'ran' added (func () -> ())",
    ]
    assert told(old, new) == (
        "The same code, and an interface change: "
        "export 'run' removed (func () -> ()); export 'ran' added (func () -> ())."
    )


def test_an_export_with_another_signature_is_an_interface_change() -> None:
    old, new = (
        CORE + types(signature) + functions(0) + exports(run=0) for signature in (NOTHING_TO_NOTHING, I32_TO_I32)
    )

    assert told(old, new) == (
        "The same code, and an interface change: "
        "export 'run' changed (from func () -> () to func (i32) -> (i32)). "
        "Different definitions: type section changed."
    )


def test_an_import_that_came_is_an_interface_change_beside_different_code() -> None:
    entry = imported("env", "now", FUNC, b"\0")

    text = told(module([1]), module([2]).replace(functions(0), imports(entry, *[entry] * 7) + functions(0)))

    each = "func () -> ()"
    assert text == (
        "Different code: 1 of 1 functions differs. "
        f"An interface change: import 'env now' added ({' and '.join([each] * 5)} and 3 more)."
    )


def test_an_interface_whose_types_cannot_be_read_is_compared_without_them() -> None:
    old = CORE + types(b"\x5f\0") + functions(0) + exports(run=0)

    assert told(old, old.replace(exports(run=0), exports(run=0, more=0))) == (
        "The same code, and an interface change: export 'more' added (func)."
    )


def test_an_interface_that_cannot_be_read_is_told_by_its_sections() -> None:
    assert told(CORE + section(7, b"\x05"), CORE + section(7, b"\x06")) == (
        "The same code, different definitions: export section changed."
    )


def test_other_sections_are_named_where_the_code_is_the_same() -> None:
    old, new = module([1], section(5, b"\x01\0\x01")), module([1], section(5, b"\x01\0\x02"), section(8, b"\0"))

    assert told(old, new) == ("The same code, different definitions: memory section changed; start section added.")


def test_code_that_does_not_parse_is_told_with_the_place() -> None:
    old, new = CORE + code(body(1)), CORE + section(10, vector([sized(body(1)) + b"\0"]))

    assert told(old, new) == (
        "Different code: the code section differs and does not parse: 1 bytes are left over at offset 16."
    )


def test_other_formats_are_told_by_sizes_and_the_first_byte_that_differs() -> None:
    explanation = explain(b"\x7fELF" + bytes(70_000), b"\x7fELF" + bytes(69_999) + b"\x01x")

    assert explanation.cause is Kind.BYTES
    assert explanation.text == (
        f"Different bytes. Expected 70004 bytes, found 70005, and the first difference is at offset 70003.{UNRECORDED}"
    )


@pytest.mark.parametrize(("old", "new", "offset"), [(b"", b"a", 0), (b"abc", b"ab", 2), (b"abc", b"abd", 2)])
def test_a_file_that_goes_on_differs_where_the_shorter_one_ends(old: bytes, new: bytes, offset: int) -> None:
    assert explain(old, new).offset == offset


def test_wasm_that_does_not_parse_is_compared_as_bytes_and_says_where_it_breaks() -> None:
    whole = module([1])

    explanation = explain(whole, whole[:-1])

    assert explanation.cause is Kind.BYTES
    assert explanation.found.form == "wasm that does not parse"
    assert explanation.notes[0] == "the found wasm does not parse: 6 bytes are announced and 5 are left at offset 29"
    assert explain(whole[:-1], whole).notes[0].startswith("the expected wasm does not parse: ")


def test_the_same_bytes_are_told_to_be_the_same() -> None:
    explanation = explain(module(), module(), expected_inputs=recorded(), found_inputs=recorded())

    assert explanation.cause is Kind.NOTHING
    assert explanation.text == (
        f"The bytes are the same. Both have {len(module())} bytes. All recorded inputs are the same."
    )


def test_without_the_expected_bytes_the_recorded_inputs_explain_and_the_artifact_is_described() -> None:
    explanation = explain(
        None,
        module([1], custom("producers", b"rustc")),
        expected_inputs=recorded(),
        found_inputs=recorded(commit="b" * 40, version="1.64.0"),
    )

    assert explanation.cause is Kind.UNKNOWN
    assert explanation.text == (
        "The expected bytes are not at hand to compare with. Found is a wasm module of 52 bytes "
        "(custom 'producers' 17, export 9, code 8, type 6, function 4). "
        f"Recorded inputs that differ: commit: differs: expected {'a' * 40}, found {'b' * 40}; "
        "toolchain.rustc.version: differs: expected 1.63.0, found 1.64.0."
    )


def test_a_file_of_another_format_is_described_as_one() -> None:
    assert explain(None, b"\x7fELF").text == (
        f"The expected bytes are not at hand to compare with. Found is a file that is not wasm of 4 bytes.{UNRECORDED}"
    )


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (recorded(), f"Found was built by cargo from {'a' * 40} with rustc 1.63.0."),
        (
            RecordedInputs(commit="", driver="make", commands=(), toolchain=()),
            "Found was built by make from no commit with no recorded program.",
        ),
    ],
)
def test_where_only_one_build_is_recorded_the_text_says_what_is_known_of_it(
    inputs: RecordedInputs, sentence: str
) -> None:
    explanation = explain(None, b"", found_inputs=inputs)

    assert explanation.inputs is None
    assert explanation.text.endswith(f" What the expected artifact was built from is not recorded. {sentence}")


def test_every_input_that_differs_is_in_the_document_and_the_first_twenty_in_the_text() -> None:
    found = recorded(environment=tuple((f"V{number:02}", "1") for number in range(23)))

    explanation = explain(b"a", b"b", expected_inputs=recorded(environment=()), found_inputs=found)

    assert explanation.inputs is not None
    assert explanation.inputs[0] == Problem("environment.V00", "differs", expected="nothing", found="1")
    assert explanation.text.endswith("environment.V19: differs: expected nothing, found 1; and 3 more.")
    listed = explanation.document()["inputs"]
    assert isinstance(listed, list)
    assert len(listed) == 23
    assert listed[0] == {"name": "environment.V00", "expected": "nothing", "found": "1"}


def test_a_hundred_differences_are_listed_and_the_others_counted() -> None:
    many = [custom(f"c{number}") for number in range(130)]

    explanation = explain(module([1]), module([2], *many))

    listed = "; ".join(f"'c{number}' added" for number in range(20))
    assert len(explanation.differences) == 100
    assert explanation.omitted == 31
    assert explanation.text.startswith(
        "Different code: 1 of 1 functions differs. "
        f"Different custom sections: {listed}; and 79 more. "
        "31 more differences are not listed. Expected "
    )


def test_at_most_thirty_two_contents_are_listed_and_the_others_summed() -> None:
    contents = explain(None, CORE + b"".join(custom(f"c{number:02}") for number in range(40))).found.contents

    assert len(contents) == 33
    assert contents[-1] == ("others", 8 * len(custom("c00")))


def test_the_document_is_json_and_says_all_that_the_text_says() -> None:
    explanation = explain(module([1]), module([1], custom("a")), expected_inputs=recorded(), found_inputs=recorded())

    document = json.loads(json.dumps(explanation.document()))

    assert document == {
        "cause": "custom sections",
        "text": explanation.text,
        "expected_size": 35,
        "found_size": 39,
        "offset": 35,
        "found_form": "a wasm module",
        "found_contents": {"export": 9, "code": 8, "type": 6, "custom 'a'": 4, "function": 4},
        "interface_changed": False,
        "differences": [{"kind": "custom sections", "place": "", "text": "'a' added"}],
        "omitted": 0,
        "inputs": [],
        "notes": [],
    }


def test_views_of_bytes_are_as_good_as_bytes_and_are_not_kept() -> None:
    owner = bytearray(module([1]))

    explanation = explain(memoryview(bytearray(module([2]))), memoryview(owner))

    owner.append(0)  # a bytearray that a view still shows cannot grow
    assert isinstance(explanation, Explanation)
    assert explanation.cause is Kind.CODE
