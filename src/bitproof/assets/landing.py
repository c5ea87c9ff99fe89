"""What a new file of a store has to prove, wherever it came from; and what one that is there has to."""

import os
import stat
import threading

from bitproof.model.asset_manifest import PinnedFile
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile, unavailable


def is_there(store: Directory, name: str, pin: PinnedFile) -> bool:
    """Whether the store has the file with the right bytes, to last; a damaged or planted one is as good as none."""
    state = store.stat(name)
    if state is None or not stat.S_ISREG(state.st_mode) or pin.size not in {None, state.st_size}:
        return False
    with store.open(name, "the installed asset") as file:
        if blake3_digest(file) != pin.digest:
            return False
        file.sync()  # whoever put it there need not have
        return True


def digest_while_syncing(target: OpenFile) -> Digest:
    """The digest of what landed, computed while the disk is busy with ``fsync``."""
    failures: list[OSError] = []

    def sync() -> None:
        try:
            os.fsync(target.fd)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=sync)
    thread.start()
    try:
        digest = blake3_digest(OpenFile(target.fd, target.path))
    finally:
        thread.join()
    if failures:
        raise unavailable(failures[0], "the file cannot be synced", target.path)
    return digest
