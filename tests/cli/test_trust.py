"""``trust keygen | sign | verify``, and where secrets come from."""

from pathlib import Path

import pytest

from bitproof.trust.keyfiles import KeyPair, load_public, make_key
from tests.trust.keys import CHEAP

from .conftest import EPOCH, VERSION, Run, descriptor, tree, typed

PASSWORD = "a pässwörd"  # noqa: S105 - a test's own


@pytest.fixture
def key(project: Path, run: Run) -> Path:
    """A secret key without a password, where commands look for it; returns its public file."""
    assert project.is_dir()
    assert run("trust", "keygen", "-W").code == 0
    return Path.home() / ".bitproof/keys/release.pub"


@pytest.fixture
def encrypted(project: Path) -> Path:
    """An encrypted secret key that opens in a millisecond."""
    make_key(KeyPair(project / "locked.key", project / "locked.pub"), PASSWORD.encode(), CHEAP)
    return project / "locked.key"


def test_keygen_makes_two_files_and_prints_the_public_key(project: Path, run: Run) -> None:
    done = run("trust", "keygen", "-W")
    keys = Path.home() / ".bitproof/keys"
    public = load_public(str(keys / "release.pub"), project)
    rows = f"public key  {public.text()}\nits file    {keys}/release.pub\nsecret key  {keys}/release.key\n"
    assert (done.code, done.out, done.err) == (0, rows, "")
    assert (keys / "release.key").stat().st_mode & 0o777 == 0o600
    again = run("trust", "keygen")
    assert (again.code, again.out) == (2, "")
    assert again.err.startswith("error: the key is there already\n"), "and no password is asked for"


def test_keygen_where_it_is_told_to_as_json(project: Path, run: Run) -> None:
    done = run("trust", "keygen", "-W", "-s", "a.key", "-p", "b.pub", "--json")
    public = load_public("b.pub", project)
    assert (done.code, done.err) == (0, "")
    assert done.document == {
        "ok": True,
        "key": public.text(),
        "key_id": public.id,
        "public_key": "b.pub",
        "secret_key": "a.key",
        "encrypted": False,
    }


def test_without_a_terminal_a_password_needs_a_descriptor(project: Path, run: Run) -> None:
    done = run("trust", "keygen", "-s", "a.key")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: there is no terminal to ask for the password\n"
        "  fix:      give an open descriptor: --password-fd 3 3<FILE\n"
    )
    assert tree(project) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keygen", "-W", "--password-fd", "0"), "--no-password and --password-fd exclude each other"),
        (("sign", "-s", "x", "--secret-key-fd", "0"), "--secret-key and --secret-key-fd exclude each other"),
        (("sign", "--secret-key-fd", "0", "--password-fd", "0"), "the key and its password need a descriptor each"),
        (("verify", "x"), "no public key to check with"),
    ],
)
def test_what_excludes_each_other_is_refused(project: Path, run: Run, words: tuple[str, ...], said: str) -> None:
    done = run("trust", *words)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {said}")
    assert tree(project) == {}


def test_sign_binds_name_time_and_assets_version_of_the_manifest(layout: Path, run: Run, key: Path) -> None:
    comment = f"timestamp:{EPOCH}\tfile:manifest.json\thashed\tassets:{VERSION}"
    signer = load_public(str(key), layout).id

    done = run("trust", "sign")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"assets/manifest.json.minisig: signed by {signer}\n  {comment}\n"

    checked = run("trust", "verify", "--key", key)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == f"assets/manifest.json: signed by {signer}, 2026-04-15 16:11:19 UTC\n  {comment}\n"
    assert run("trust", "verify", "--key", key, "--json").document == {
        "ok": True,
        "file": "assets/manifest.json",
        "key": load_public(str(key), layout).text(),
        "key_id": signer,
        "trusted_comment": comment,
    }


def test_any_file_can_be_signed_and_a_bad_manifest_cannot(project: Path, run: Run, key: Path) -> None:
    (project / "notes.txt").write_bytes(b"x" * 3_000_000)
    assert run("trust", "sign", "notes.txt", "-x", "n.sig", "--json").document["file"] == "notes.txt"
    assert run("trust", "verify", "notes.txt", "-x", "n.sig", "--key", key).code == 0
    (project / "other.txt").write_bytes((project / "notes.txt").read_bytes())
    assert run("trust", "verify", "other.txt", "-x", "n.sig", "--key", key).err.startswith(
        "error: the signature was made for something else\n"
    )
    (project / "manifest.json").write_bytes(b"{}")
    before = tree(project)
    assert run("trust", "sign", "manifest.json").code == 2
    assert tree(project) == before


def test_verify_tells_what_differs_from_what_cannot_be_checked(project: Path, run: Run, key: Path) -> None:
    (project / "f").write_bytes(b"x")
    assert run("trust", "verify", "f", "--key", key).code == 3, "no signature"
    (project / "f.minisig").write_bytes(b"x")
    assert run("trust", "verify", "f", "--key", key).code == 2, "malformed"
    assert run("trust", "sign", "f").code == 0
    assert run("trust", "verify", "f", "--key", key).code == 0
    assert run("trust", "verify", "f", "--key", "no.pub").code == 3, "no key"
    assert run("trust", "verify", "f", "--key", project / "f").code == 2, "no key file"
    (project / "f").write_bytes(b"y")
    assert run("trust", "verify", "f", "--key", key).code == 1, "other bytes"


def test_key_and_password_come_from_descriptors(project: Path, run: Run, encrypted: Path) -> None:
    (project / "f").write_bytes(b"x")
    with descriptor(encrypted.read_bytes()) as held, descriptor(f"{PASSWORD}\n".encode()) as password:
        assert run("trust", "sign", "f", "--secret-key-fd", held, "--password-fd", password).code == 0
    assert run("trust", "verify", "f", "--key", "locked.pub").code == 0
    with descriptor(b"another") as password:
        done = run("trust", "sign", "f", "-s", encrypted, "--password-fd", password)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: the password is wrong, or the secret key is damaged\n  where:    {encrypted}\n"


def test_a_password_is_asked_for_on_the_terminal_and_not_shown(project: Path, encrypted: Path) -> None:
    (project / "f").write_bytes(b"x")
    code, shown = typed(["trust", "sign", "f", "-s", str(encrypted)], PASSWORD)
    assert (code, PASSWORD in shown) == (0, False), shown
    assert shown.startswith("Password:")
    assert (project / "f.minisig").exists()


def test_a_new_password_is_asked_for_twice(project: Path) -> None:
    code, shown = typed(["trust", "keygen", "-s", "a.key"], "one", "another")
    assert (code, "the passwords differ" in shown) == (2, True), shown
    assert tree(project) == {}


@pytest.mark.slow
def test_keygen_encrypts_by_default(project: Path, run: Run) -> None:
    """1 GiB and some seconds, twice."""
    with descriptor(PASSWORD.encode()) as password:
        assert run("trust", "keygen", "-s", "a.key", "--password-fd", password, "--json").document["encrypted"] is True
    (project / "f").write_bytes(b"x")
    with descriptor(PASSWORD.encode()) as password:
        assert run("trust", "sign", "f", "-s", "a.key", "--password-fd", password).code == 0
    assert run("trust", "verify", "f", "--key", "a.pub").code == 0
