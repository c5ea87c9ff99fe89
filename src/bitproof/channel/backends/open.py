"""From the name of a place to the place."""

from pathlib import Path

from bitproof.channel.backends.archive import ArchivePlace
from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.ports import Backend, Reader
from bitproof.system.lock import Waiting, silent


def open_backend(place: str, waiting: Waiting = silent) -> Backend:
    """A place to publish into."""
    return DirectoryPlace(Path(place.removeprefix("file://")), waiting)


def open_reader(place: str) -> Reader:
    """A place to update from."""
    path = Path(place.removeprefix("file://"))
    return ArchivePlace(path) if path.is_file() else open_backend(place)
