"""Encrypted keys of a channel: passwords from a descriptor and from the terminal, wrong ones and missing ones."""

from pathlib import Path

import pytest

from bitproof.trust.keyfiles import load_sealed
from bitproof.trust.secret_key import SecretKey
from tests.trust.keys import CHEAP

from .channels import make_keys, said
from .conftest import Outcome, Run, descriptor, tree, typed

PASSWORD = b"a p\xc3\xa4ssw\xc3\xb6rd"
OTHERS = b"ben's own"
ONLINE = ("--targets-key", "targets.key", "--snapshot-key", "snapshot.key", "--timestamp-key", "timestamp.key")
INIT = ("channel", "init", "--place", "site", "--root-key", "root.key", *ONLINE)


@pytest.fixture
def keys(layout: Path) -> Path:
    """Root and targets key with one password, the others without; the working directory."""
    make_keys("root", "targets", password=PASSWORD, cost=CHEAP)
    make_keys("snapshot", "timestamp")
    return layout.parent


def with_password(run: Run, password: bytes, *words: str) -> Outcome:
    """Run a command whose password comes from a descriptor: a pipe, which can be read once."""
    with descriptor(password) as number:
        return run(*words, "--password-fd", number)


def assert_no_secret(done: Outcome | str, *names: str) -> None:
    """Neither password nor key stands in what a command printed, in any form that a program might print."""
    told = done if isinstance(done, str) else done.out + done.err
    opened = [load_sealed(Path(f"{name}.key")).opened(password_of(name), name) for name in names]
    secrets = [PASSWORD.decode(), OTHERS.decode(), *(form for key in opened for form in forms(key))]
    assert [secret for secret in secrets if secret in told] == []


def password_of(name: str) -> bytes:
    return OTHERS if name == "ben" else PASSWORD


def forms(key: SecretKey) -> list[str]:
    return [key.seed.hex(), repr(key.seed)[2:-1]]


def test_one_read_of_a_descriptor_opens_every_key_of_a_command(keys: Path, run: Run) -> None:
    done = with_password(run, PASSWORD + b"\n", *INIT)
    assert (done.code, done.err) == (0, "")
    assert_no_secret(done, "root", "targets")
    published = with_password(run, PASSWORD, "channel", "publish", "--place", "site", *ONLINE)
    assert published.code == 0
    make_keys("new", password=PASSWORD, cost=CHEAP)
    rotation = ("channel", "rotate", "targets", "--place", "site", "--root-key", "root.key", *ONLINE)
    done = with_password(run, PASSWORD, *rotation, "--new", "new.key")
    assert (done.code, done.out) == (0, "site channel stable: root 2, new keys for the targets role\n")
    assert_no_secret(done, "root", "targets", "new")
    assert (keys / "site/stable/metadata/2.root.json").exists()


@pytest.mark.parametrize("password", [b"another", b"", b"x" * 5000])
def test_a_wrong_password_is_told_and_nothing_begins(keys: Path, run: Run, password: bytes) -> None:
    before = tree(keys)
    done = with_password(run, password, *INIT)
    assert (done.code, done.out, tree(keys)) == (2, "", before)
    assert done.err == said("the password is wrong, or the secret key is damaged", where="root.key")
    assert_no_secret(done, "root", "targets")


def test_a_wrong_password_publishes_nothing(keys: Path, run: Run) -> None:
    assert with_password(run, PASSWORD, *INIT).code == 0
    before = tree(keys)
    for words in (("publish",), ("renew", "--role", "targets"), ("deprecate", "2026.0415.1")):
        done = with_password(run, b"another", "channel", *words, "--place", "site", *ONLINE)
        assert (done.code, done.out, tree(keys)) == (2, "", before)
        assert done.err == said("the password is wrong, or the secret key is damaged", where="targets.key")


def test_a_timer_needs_no_password(keys: Path, run: Run) -> None:
    """`channel renew` signs the timestamp alone: the encrypted key of the targets is not even opened."""
    assert with_password(run, PASSWORD, *INIT).code == 0
    done = run("channel", "renew", "--place", "site", *ONLINE)
    assert (done.code, done.out) == (0, "site channel stable: signed timestamp, version 2\n")
    assert (keys / "site").is_dir()


def test_without_a_terminal_a_password_needs_a_descriptor(keys: Path, run: Run) -> None:
    before = tree(keys)
    done = run(*INIT)
    assert (done.code, done.out, tree(keys)) == (3, "", before)
    assert done.err == said(
        "there is no terminal to ask for the password", fix="give an open descriptor: --password-fd 3 3<FILE"
    )


def test_a_descriptor_that_is_not_open_is_told(keys: Path, run: Run) -> None:
    before = tree(keys)
    done = run(*INIT, "--password-fd", "77")
    assert (done.code, done.out, tree(keys)) == (3, "", before)
    assert done.err == said("the password cannot be read", where="descriptor 77", found="Bad file descriptor")


def test_the_terminal_is_asked_once_for_keys_of_one_password(keys: Path) -> None:
    code, shown = typed([*INIT], PASSWORD.decode())
    assert (code, shown.count("Password")) == (0, 1), shown
    assert shown.startswith("Password of root.key: ")
    assert_no_secret(shown, "root", "targets")
    assert (keys / "root.json").exists()


def test_owners_with_a_password_each_type_one_after_the_other(keys: Path) -> None:
    make_keys("ben", password=OTHERS, cost=CHEAP)
    code, shown = typed([*INIT, "--root-key", "ben.key", "--threshold", "2"], PASSWORD.decode(), OTHERS.decode())
    assert code == 0, shown
    assert [line for line in shown.splitlines() if line.startswith("Password")] == [
        "Password of root.key: ",
        "Password of ben.key: ",
    ]
    assert_no_secret(shown, "root", "targets", "ben")
    assert (keys / "root.json").exists()


def test_a_password_that_is_mistyped_is_told(keys: Path) -> None:
    before = tree(keys)
    code, shown = typed([*INIT, "--color", "never"], "mistyped")
    assert (code, tree(keys)) == (2, before)
    assert shown.replace("\r\n", "\n").endswith(
        said("the password is wrong, or the secret key is damaged", where="root.key")
    )
    assert_no_secret(shown, "root", "targets")


def test_new_keys_whose_passwords_differ_are_not_made(layout: Path) -> None:
    before = tree(layout.parent)
    words = ["channel", "init", "--place", "site", "--keys", "keys", "--make-keys", "--color", "never"]
    code, shown = typed(words, "one", "another")
    assert (code, shown.count("Password"), tree(layout.parent)) == (2, 2, before)
    assert shown.replace("\r\n", "\n").endswith(said("the passwords differ"))


def test_a_public_key_is_no_secret_key_and_a_secret_one_no_public(keys: Path, run: Run) -> None:
    make_keys("ben")
    before = tree(keys)
    done = run("channel", "init", "--place", "site", "--root-key", "ben.pub", *ONLINE)
    assert (done.code, tree(keys)) == (2, before)
    assert done.err == said(
        "the secret key can be read or written by others",
        where="ben.pub",
        expected="mode 0600",
        found="mode 0644",
        fix="chmod 600 ben.pub; if others have been there, make a new key",
    )
    done = run(*INIT, "--root-public", "ben.key", "--password-fd", "0")
    assert (done.code, tree(keys)) == (2, before)
    assert done.err == said(
        "not a public key of minisign",
        where="ben.key",
        expected="56 characters of base64 that begin with RW",
        found="212 characters, as many as a secret key has",
        fix="name the key's public half",
    )


@pytest.mark.slow
def test_new_keys_are_encrypted_and_opened_by_the_password_that_was_read_once(layout: Path, run: Run) -> None:
    """1 GiB and some seconds, four times."""
    words = ("channel", "init", "--place", "site", "--keys", "keys", "--make-keys")
    done = with_password(run, PASSWORD, *words)
    assert (done.code, done.err.count("made keys/")) == (0, 4)
    assert (layout.parent / "root.json").exists()
    sealed = {name: load_sealed(Path("keys") / f"{name}.key").cost is not None for name in ("root", "targets")}
    assert sealed == {"root": True, "targets": True}
