import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, InputError
from bitproof.model.caps_edits import Repin, repinned
from bitproof.model.caps_manifest import parse_caps_manifest
from bitproof.model.digest import Digest
from tests.model.pins import AEAD, PRODUCT, SHA, SHA256, ZEROS, block, manifest

NEW_SHA, NEW = "c" * 40, Digest("sha256", "d" * 64)
NOTHING = Repin(shas={}, digests={})
ALL = Repin(shas={"aead": NEW_SHA}, digests={"aead": NEW}, product=NEW)


def refused(data: bytes, repin: Repin = ALL) -> str:
    with pytest.raises(InputError) as error:
        repinned(data, repin)
    return str(error.value)


def test_the_three_pins_change_and_nothing_else_does() -> None:
    data = manifest(block())

    edited = repinned(data, ALL).decode()

    assert edited == data.decode().replace(SHA, NEW_SHA).replace(SHA256, NEW.value).replace(PRODUCT, NEW.value)


def test_nothing_to_pin_is_the_same_bytes() -> None:
    data = manifest(block(), block(id="b", local_dir="b"))

    assert repinned(data, NOTHING) == data


def test_only_the_caps_that_are_named_change() -> None:
    one, two = block(), block(id="b", local_dir="b")

    edited = repinned(manifest(one, two), Repin(shas={"b": NEW_SHA}, digests={"b": NEW}))

    assert edited == manifest(one, two.replace(SHA, NEW_SHA).replace(SHA256, NEW.value))


def test_a_table_between_two_caps_stays_where_it_is() -> None:
    data = manifest(block(), "[other]\nx = 1\n", block(id="b", local_dir="b"))

    assert repinned(data, ALL) == data.replace(SHA.encode(), NEW_SHA.encode(), 1).replace(
        SHA256.encode(), NEW.value.encode(), 1
    ).replace(PRODUCT.encode(), NEW.value.encode())


def test_pins_in_comments_and_in_other_strings_stay() -> None:
    old = f'# sha = "{SHA}"\nnote = """\nsha = "{SHA}"\n"""\nraw = \'\'\'sha256 = "{SHA256}\'\'\'\n'
    cap = block().replace("[[cap]]\n", f"[[cap]] # '\n{old}")

    edited = repinned(manifest(cap), ALL).decode()

    assert old in edited
    assert f'\nsha = "{NEW_SHA}"\n' in edited.replace(old, "")


def test_literal_strings_quoted_keys_and_inline_tables_keep_their_form() -> None:
    keys = ", ".join(f"'{key}' = '{value}'" for key, value in AEAD.items())
    data = f'pylon_sha256\t=\t"{PRODUCT}"\r\ncap = [\r\n  {{{keys}}}, # one\r\n]\r\n'.encode()

    edited = repinned(data, ALL).decode()

    assert edited == data.decode().replace(SHA, NEW_SHA).replace(SHA256, NEW.value).replace(PRODUCT, NEW.value)


def test_the_tag_of_a_digest_stays() -> None:
    data = manifest(block(sha256=f"sha256:{SHA256}"))

    assert f'sha256 = "sha256:{NEW.value}"'.encode() in repinned(data, ALL)


def test_a_placeholder_of_40_zeros_takes_a_commit_of_64_digits() -> None:
    data = manifest(block(sha="0" * 40, sha256=ZEROS), block(id="b", sha="0" * 40, sha256=ZEROS))

    edited = repinned(data, Repin(shas={"b": "e" * 64}, digests={"b": NEW}))

    one, two = parse_caps_manifest(edited).caps
    assert (one.sha, two.sha, two.digest) == ("0" * 40, "e" * 64, NEW)


@pytest.mark.parametrize(
    "written", [f'"""{SHA}"""', f"'''{SHA}'''", '"\\u0035' + SHA[1:] + '"'], ids=["basic", "literal", "escaped"]
)
def test_a_pin_that_is_no_plain_string_is_left_to_its_author(written: str) -> None:
    assert refused(manifest(block().replace(f'"{SHA}"', written))) == (
        "the pins cannot be replaced in place\n"
        "  where:    caps-manifest.toml\n"
        "  expected: each pin as one plain string, and no other key of that name with the same value"
    )


def test_a_manifest_where_the_pin_cannot_be_told_from_another_value_is_left_to_its_author() -> None:
    data = manifest(f'[other]\nsha = "{SHA}"\n', block())

    assert refused(data).startswith("the pins cannot be replaced in place\n")


def test_a_manifest_that_is_not_usable_is_refused_with_its_problems() -> None:
    assert refused(manifest(block(sha="x"))).startswith("the caps manifest is not usable\n")


SPACE = st.text(" \t", max_size=3)
COMMENT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(lambda text: f"#{text}")
LINES = st.lists(st.one_of(st.just(""), COMMENT, SPACE), max_size=3)
QUOTE = st.sampled_from("\"'")
DIGITS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def written(draw: st.DrawFn, key: str, value: str) -> str:
    quote = draw(QUOTE)
    name = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
    trail = draw(st.one_of(st.just(""), COMMENT.map(lambda text: " " + text)))
    return f"{draw(SPACE)}{name}{draw(SPACE)}={draw(SPACE)}{quote}{value}{quote}{draw(SPACE)}{trail}"


@st.composite
def written_cap(draw: st.DrawFn, number: int) -> list[str]:
    fields = {
        "id": f"cap-{number}",
        "repo": f"https://example.org/{number}",
        "sha": draw(st.one_of(st.just("0" * 40), DIGITS.map(lambda text: text[:40]), DIGITS)),
        "target": "",
        "artifact": "a.wasm",
        "sha256": draw(st.one_of(st.just(ZEROS), DIGITS)),
        "unknown": draw(st.sampled_from(["kept", "[[cap]]", "#"])),
    }
    lines = []
    for key in draw(st.permutations(list(fields))):
        lines += [*draw(LINES), draw(written(key, fields[key]))]
    return [f"{draw(SPACE)}[[{draw(SPACE)}cap{draw(SPACE)}]]{draw(SPACE)}", *lines]


@st.composite
def written_manifest(draw: st.DrawFn) -> bytes:
    lines = [*draw(LINES), draw(written("pylon_sha256", draw(DIGITS)))]
    for number in range(draw(st.integers(0, 3))):
        lines += [*draw(LINES), *draw(written_cap(number))]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return (end.join([*lines, ""])).encode()


@given(written_manifest(), st.data())
def test_whatever_its_form_a_diff_holds_only_digits(data: bytes, more: st.DataObject) -> None:
    before = parse_caps_manifest(data)
    chosen = more.draw(st.sets(st.sampled_from([cap.id for cap in before.caps]))) if before.caps else set()
    shas = {cap.id: more.draw(DIGITS)[: len(cap.sha)] for cap in before.caps if cap.id in chosen}
    digests = {name: Digest("sha256", more.draw(DIGITS)) for name in chosen}
    product = more.draw(st.one_of(st.none(), DIGITS.map(lambda text: Digest("sha256", text))))

    edited = repinned(data, Repin(shas=shas, digests=digests, product=product))

    assert len(edited) == len(data)
    digit = re.compile("[0-9a-f]")
    changed = [(a, b) for a, b in zip(data.decode(), edited.decode(), strict=True) if a != b]
    assert all(digit.fullmatch(a) and digit.fullmatch(b) for a, b in changed)
    after = parse_caps_manifest(edited)
    assert after.digest == (product or before.digest)
    for old, new in zip(before.caps, after.caps, strict=True):
        assert new.sha == shas.get(old.id, old.sha)
        assert new.digest == digests.get(old.id, old.digest)
    kept = [cap["unknown"] for cap in tomllib.loads(edited.decode()).get("cap", [])]
    assert kept == [cap["unknown"] for cap in tomllib.loads(data.decode()).get("cap", [])]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    with pytest.raises(BitproofError):
        repinned(data, ALL)
