"""``--require-signature`` and ``trust.keys``, for install, resolve and boot."""

from pathlib import Path

import pytest

from bitproof.trust.keyfiles import load_public

from .conftest import Run, temporaries, tree, write_layout


@pytest.fixture
def keys(project: Path, run: Run) -> tuple[str, str]:
    """Two public keys, of which ``a.key`` and ``b.key`` are the secret halves."""
    for name in ("a", "b"):
        assert run("trust", "keygen", "-W", "-s", f"{name}.key").code == 0
    return load_public("a.pub", project).text(), load_public("b.pub", project).text()


@pytest.fixture
def signed(layout: Path, run: Run, keys: tuple[str, str]) -> Path:
    """The layout, signed by the first key."""
    assert all(keys)
    assert run("trust", "sign", "-s", "a.key").code == 0
    return layout


@pytest.mark.parametrize("named", ["key", "file"])
def test_install_and_resolve_take_what_the_key_signed(
    signed: Path, run: Run, keys: tuple[str, str], named: str
) -> None:
    right, wrong = keys if named == "key" else ("a.pub", "b.pub")
    refused = run("assets", "install", "--require-signature", wrong)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("error: the signature is by a key that is not trusted here\n")
    assert list((Path.home() / ".bitproof").glob("assets")) == []
    assert run("assets", "install", "--require-signature", right).code == 0
    assert run("assets", "resolve", "--require-signature", right).code == 0
    assert run("assets", "resolve", "--require-signature", wrong, "--require-signature", right).code == 0
    assert run("assets", "resolve", "--require-signature", right, "--assets", signed).code == 0
    for words in (("assets", "resolve"), ("vm", "boot"), ("vm", "doctor")):
        for where in ((), ("--assets", signed)):
            done = run(*words, "--require-signature", wrong, *where)
            assert (done.code, done.out) == (1, "")
            assert done.err.startswith("error: the signature is by a key that is not trusted here\n")


def test_trust_keys_of_the_settings_are_required_wherever_a_manifest_is_believed(
    signed: Path, run: Run, keys: tuple[str, str], project: Path
) -> None:
    (project / "bitproof.toml").write_text(f'[trust]\nkeys = ["b.pub", "{keys[0]}"]\n')
    assert run("-C", signed, "trust", "verify", "manifest.json").code == 0
    assert run("-C", signed, "assets", "install", "--assets", signed).code == 0
    (project / "bitproof.toml").write_text('[trust]\nkeys = ["b.pub"]\n')
    for words in (("assets", "install"), ("assets", "resolve"), ("vm", "boot"), ("trust", "verify")):
        assert run(*words).code == 1
    assert run("assets", "resolve", "--require-signature", project / "a.pub").code == 0, (
        "the command line beats the file"
    )


def test_settings_whose_keys_are_no_strings_are_refused(project: Path, run: Run) -> None:
    (project / "bitproof.toml").write_text("[trust]\nkeys = [5]\n")
    done = run("assets", "resolve")
    assert done.code == 2
    assert "  - trust.keys[0]: the wrong type: expected a string, found an integer\n" in done.err


def test_after_a_signed_manifest_an_unsigned_one_is_refused(signed: Path, run: Run) -> None:
    assert run("assets", "install", "--require-signature", "a.pub").code == 0
    store = Path.home() / ".bitproof/assets"
    write_layout(signed, initrd=b"another initrd")
    assert run("assets", "manifest").code == 0
    before = tree(store)
    stale = run("assets", "install")
    assert (stale.code, stale.err.splitlines()[0]) == (1, "error: the signature does not verify")
    (signed / "manifest.json.minisig").unlink()
    refused = run("assets", "install")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("error: an unsigned manifest would take the place of a signed one\n")
    assert (tree(store), temporaries(store)) == (before, [])
    assert run("assets", "resolve").code == run("assets", "verify").code == 0
    assert run("assets", "check", store / "manifest.json").code == 0, "nothing in the store is a stray"
    assert run("assets", "cleanup").code == 0
    assert tree(store) == before
    assert run("trust", "sign", "-s", "a.key").code == run("assets", "install").code == 0


def test_a_key_that_cannot_be_read_or_is_none_is_told(layout: Path, run: Run) -> None:
    assert run("assets", "install", "--assets", layout, "--require-signature", "no.pub").code == 3
    (layout / "bad.pub").write_text("x\n")
    assert run("assets", "install", "--assets", layout, "--require-signature", layout / "bad.pub").code == 2
