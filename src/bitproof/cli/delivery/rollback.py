"""``bitproof rollback``: go back to an earlier release that is still here, at once and without network."""

import os
import time
from pathlib import Path

import click

from bitproof.cli.project import (
    MAKE_STORE,
    VERSION,
    arch_option,
    base_option,
    binary_version,
    binary_version_option,
    human_size,
    settings,
    wait_option,
    waiting_note,
    when_unusable,
)
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version


@click.command()
@click.argument("version", type=VERSION, required=False)
@base_option
@binary_version_option
@arch_option
@signature_option
@click.option("--dry-run", is_flag=True, help="Only say where it would go; no file is read.")
@wait_option
@pass_session
def rollback(
    session: Session, base: Path | None, arch: str | None, signers: tuple[str, ...], *, dry_run: bool, **options: object
) -> None:
    """Go back to the release before the present one, or to VERSION.

    It has to be one that this machine has booted, or that is still offered; its files have to be here, and every byte
    of them is read. It lasts until an update brings something newer than what was turned away from.
    """
    from bitproof.assets.rollback import Wanted, plan_rollback
    from bitproof.assets.rollback import rollback as go_back
    from bitproof.assets.store import load_manifest
    from bitproof.cli.progress import byte_progress
    from bitproof.pipeline import source_epoch
    from bitproof.signed.resolve import signed_load

    found = settings()
    store = base or found.store(os.environ).value
    epoch = source_epoch(os.environ)
    wanted = Wanted(
        base=store,
        version=_version(options["version"]),
        binary_version=binary_version(_version(options["binary_version"]), found),
        arch=arch or host_arch(),
        now=int(time.time()) if epoch is None else epoch,
    )
    load = signed_load(store, keys_wanted(signers, found)) or load_manifest
    with when_unusable(store / MANIFEST, MAKE_STORE):
        plan = plan_rollback(wanted, load)
    began = time.monotonic()
    if not dry_run:
        with byte_progress(session, "verifying", plan.size) as progress:
            plan = go_back(
                wanted, load=load, progress=progress, wait=bool(options["wait"]), waiting=waiting_note(session)
            )
    spent = int((time.monotonic() - began) * 1000)
    text = f"{store}: assets {plan.version}, {'would be rolled' if dry_run else 'rolled'} back from {plan.turned_from}"
    if not dry_run:
        text += f"\n  verified {len(plan.files)} files, {human_size(plan.size)}, in {spent} ms"
    versions = {"asset_version": str(plan.version), "before": str(plan.turned_from)}
    read = {"verified": 0 if dry_run else plan.size, "milliseconds": spent}
    session.result(text, {"ok": True, "dry_run": dry_run, "base": str(store), **versions, **read})


def _version(value: object) -> Version | None:
    return value if isinstance(value, Version) else None
