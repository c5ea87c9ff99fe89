"""Files that are filled over several runs: kept when a run is killed, believed only once they are proved.

`files` has the one way to write; this is the way there for bytes too many to fetch twice (`net.partial` fills them). A
download is never what anyone reads: it gets its name in another directory, by a rename, when it is proved and synced.
"""

import os
import stat
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from bitproof.system.files import Directory
from bitproof.system.opened import OpenFile, unavailable


def remove_planted(directory: Directory, name: str) -> None:
    """Remove what a download may not be written into: no regular file with one link, and open to its owner.

    It was planted, or left in the middle of `adopt`.

    Raises:
        UnavailableError: the system refused.
    """
    state = directory.stat(name)
    if state is not None and not _is_ours(state):
        directory.remove(name)


def remove_others(directory: Directory, names: Container[str]) -> None:
    """Remove all files but those that a download goes on with.

    Raises:
        UnavailableError: the system refused.
    """
    for name, state in directory.names():
        if name not in names and not stat.S_ISDIR(state.st_mode):
            directory.remove(name)


def _is_ours(state: os.stat_result) -> bool:
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and bool(state.st_mode & stat.S_IWUSR)


def adopt(directory: Directory, name: str, target: Directory, new_name: str, mode: int) -> None:
    """Give a proved download its mode and its name in another directory of the file system, to last.

    Raises:
        UnavailableError: the system refused.
    """
    try:
        with directory.open(name, "the download") as file:
            os.fchmod(file.fd, mode)
            file.sync()
        os.rename(name, new_name, src_dir_fd=directory.fd, dst_dir_fd=target.fd)
    except OSError as error:
        raise unavailable(error, "the download cannot be put into its place", target.path / new_name) from None
    target.sync()
    directory.sync()


def scratch() -> OpenFile:
    """A file without a name, for bytes that are only looked at; gone when it is closed.

    Raises:
        UnavailableError: the system refused.
    """
    directory = tempfile.gettempdir()
    try:
        return OpenFile(os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600), Path(directory))
    except OSError as error:
        raise unavailable(error, "a temporary file cannot be made", directory) from None


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory in the place of one that a dry run does not make; gone after the block.

    Raises:
        UnavailableError: the system refused.
    """
    try:
        directory = tempfile.TemporaryDirectory(prefix="bitproof-")
    except OSError as error:
        raise unavailable(error, "a temporary directory cannot be made", tempfile.gettempdir()) from None
    with directory as name:
        yield Path(name)
