from bitproof.proof.explain import explain
from bitproof.proof.explanation import Kind
from tests.proof.builders import (
    component,
    component_exports,
    component_imports,
    custom,
    data,
    exports,
    extern,
    module,
    names,
    nested,
    section,
    vector,
)

FIRST, SECOND, THIRD = (nested(module([number], data(bytes([number])))) for number in (1, 2, 3))
STORE = component_exports(extern("pylon:kv/store@0.1.0", b"\x05\0\0"))


def told(expected: bytes, found: bytes) -> str:
    return explain(expected, found).text.partition(" Expected ")[0]


def test_the_same_modules_in_another_order_are_told_as_that() -> None:
    explanation = explain(component(FIRST, SECOND, THIRD), component(THIRD, FIRST, SECOND))

    assert explanation.cause is Kind.ORDER
    assert explanation.text.startswith(
        "The same parts in another order: the same modules in another order (0 was 2, 1 was 0, 2 was 1). Expected "
    )


def test_of_many_modules_in_another_order_five_are_told() -> None:
    modules = [nested(module([number])) for number in range(9)]

    assert told(component(*modules), component(*modules[1:], modules[0])) == (
        "The same parts in another order: the same modules in another order "
        "(0 was 1, 1 was 2, 2 was 3, 3 was 4, 4 was 5, …)."
    )


def test_two_equal_modules_have_no_order_of_their_own() -> None:
    assert told(component(FIRST, FIRST, SECOND), component(THIRD, FIRST, FIRST, SECOND)) == (
        "Different code: module 0 added."
    )


def test_a_function_that_differs_is_told_with_the_module_it_is_in() -> None:
    changed = nested(module([7], data(b"\x02"), names({0: "get"})))

    assert told(component(FIRST, SECOND), component(FIRST, changed)) == (
        "Different code: 1 of 1 functions differs ('get') in module 1. "
        "Different custom sections: 'name' added in module 1."
    )


def test_only_data_of_a_nested_module_differs() -> None:
    assert told(component(FIRST, SECOND), component(FIRST, nested(module([2], data(b"new"))))) == (
        "The same code, different data: data section changed in module 1."
    )


def test_modules_that_came_and_went_do_not_blur_the_others() -> None:
    other = nested(module([9]).replace(exports(run=0), exports(other=0)))
    changed = nested(module([8], data(b"\x02")))

    assert told(component(SECOND, THIRD), component(other, changed, THIRD)) == (
        "Different code: module 0 added; 1 of 1 functions differs in module 1."
    )
    assert told(component(FIRST, SECOND, THIRD), component(FIRST, THIRD)) == "Different code: module 1 removed."


def test_modules_that_share_nothing_are_compared_by_position() -> None:
    old, new = (nested(module([1]).replace(exports(run=0), exports(**{text: 0}))) for text in ("a", "b"))

    assert told(component(FIRST, old), component(FIRST, new)) == (
        "The same code, and an interface change: "
        "export 'a' removed (func () -> ()) in module 1; export 'b' added (func () -> ()) in module 1."
    )


def test_what_is_nested_deeper_is_told_with_the_whole_way_to_it() -> None:
    old, new = (nested(component(FIRST, nested(module([constant])))) for constant in (1, 2))

    assert told(component(old), component(new)) == (
        "Different code: 1 of 1 functions differs in component 0, module 1."
    )


def test_a_component_that_exports_another_version_is_an_interface_change() -> None:
    old = component(FIRST, component_imports(extern("pylon:log/sink@0.1.0", b"\x05\0")), STORE)
    new = component(SECOND, component_exports(extern("pylon:kv/store@0.2.0", b"\x05\0\0")))

    explanation = explain(old, new)

    assert explanation.cause is Kind.CODE
    assert [str(difference) for difference in explanation.interface] == [
        "import 'pylon:log/sink@0.1.0' removed (instance)",
        "export 'pylon:kv/store@0.1.0' removed (instance)",
        "export 'pylon:kv/store@0.2.0' added (instance)",
    ]
    assert explanation.document()["interface_changed"] is True


def test_the_whole_artifacts_interface_is_told_before_its_parts() -> None:
    renamed = nested(module([1], data(b"\x01")).replace(exports(run=0), exports(ran=0)))

    explanation = explain(component(FIRST), component(renamed, STORE))

    assert [difference.place for difference in explanation.interface] == ["", "module 0", "module 0"]


def test_types_that_differ_under_the_same_names_are_no_interface_change_by_name() -> None:
    old, new = (component(section(7, vector([kind])), STORE) for kind in (b"\x79", b"\x77"))

    assert told(old, new) == "The same code, different definitions: type section changed."


def test_a_module_in_the_place_of_a_component_is_told_as_that() -> None:
    assert told(component(), module()) == "Different code: expected a component, found a module."


def test_custom_sections_of_the_component_and_of_its_modules_are_told_apart() -> None:
    old = component(nested(module([1], custom("name"))), custom("component-name"), custom("producers"))
    new = component(nested(module([1])), custom("component-name"))

    assert told(old, new) == (
        "Identical code, different custom sections: 'producers' removed; 'name' removed in module 0."
    )


def test_a_component_is_described_with_what_is_nested_in_it() -> None:
    inner = nested(component(FIRST, custom("name")))

    explanation = explain(None, component(inner, SECOND, custom("name", b"x")))

    assert explanation.found.form == "a wasm component with 2 modules and 1 component"
    assert explanation.found.contents == (
        ("data", 18),
        ("export", 18),
        ("code", 16),
        ("custom 'name'", 15),
        ("type", 12),
        ("function", 8),
    )
