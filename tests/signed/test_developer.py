"""The developer's key: made once, and only for what nobody else has signed."""

from pathlib import Path

import pytest

from bitproof.errors import InputError
from bitproof.signed.developer import developer_key, sign_as_developer
from bitproof.signed.files import verify_file
from bitproof.signed.manifests import SIGNATURE
from tests.evidence import names_in
from tests.trust.keys import ALICE

from .releases import TIME, released


def test_the_key_is_made_on_first_use_and_kept(tmp_path: Path) -> None:
    first = developer_key(tmp_path)
    assert names_in(tmp_path / "keys") == ["developer.key", "developer.pub"]
    assert (tmp_path / "keys/developer.key").stat().st_mode & 0o777 == 0o600
    assert developer_key(tmp_path) == first


def test_a_key_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    developer_key(tmp_path)
    (tmp_path / "keys/developer.key").chmod(0o644)
    with pytest.raises(InputError):
        developer_key(tmp_path)


def signs(assets: Path, home: Path, *, changed: bool) -> bool:
    """Whether it signed; then the signature verifies."""
    made = sign_as_developer(assets / "manifest.json", home, TIME, changed=changed)
    if made:
        assert verify_file(assets / "manifest.json", assets / SIGNATURE, (developer_key(home).public,))[1] == made
    return made is not None


@pytest.mark.parametrize("changed", [False, True])
def test_an_unsigned_manifest_is_signed_once(assets: Path, tmp_path: Path, changed: bool) -> None:
    released(assets, None)
    assert signs(assets, tmp_path, changed=changed)
    assert not signs(assets, tmp_path, changed=False)


def test_its_own_stale_signature_is_replaced_and_so_is_junk(assets: Path, tmp_path: Path) -> None:
    released(assets, developer_key(tmp_path))
    stale = (assets / SIGNATURE).read_bytes()
    released(assets, None, "b")
    for left in (stale, b"junk"):
        (assets / SIGNATURE).write_bytes(left)
        assert signs(assets, tmp_path, changed=False)


def test_the_signature_of_another_key_stands_while_the_manifest_does(assets: Path, tmp_path: Path) -> None:
    released(assets, ALICE)
    before = (assets / SIGNATURE).read_bytes()
    assert not signs(assets, tmp_path, changed=False)
    assert (assets / SIGNATURE).read_bytes() == before
    assert signs(assets, tmp_path, changed=True)
