"""Debian's minisign is the witness: what it signs we verify, what we sign it verifies, both ways round for keys."""

import subprocess
from pathlib import Path

import pytest

from bitproof.errors import InputError, IntegrityError
from bitproof.signed.files import sign_file, verify_file
from bitproof.system.process import find_program
from bitproof.trust.keyfiles import KeyPair, load_public, load_sealed, make_key
from bitproof.trust.minisign import PublicKey, Signature
from bitproof.trust.secret_key import SENSITIVE
from tests.evidence import refusal
from tests.model.samples import FIRST, SEED

from .keys import CHEAP

MINISIGN = find_program("minisign", "minisign")
TIME = 1776211200


def minisign(directory: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run it in a directory; it reads passwords from standard input when that is no terminal."""
    return subprocess.run(
        [MINISIGN, *words],
        cwd=directory,
        input=f"{typed}\n" * 2,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"HOME": str(directory)},
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_bytes(SEED.read_bytes())
    return path


@pytest.fixture
def ours(tmp_path: Path) -> KeyPair:
    pair = KeyPair(tmp_path / "ours.key", tmp_path / "ours.pub")
    make_key(pair, None)
    return pair


@pytest.fixture
def theirs(tmp_path: Path) -> KeyPair:
    done = minisign(tmp_path, "-G", "-W", "-p", "theirs.pub", "-s", "theirs.key")
    assert done.returncode == 0, done.stderr
    return KeyPair(tmp_path / "theirs.key", tmp_path / "theirs.pub")


def sign(path: Path, pair: KeyPair) -> Signature:
    key = load_sealed(pair.secret).opened(b"", "k")
    return sign_file(path, path.with_name(f"{path.name}.minisig"), key, TIME)


def verify(path: Path, *keys: PublicKey) -> tuple[PublicKey, Signature]:
    return verify_file(path, path.with_name(f"{path.name}.minisig"), keys)


def public(pair: KeyPair) -> PublicKey:
    return load_public(str(pair.public), Path())


def test_a_manifest_signed_here_verifies_with_minisign(manifest: Path, ours: KeyPair) -> None:
    comment = f"timestamp:{TIME}\tfile:manifest.json\thashed\tassets:{FIRST}"
    assert sign(manifest, ours).trusted_comment == comment
    for named in (["-p", "ours.pub"], ["-P", public(ours).text()]):
        done = minisign(manifest.parent, "-V", "-H", "-m", "manifest.json", *named)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"Signature and comment signature verified\nTrusted comment: {comment}\n"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert minisign(manifest.parent, "-V", "-m", "manifest.json", "-p", "ours.pub").returncode == 1


def test_a_manifest_signed_by_minisign_verifies_here(manifest: Path, theirs: KeyPair) -> None:
    assert minisign(manifest.parent, "-S", "-s", "theirs.key", "-m", "manifest.json").returncode == 0
    key, made = verify(manifest, public(theirs))
    assert key == public(theirs)
    assert made.trusted_comment.endswith("\tfile:manifest.json\thashed")
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(IntegrityError):
        verify(manifest, public(theirs))


def test_a_comment_of_ones_own_is_read_too(manifest: Path, theirs: KeyPair) -> None:
    words = ("-S", "-s", "theirs.key", "-m", "manifest.json", "-t", "für alle", "-c", "nobody signs this")
    assert minisign(manifest.parent, *words).returncode == 0
    _, made = verify(manifest, public(theirs))
    assert (made.trusted_comment, made.untrusted_comment) == ("für alle", "nobody signs this")


def test_a_legacy_signature_of_minisign_is_refused(manifest: Path, theirs: KeyPair) -> None:
    assert minisign(manifest.parent, "-S", "-l", "-s", "theirs.key", "-m", "manifest.json").returncode == 0
    said = refusal(InputError, lambda: verify(manifest, public(theirs)))
    assert said.startswith("the signature is a legacy one, which is not accepted\n")
    assert minisign(manifest.parent, "-V", "-H", "-m", "manifest.json", "-p", "theirs.pub").returncode == 1


def test_minisign_signs_with_a_key_made_here(manifest: Path, ours: KeyPair, tmp_path: Path) -> None:
    locked = KeyPair(tmp_path / "locked.key", tmp_path / "locked.pub")
    make_key(locked, b"a password", CHEAP)
    for pair, password in ((ours, ""), (locked, "a password")):
        done = minisign(tmp_path, "-S", "-s", pair.secret.name, "-m", "manifest.json", typed=password)
        assert done.returncode == 0, done.stderr
        assert verify(manifest, public(pair))[0] == public(pair)
    assert minisign(tmp_path, "-S", "-s", "locked.key", "-m", "manifest.json", typed="another").returncode != 0


def test_a_key_of_minisigns_signs_here(manifest: Path, theirs: KeyPair) -> None:
    sign(manifest, theirs)
    assert minisign(manifest.parent, "-V", "-m", "manifest.json", "-p", "theirs.pub").returncode == 0


def test_public_key_and_signature_are_minisigns_bytes(manifest: Path, theirs: KeyPair) -> None:
    assert public(theirs).to_bytes() == theirs.public.read_bytes()
    assert minisign(manifest.parent, "-S", "-s", "theirs.key", "-m", "manifest.json").returncode == 0
    written = manifest.with_name("manifest.json.minisig").read_bytes()
    assert Signature.parse(written, "s").to_bytes() == written


@pytest.mark.slow
def test_an_encrypted_key_of_minisigns_own_cost_opens_on_both_sides(manifest: Path, tmp_path: Path) -> None:
    """1 GiB and some seconds, three times."""
    ours, theirs = (KeyPair(tmp_path / f"{name}.key", tmp_path / f"{name}.pub") for name in ("ours", "theirs"))
    assert minisign(tmp_path, "-G", "-p", "theirs.pub", "-s", "theirs.key", typed="pässwörd").returncode == 0
    sealed = load_sealed(theirs.secret)
    assert sealed.cost == SENSITIVE
    assert sealed.opened("pässwörd".encode(), "k").public == public(theirs)
    make_key(ours, b"a password")
    assert minisign(tmp_path, "-S", "-s", "ours.key", "-m", "manifest.json", typed="a password").returncode == 0
    assert verify(manifest, public(ours))[0] == public(ours)
