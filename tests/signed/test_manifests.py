"""Reading a manifest only if it is signed."""

import os
from pathlib import Path

import pytest

from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.signed.manifests import SIGNATURE, load_signed
from bitproof.signed.resolve import resolve_signed
from bitproof.trust.signers import Signers
from bitproof.trust.signing import prehash, signed
from tests.evidence import refusal
from tests.trust.keys import ALICE, BOB, publics

from .releases import ARCH, install, released, resolve


def test_a_dev_layout_resolves_when_it_is_signed(assets: Path) -> None:
    released(assets, ALICE)
    boot = resolve_signed(assets, None, ARCH, publics(ALICE), dev=True)
    assert boot.kernel == assets / ARCH / "vmlinuz"
    with pytest.raises(IntegrityError):
        resolve_signed(assets, None, ARCH, publics(BOB), dev=True)


def test_a_dev_layout_without_a_manifest_is_refused_where_a_signature_is_required(assets: Path) -> None:
    released(assets, ALICE)
    (assets / "manifest.json").unlink()
    said = refusal(UnavailableError, lambda: resolve_signed(assets, None, ARCH, publics(ALICE), dev=True))
    assert said.startswith("the manifest cannot be opened\n")


def test_an_unsigned_store_is_refused_where_a_signature_is_required(assets: Path, base: Path) -> None:
    released(assets, None)
    install(assets, base)
    assert refusal(IntegrityError, lambda: resolve(base, ALICE, BOB)) == (
        "the manifest is not signed\n"
        f"  where:    {base}/manifest.json\n"
        "  expected: a signature by key 0101010101010101 or 0202020202020202\n"
        "  found:    no manifest.json.minisig beside it\n"
        "  fix:      the owner of the key signs it: bitproof trust sign; or take it from where it is signed"
    )


def test_a_store_whose_manifest_was_replaced_by_hand_is_refused(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    released(assets, None, "b")
    (base / "manifest.json").write_bytes((assets / "manifest.json").read_bytes())
    assert refusal(IntegrityError, lambda: resolve(base)).startswith(
        f"the signature does not verify\n  where:    {base}/manifest.json\n"
    )
    (base / SIGNATURE).unlink()
    assert refusal(IntegrityError, lambda: resolve(base)).startswith("the manifest is not signed\n")


def test_a_signature_that_was_made_for_another_name_or_version_is_refused(assets: Path) -> None:
    released(assets, None)
    data = (assets / "manifest.json").read_bytes()
    for comment in ("file:other.json", "file:manifest.json\tassets:2026.0416.10"):
        (assets / SIGNATURE).write_bytes(signed(ALICE, prehash(data), comment).to_bytes())
        said = refusal(IntegrityError, lambda: load_signed(assets / "manifest.json", Signers(publics(ALICE))))
        assert said.startswith(f"the signature was made for something else\n  where:    {assets}/{SIGNATURE}\n")


def test_a_signature_is_checked_before_the_manifest_is_parsed(assets: Path) -> None:
    released(assets, ALICE)
    (assets / "manifest.json").write_bytes(b"{" * 50)
    said = refusal(IntegrityError, lambda: load_signed(assets / "manifest.json", Signers(publics(ALICE))))
    assert said.startswith("the signature does not verify\n")


def test_a_bad_manifest_stays_bad_when_it_is_signed(assets: Path) -> None:
    released(assets, ALICE)
    (assets / "manifest.json").write_bytes(b"{}")
    (assets / SIGNATURE).write_bytes(signed(ALICE, prehash(b"{}"), "").to_bytes())
    said = refusal(InputError, lambda: load_signed(assets / "manifest.json", Signers(publics(ALICE))))
    assert said.startswith("the manifest says no format\n")


def test_a_list_of_signers_is_not_followed_through_a_symlink(assets: Path, base: Path) -> None:
    released(assets, ALICE)
    install(assets, base, ALICE)
    os.rename(base / ".bitproof-signers", base / ".elsewhere")  # noqa: PTH104 - as an intruder would
    (base / ".bitproof-signers").symlink_to("nowhere")
    assert refusal(InputError, lambda: resolve(base)).startswith("the store's list of signers is a symlink\n")
