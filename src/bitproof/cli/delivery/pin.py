"""``bitproof pin``: hold this machine, or a VM, at a release; say what is held; let it go."""

import os
from pathlib import Path

import click

from bitproof.assets.resolve import held_at
from bitproof.cli.project import (
    MAKE_STORE,
    NAME,
    VERSION,
    arch_option,
    base_option,
    settings,
    wait_option,
    waiting_note,
    when_unusable,
)
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.errors import InputError
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version

VM = "Hold this VM, for `vm boot --vm NAME`; default: the machine."


@click.command()
@click.argument("version", type=VERSION, required=False)
@click.option("--vm", type=NAME, metavar="NAME", help=VM)
@click.option("--remove", is_flag=True, help="End what holds it, a rollback too.")
@base_option
@arch_option
@signature_option
@click.option("--dry-run", is_flag=True, help="Only say what would be held.")
@wait_option
@pass_session
def pin(
    session: Session,
    version: Version | None,
    vm: str | None,
    base: Path | None,
    *,
    remove: bool,
    **options: object,
) -> None:
    """Hold this machine, or one VM, at a release of the store.

    Without VERSION, say what is held. A release that is held is resolved, deprecated or not, or nothing is; cleanup
    keeps its files, and no update takes it away. It has to be in the store, and not revoked.
    """
    if remove and version is not None:
        raise InputError("a version and --remove contradict each other", fix="leave one of them out")
    store = base or settings().store(os.environ).value
    if version is None and not remove:
        _show(session, store, vm or "")
        return
    _change(session, store, version, vm or "", options)


def _change(session: Session, store: Path, version: Version | None, vm: str, options: dict[str, object]) -> None:
    from bitproof.assets.selection import Wanted, read_selection
    from bitproof.assets.selection import pin as hold
    from bitproof.assets.store import load_manifest
    from bitproof.signed.resolve import signed_load

    dry_run = bool(options["dry_run"])
    keys = keys_wanted(_texts(options["signers"]), settings())
    before = _own(store, vm)
    with when_unusable(store / MANIFEST, MAKE_STORE):
        changed = hold(
            Wanted(store, version, str(options["arch"] or host_arch()), vm),
            load=signed_load(store, keys) or load_manifest,
            dry_run=dry_run,
            wait=bool(options["wait"]),
            waiting=waiting_note(session),
        )
    who = f"VM {vm}" if vm else "this machine"
    if version is not None:
        text = f"{who} {'would be' if dry_run else 'is'} pinned to assets {version}"
    elif before is None:
        text = f"{who} is not pinned"
    else:
        text = f"{before}: {'that would end' if dry_run else 'that is over'}"
    held = [one.document() for one in read_selection(store).every()]
    document = {"ok": True, "dry_run": dry_run, "base": str(store), "changed": changed, "held": held}
    session.result(f"{store}: {text}", document)


def _own(store: Path, vm: str) -> str | None:
    """The sentence for what holds the machine, or the VM itself."""
    held = held_at(store, vm)
    return str(held) if held is not None and held.vm == vm else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, tuple) else ()


def _show(session: Session, store: Path, vm: str) -> None:
    """Everything that is held, or what counts for one VM."""
    from bitproof.assets.selection import read_selection
    from bitproof.system.files import Directory

    with Directory(store, what="the store"):
        selection = read_selection(store)
    held = selection.held(vm) if vm else None
    found = ((held,) if held else ()) if vm else selection.every()
    text = "\n".join(str(one) for one in found) or "nothing is pinned"
    session.result(text, {"ok": True, "base": str(store), "held": [one.document() for one in found]})
