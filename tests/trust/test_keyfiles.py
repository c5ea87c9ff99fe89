"""Key files: who may read them, and that no key is ever replaced."""

import os
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.trust.keyfiles import (
    KeyPair,
    check_new,
    load_public,
    load_publics,
    load_sealed,
    load_sealed_from,
    make_key,
)
from tests.evidence import names_in, refusal, tree

from .keys import ALICE, CHEAP


@pytest.fixture
def pair(tmp_path: Path) -> KeyPair:
    return KeyPair(tmp_path / "keys/own.key", tmp_path / "keys/own.pub")


@pytest.mark.parametrize("password", [None, b"a password"])
def test_a_new_key_is_two_files_and_the_secret_one_is_its_owners(pair: KeyPair, password: bytes | None) -> None:
    old = os.umask(0)
    try:
        public = make_key(pair, password, CHEAP)
    finally:
        os.umask(old)
    assert (pair.secret.stat().st_mode & 0o777, pair.public.stat().st_mode & 0o777) == (0o600, 0o644)
    assert load_public(str(pair.public), Path()) == load_public(public.text(), Path()) == public
    sealed = load_sealed(pair.secret)
    assert sealed.opened(password or b"", "k").public == public
    assert (sealed.cost is None) == (password is None)
    assert names_in(pair.secret.parent) == ["own.key", "own.pub"]


def test_two_new_keys_differ(pair: KeyPair, tmp_path: Path) -> None:
    first = make_key(pair, None)
    second = make_key(KeyPair(tmp_path / "b.key", tmp_path / "b.pub"), None)
    assert first.key_id != second.key_id
    assert first.point != second.point


@pytest.mark.parametrize("name", ["own.key", "own.pub"])
@pytest.mark.parametrize("planted", ["file", "symlink"])
def test_a_key_is_never_replaced(pair: KeyPair, tmp_path: Path, name: str, planted: str) -> None:
    path = pair.secret.with_name(name)
    path.parent.mkdir()
    path.write_bytes(b"mine") if planted == "file" else path.symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path)
    for call in (lambda: check_new(pair), lambda: make_key(pair, None)):
        assert refusal(InputError, call) == (
            f"the key is there already\n  where:    {path}\n  fix:      choose another name; a key is never replaced"
        )
    assert tree(tmp_path) == before
    assert not (tmp_path / "elsewhere").exists()


def test_the_two_halves_cannot_be_one_file(tmp_path: Path) -> None:
    path = tmp_path / "k"
    assert refusal(InputError, lambda: make_key(KeyPair(path, path), None)) == (
        f"the two halves of a key cannot be one file\n  where:    {path}"
    )


def test_a_bad_password_makes_no_key(pair: KeyPair) -> None:
    assert refusal(InputError, lambda: make_key(pair, b"", CHEAP)).startswith("not a usable password\n")
    assert not pair.secret.parent.exists()


def test_a_secret_key_that_cannot_be_written_leaves_no_public_one(pair: KeyPair, tmp_path: Path) -> None:
    pair = KeyPair(tmp_path / "file/own.key", pair.public)
    (tmp_path / "file").write_bytes(b"")
    said = refusal(UnavailableError, lambda: make_key(pair, None))
    assert said.startswith("the directory of the secret key cannot be opened\n")
    assert names_in(pair.public.parent) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_a_secret_key_that_others_may_touch_is_refused(pair: KeyPair, mode: int) -> None:
    make_key(pair, None)
    pair.secret.chmod(mode)
    assert refusal(InputError, lambda: load_sealed(pair.secret)) == (
        "the secret key can be read or written by others\n"
        f"  where:    {pair.secret}\n"
        "  expected: mode 0600\n"
        f"  found:    mode {mode:04o}\n"
        f"  fix:      chmod 600 {pair.secret}; if others have been there, make a new key"
    )


def test_a_secret_key_behind_a_symlink_is_refused(pair: KeyPair, tmp_path: Path) -> None:
    make_key(pair, None)
    link = tmp_path / "link.key"
    link.symlink_to(pair.secret)
    assert refusal(InputError, lambda: load_sealed(link)) == (
        f"the secret key is a symlink\n  where:    {link}\n  expected: a regular file"
    )


def test_a_secret_key_comes_from_a_descriptor_too(pair: KeyPair) -> None:
    public = make_key(pair, None)
    reader, writer = os.pipe()
    try:
        os.write(writer, pair.secret.read_bytes())
        os.close(writer)
        assert load_sealed_from(reader).opened(b"", "k").public == public
    finally:
        os.close(reader)
    assert refusal(UnavailableError, lambda: load_sealed_from(reader)) == (
        f"the secret key cannot be read\n  where:    descriptor {reader}\n  found:    Bad file descriptor"
    )


def test_public_keys_are_named_by_text_or_by_file_and_each_counts_once(tmp_path: Path) -> None:
    (tmp_path / "alice.pub").write_bytes(ALICE.public.to_bytes())
    assert load_publics(["alice.pub", ALICE.public.text()], tmp_path) == (ALICE.public,)
    assert refusal(UnavailableError, lambda: load_public("bob.pub", tmp_path)) == (
        f"the public key cannot be opened\n  where:    {tmp_path}/bob.pub\n"
        "  found:    No such file or directory\n  fix:      check the path"
    )
