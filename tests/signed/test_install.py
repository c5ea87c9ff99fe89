"""Installing signed manifests: what goes along, what is remembered, and that there is no way back to unsigned ones."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bitproof
from bitproof.errors import BitproofError, InputError, IntegrityError
from bitproof.model.names import SIGNERS
from bitproof.signed.developer import developer_key, sign_as_developer
from bitproof.signed.install import check_layout
from bitproof.signed.manifests import SIGNATURE, bound_name, is_bound
from bitproof.system.process import find_program
from bitproof.trust.secret_key import SecretKey
from bitproof.trust.signers import Signers
from tests.assets.layouts import stored
from tests.conftest import ROOT
from tests.evidence import names_in, refusal, tree
from tests.trust.keys import ALICE, BOB, IMPOSTOR, publics

from .releases import TIME, current, install, released, resolve, sign

STRACE = find_program("strace", "strace")
FIRST, SECOND = "2026.0416.1", "2026.0416.2"
LOCK = ".bitproof.lock"


def state(base: Path) -> dict[str, bytes | None]:
    """A store but for its lock, which every attempt may make."""
    return {name: data for name, data in tree(base).items() if name != LOCK}


def test_a_signed_manifest_brings_its_signature_and_the_store_remembers_the_key(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    manifest, signature = (assets / "manifest.json").read_bytes(), (assets / SIGNATURE).read_bytes()
    assert (base / "manifest.json").read_bytes() == manifest
    assert (base / SIGNATURE).read_bytes() == (base / bound_name(manifest)).read_bytes() == signature
    assert (base / SIGNERS).read_bytes() == Signers(publics(ALICE)).to_bytes()
    names = [bound_name(manifest), LOCK, SIGNERS, "manifest.json", SIGNATURE, *stored("a")]
    assert names_in(base) == sorted(names)
    before = tree(base)
    install(assets, base)
    assert tree(base) == before


def test_without_keys_and_signatures_all_is_as_ever(assets: Path, base: Path) -> None:
    released(assets, None)
    install(assets, base)
    assert names_in(base) == sorted([LOCK, "manifest.json", *stored("a")])


def test_an_unsigned_manifest_never_takes_the_place_of_a_signed_one(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    released(assets, None, "b")
    before = tree(base)
    for call in (lambda: check_layout(assets, base, ()), lambda: install(assets, base)):
        assert refusal(IntegrityError, call) == (
            "an unsigned manifest would take the place of a signed one\n"
            f"  where:    {assets}/manifest.json\n"
            "  expected: a signature by key 0101010101010101\n"
            "  found:    no manifest.json.minisig beside it\n"
            "  fix:      the owner of the key signs it: bitproof trust sign; "
            f"to give signatures up, remove {base}/{SIGNERS}"
        )
    assert {name: data for name, data in tree(base).items() if name not in stored("b")} == before
    assert resolve(base).asset_version == FIRST
    (base / SIGNERS).unlink()
    install(assets, base)
    assert current(base) == SECOND


def test_a_required_signature_that_is_not_there_is_refused_and_makes_no_store(assets: Path, base: Path) -> None:
    released(assets, None)
    assert refusal(IntegrityError, lambda: check_layout(assets, base, publics(ALICE))) == (
        "the manifest is not signed\n"
        f"  where:    {assets}/manifest.json\n"
        "  expected: a signature by key 0101010101010101\n"
        "  found:    no manifest.json.minisig beside it\n"
        "  fix:      the owner of the key signs it: bitproof trust sign; or take it from where it is signed"
    )
    assert not base.exists()


@pytest.mark.parametrize("signer", [BOB, IMPOSTOR])
def test_a_manifest_that_another_key_signed_is_refused(assets: Path, base: Path, signer: SecretKey) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    released(assets, signer, "b")
    before = state(base)
    for keys in ((), (ALICE,)):
        said = refusal(IntegrityError, lambda keys=keys: check_layout(assets, base, publics(*keys)))  # type: ignore[misc]
        assert said.startswith(
            ("the signature is by a key that is not trusted here\n", "the signature does not verify\n")
        )
        with pytest.raises(IntegrityError):
            install(assets, base, *keys)
    assert {name: data for name, data in state(base).items() if name not in stored("b")} == before


def test_a_manifest_that_changed_after_it_was_signed_is_refused(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    signature = (assets / SIGNATURE).read_bytes()
    released(assets, None, "b")
    (assets / SIGNATURE).write_bytes(signature)
    said = refusal(IntegrityError, lambda: install(assets, base, ALICE))
    assert said.startswith(f"the signature does not verify\n  where:    {assets}/manifest.json\n")
    assert "manifest.json" not in names_in(base)


def test_a_key_that_is_named_takes_the_place_of_the_remembered_one(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    released(assets, BOB, "b")
    install(assets, base, ALICE, BOB)
    assert (base / SIGNERS).read_bytes() == Signers(publics(ALICE, BOB)).to_bytes()
    install(assets, base, BOB)
    assert (base / SIGNERS).read_bytes() == Signers(publics(BOB)).to_bytes()
    released(assets, ALICE, "c")
    with pytest.raises(IntegrityError):
        install(assets, base)


def test_a_signature_nobody_can_check_goes_along_and_is_missed_from_then_on(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base)
    assert (base / SIGNERS).read_bytes() == Signers().to_bytes()
    assert resolve(base).asset_version == resolve(base, ALICE).asset_version == FIRST
    with pytest.raises(IntegrityError):
        resolve(base, BOB)
    released(assets, None, "b")
    assert "\n  expected: a signature\n" in refusal(IntegrityError, lambda: install(assets, base))
    released(assets, BOB, "b")
    install(assets, base)
    install(assets, base, BOB)
    assert (base / SIGNERS).read_bytes() == Signers(publics(BOB)).to_bytes()


@pytest.mark.parametrize("keys", [(), (ALICE,)])
def test_a_malformed_signature_is_refused_whoever_asks(assets: Path, base: Path, keys: tuple[SecretKey, ...]) -> None:
    released(assets, ALICE)
    (assets / SIGNATURE).write_bytes(b"not a signature\n")
    said = refusal(InputError, lambda: check_layout(assets, base, publics(*keys)))
    assert said.startswith(f"the signature is not minisign's\n  where:    {assets}/{SIGNATURE}\n")
    (assets / SIGNATURE).unlink()
    (assets / SIGNATURE).symlink_to("nowhere")
    with pytest.raises(InputError):
        install(assets, base, *keys)
    assert "manifest.json" not in names_in(base)


def test_a_list_of_signers_that_was_emptied_is_refused_and_means_nobody(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    (base / SIGNERS).write_bytes(b"")
    for call in (lambda: install(assets, base), lambda: resolve(base)):
        assert refusal(InputError, call).startswith("the store's list of signers is not usable\n")


PROGRAM = """
import sys
from pathlib import Path
from bitproof.signed.install import install
from tests.trust.keys import ALICE, BOB, publics
install(Path(sys.argv[1]), Path(sys.argv[2]), ["x86_64"], publics(BOB))
"""
RENAMES = {None: 7, ALICE: 8, BOB: 6}
"""Three assets, bound signature, wider list, manifest, signature, list; without the lists that would not change."""
STEPS = [(before, "rename,renameat", number) for before, count in RENAMES.items() for number in range(1, count + 1)]
STEPS += [(ALICE, "unlinkat,unlink", 1), (BOB, "unlinkat,unlink", 1)]


@pytest.mark.parametrize(
    ("before", "call", "number"), STEPS, ids=lambda one: one.public.id if isinstance(one, SecretKey) else None
)
def test_killed_at_any_step_the_store_has_a_manifest_with_its_signature(
    assets: Path, base: Path, before: SecretKey | None, call: str, number: int
) -> None:
    if before:
        released(assets, before)
        install(assets, base, before)
    released(assets, BOB, "b")
    inject = f"inject={call}:signal=KILL:when={number}"
    argv = [STRACE, "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    argv += [sys.executable, "-B", "-c", PROGRAM]

    done = subprocess.run([*argv, assets, base], check=False, capture_output=True, cwd=ROOT, timeout=60)

    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
    if (base / "manifest.json").exists():
        version = current(base)
        signers = [ALICE] if before is ALICE and version == FIRST else [BOB]
        assert resolve(base, *signers).asset_version == resolve(base).asset_version == version
    else:
        assert not before
    install(assets, base, BOB)
    assert resolve(base).asset_version == current(base) == (SECOND if before else FIRST)
    assert [name for name in names_in(base) if is_bound(name)] == [bound_name((base / "manifest.json").read_bytes())]


def test_readers_see_a_manifest_with_its_signature_while_writers_switch(assets: Path, base: Path) -> None:
    other = assets.with_name("other")
    released(assets, ALICE)
    released(other, ALICE, "b")
    install(assets, base, ALICE)
    done = threading.Event()
    failures: list[BitproofError] = []
    seen: list[Path] = []

    def read() -> None:
        while not done.is_set():
            try:
                seen.append(resolve(base, ALICE).kernel)
            except BitproofError as error:
                failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(20):
            install(other, base, ALICE)
            install(assets, base, ALICE)
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert len(set(seen)) == len(["a", "b"])


def test_signing_a_store_by_hand_works_too(assets: Path, base: Path) -> None:
    released(assets, None)
    install(assets, base)
    sign(base, ALICE)
    assert resolve(base, ALICE).asset_version == FIRST


def test_a_developers_signature_is_no_releases_and_binds_no_store(assets: Path, base: Path, tmp_path: Path) -> None:
    released(assets, None)
    developers = developer_key(tmp_path)
    sign_as_developer(assets / "manifest.json", tmp_path, TIME, changed=True)
    install(assets, base)
    assert names_in(base) == sorted([LOCK, "manifest.json", *stored("a")])
    install(assets, base, developers)
    assert resolve(base).asset_version == resolve(base, developers).asset_version == FIRST


def test_the_librarys_install_refuses_the_same(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    released(assets, None, "b")
    with pytest.raises(IntegrityError):
        bitproof.install(assets, base, ["x86_64"])
    assert current(base) == FIRST
