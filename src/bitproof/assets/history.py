"""A store's history on the disk: read by anyone, written under a lock of its own that is held for milliseconds.

The lock is another one than the store's and that of updates, which may be held for minutes: who boots a VM waits for
neither. Whoever holds the store's lock may take this one, never the other way round.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bitproof.assets.store import Mode
from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.history import MAX_HISTORY, Entry, Event, History
from bitproof.model.names import CHANNEL_STATE, HISTORY_LOCK, MANIFEST
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import locked
from bitproof.system.opened import exists, read_file

if TYPE_CHECKING:
    from bitproof.assets.resolve import BootSet

HISTORY = "history.json"
TRIES, PAUSE = 50, 0.02
"""How often a boot asks for the lock, and the seconds between: no more than a second in all."""


def read_history(base: Path) -> History:
    """What a store's machine has run; empty when nothing is known.

    Raises:
        InputError: the history is there and bad.
        UnavailableError: it cannot be read.
    """
    path = base / CHANNEL_STATE / HISTORY
    if not exists(path) and not path.is_symlink():
        return History()
    return History.parse(read_file(path, MAX_HISTORY, "the history"), str(path))


def append(store: Directory, entry: Entry) -> None:
    """Add an entry, and make it last; the directory is made when it is not there.

    Raises:
        InputError: the history is there and bad; it stays as it is.
        UnavailableError: it cannot be read or written.
    """
    with store.child(CHANNEL_STATE, create=True) as directory, locked(directory, name=HISTORY_LOCK):
        _append(directory, entry)


def _append(directory: Directory, entry: Entry) -> None:
    before = History()
    if directory.stat(HISTORY) is not None:
        with directory.open(HISTORY, "the history") as file:
            before = History.parse(file.read(MAX_HISTORY), str(file.path))
    directory.write_changed(HISTORY, before.after(entry).to_bytes())


def boot_to_note(boot: "BootSet") -> Entry | None:
    """What is to be noted once a boot set of a store has booted; None when nothing is: in a store without a history.

    It is made before the boot: the manifest may be another one when the VM ends.
    """
    base = boot.manifest.parent
    try:
        if boot.mode is not Mode.INSTALLED or not exists(base / CHANNEL_STATE):
            return None
        with Directory(base) as store, store.open(MANIFEST) as file:
            digest = bytes_digest(file.read(file.size))
        vm = boot.held.vm if boot.held else ""
        return Entry(Version(boot.asset_version), 0, Event.BOOTED, digest, vm)
    except BitproofError:
        return None


def note_boot(base: Path, entry: Entry | None, now: int) -> bool:
    """Add a boot that went well, if that can be done at once; a boot never fails for it. Says whether it was added."""
    if entry is None:
        return False
    try:
        with Directory(base) as store, store.child(CHANNEL_STATE) as directory:
            for _ in range(TRIES):
                if _append_now(directory, entry._replace(when=now)):
                    return True
                time.sleep(PAUSE)
    except BitproofError:
        pass
    return False


def _append_now(directory: Directory, entry: Entry) -> bool:
    """Add an entry unless another process is about to add one; raises as `append`."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(directory, name=HISTORY_LOCK, wait=False))
        except UnavailableError as error:
            if error.found:  # the system's refusal: waiting would not help
                raise
            return False
        _append(directory, entry)
        return True
