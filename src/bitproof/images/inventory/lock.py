"""The lock as a file: ``packages.lock``, which is written from the inventories of built images."""

from collections.abc import Sequence
from pathlib import Path

from bitproof.errors import UnavailableError
from bitproof.model.decode import MAX_JSON
from bitproof.model.inventory import Lock, read_lock
from bitproof.model.names import INVENTORY
from bitproof.system.files import Directory
from bitproof.system.opened import exists, read_file


def load_lock(path: Path) -> Lock:
    """Read a lock or an inventory.

    Raises:
        InputError: it is not one.
        UnavailableError: it is not there, or cannot be read.
    """
    if not exists(path):
        fix = "bitproof assets build, then: bitproof assets lock"
        raise UnavailableError("there is no list of packages", where=path, found="nothing", fix=fix)
    return read_lock(read_file(path, MAX_JSON, "the list of packages"), str(path))


def write_lock(assets: Path, arches: Sequence[str], path: Path) -> bool:
    """Lock the packages that the images of a dev layout are made of; other arches of the lock stay as they are.

    Args:
        assets: the dev layout.
        arches: arch keys.
        path: the lock.

    Returns:
        Whether the lock changed.

    Raises:
        InputError: an inventory or the lock is not usable; the lock stands as it was.
        UnavailableError: an arch has no inventory: it was never built here.
    """
    lock = load_lock(path) if exists(path) else Lock(())
    for arch in arches:
        built = assets / arch / INVENTORY
        lock = lock.replaced(load_lock(built).arch(arch, str(built)))
    with Directory(path.parent, what="the lock's directory") as directory:
        return directory.write_changed(path.name, lock.to_bytes())
