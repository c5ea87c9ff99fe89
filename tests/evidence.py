"""What most tests assert on: the whole sentence of an error, and the files that are left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bitproof.errors import BitproofError


def refusal(kind: type[BitproofError], call: Callable[[], object]) -> str:
    """The whole message with which a call is refused."""
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def names_in(directory: Path) -> list[str]:
    """The names of all entries, dot files too, sorted."""
    return sorted(path.name for path in directory.iterdir())


def tree(directory: Path) -> dict[str, bytes | None]:
    """Every file below a directory with its bytes; None for what is no regular file."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in sorted(directory.rglob("*"))
    }
