"""What was withdrawn where a manifest is published stays withdrawn when another one takes its place."""

from datetime import date

from bitproof.model.asset_edits import carried_withdrawals, deprecated, revoked
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.version import Version
from tests.conftest import ROOT

DAY = date(2026, 4, 15)
SEED = AssetManifest.parse((ROOT / "examples" / "seed" / "manifest.json").read_bytes())
FIRST: Version = next(iter(SEED.releases))


def test_nothing_withdrawn_changes_nothing() -> None:
    assert carried_withdrawals(SEED, SEED) is SEED


def test_deprecation_and_revocation_are_carried_with_their_dates() -> None:
    before = revoked(deprecated(SEED, FIRST, DAY), FIRST, "bad bytes", DAY)
    after = carried_withdrawals(before, SEED)
    assert after.to_bytes() == before.to_bytes()
    assert (after.releases[FIRST].deprecated, after.releases[FIRST].revoked) == (True, "bad bytes")


def test_what_is_withdrawn_already_stays_as_it_is() -> None:
    before = deprecated(SEED, FIRST, DAY)
    assert carried_withdrawals(before, before) is before
