import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import shown
from bitproof.model.digest import Digest
from bitproof.model.names import arch_key, check_name, hash_name, is_hash_name, is_signature

RULE = "not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found "
HEX = "2c0bd752db929642" + "0" * 48


@pytest.mark.parametrize("name", ["a", "rootfs.squashfs", "2026.0415.1", "x86_64", "a+b-c", "a..b", "a" * 128])
def test_a_name_of_the_grammar_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 129, "..", ".hidden", "-rf", "a/b", "a\\b", "a\n", "a\x00", "é", "٣", "a b"]
)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(RULE + shown(name))}$"):
        check_name(name)


@pytest.mark.parametrize(
    ("machine", "key"),
    [
        ("aarch64", "arm64"),
        ("arm64", "arm64"),
        ("amd64", "x86_64"),
        ("AMD64", "x86_64"),
        ("x86_64", "x86_64"),
        ("x86-64", "x86_64"),
        ("riscv64", "riscv64"),
        ("S390X", "S390X"),
    ],
)
def test_one_function_maps_every_machine_name(machine: str, key: str) -> None:
    assert arch_key(machine) == key


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("vmlinuz", "vmlinuz-2c0bd752db929642"),
        ("initrd.img", "initrd-2c0bd752db929642.img"),
        ("x.tar.gz", "x-2c0bd752db929642.tar.gz"),
        ("a.", "a-2c0bd752db929642."),
    ],
)
def test_a_hash_name_is_split_at_the_first_dot(name: str, stored: str) -> None:
    assert hash_name(name, Digest("blake3", HEX)) == stored
    assert is_hash_name(stored)


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "my-key.pub",
        "vmlinuz",
        "vmlinuz-2C0BD752DB929642",
        "vmlinuz-2c0bd752db92964",
        "vmlinuz-2c0bd752db9296420",
        "vmlinuz.img-2c0bd752db929642",
        ".vmlinuz-2c0bd752db929642",
        "-2c0bd752db929642",
        "vmlinuz-2c0bd752db929642\n",
        "vmlinuz-2c0bd752db929642-old",
        "vmlinuz-2c0bd752db929642.a/b",
        "vmlinuz-2c0bd752db92964٣",
    ],
)
def test_nothing_else_is_a_hash_name(name: str) -> None:
    assert not is_hash_name(name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", fullmatch=True), st.binary(min_size=32, max_size=32))
def test_every_asset_name_makes_a_hash_name(name: str, digest: bytes) -> None:
    assert is_hash_name(hash_name(name, Digest("blake3", digest.hex())))


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert is_hash_name(text) in {True, False}
    assert isinstance(is_signature(text), bool)
