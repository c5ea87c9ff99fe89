"""``bitproof history``: what was installed, rolled back to and booted here."""

import os
from pathlib import Path

import click

from bitproof.assets.history import read_history
from bitproof.cli.project import base_option, settings
from bitproof.cli.render import table
from bitproof.cli.session import Session, pass_session
from bitproof.system.files import Directory

COLUMNS = ("when", "event", "assets", "vm", "manifest")


@click.command()
@base_option
@pass_session
def history(session: Session, base: Path | None) -> None:
    """List what was installed, rolled back to and booted here, newest first.

    A boot is noted when its VM ends, once a store has been updated from a channel.
    """
    store = base or settings().store(os.environ).value
    with Directory(store, what="the store") as directory:
        found = read_history(directory.path)
    entries = tuple(reversed(found.entries))
    if session.json:
        told = [entry.document() for entry in entries]
        session.print_json({"ok": True, "base": str(store), "entries": told})
        return
    if not entries:
        session.out(f"{store}: nothing is known of what ran here")
        return
    rows = [(one.time, str(one.event), str(one.version), one.vm, one.manifest.value) for one in entries]
    table(session, f"History of {store}", COLUMNS, rows)
