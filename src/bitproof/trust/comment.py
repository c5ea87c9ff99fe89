"""What a trusted comment says of the signed file: name, time, assets version. Pure.

minisign signs a line of free text with every file; by its own habit that is ``timestamp:…<tab>file:…<tab>hashed``.
Bitproof writes the same and adds ``assets:…`` for a release manifest. Where a comment says one of these, it must be
right.
"""

from bitproof.errors import InputError, IntegrityError, shown
from bitproof.trust.minisign import TRUSTED, fits_comment

SEPARATOR = "\t"
DEVELOPER = "developer"
"""The word by which a developer's key says of itself that it is no release's."""
_MAX_TIME = 253_402_300_799
"""The end of the year 9999."""


def print_comment(name: str, time: int, assets: str = "", *, developer: bool = False) -> str:
    """The trusted comment of a file.

    Args:
        name: the file's, without a directory.
        time: seconds since 1970.
        assets: the manifest's current assets version.
        developer: whether a developer's key signs.

    Raises:
        InputError: the name does not fit into a comment.

    >>> print_comment("manifest.json", 1776211200, "2026.0415.1").split(SEPARATOR)
    ['timestamp:1776211200', 'file:manifest.json', 'hashed', 'assets:2026.0415.1']
    """
    fields = [f"timestamp:{time}", f"file:{name}", "hashed"]
    fields += ([f"assets:{assets}"] if assets else []) + ([DEVELOPER] if developer else [])
    comment = SEPARATOR.join(fields)
    if SEPARATOR in name or not fits_comment(comment, TRUSTED):
        raise InputError("the file's name does not fit into a trusted comment", where=shown(name))
    return comment


def check_comment(comment: str, where: str, *, name: str, assets: str = "") -> None:
    """Refuse a comment that was signed for another file or another assets version.

    What it does not say is not missed: the signature itself is over every byte.

    Raises:
        IntegrityError: a field says something else.
    """
    for key, value in (("file", name), ("assets", assets)):
        for said in _fields(comment, key):
            if value and said != value:
                raise IntegrityError(
                    "the signature was made for something else",
                    where=where,
                    expected=f"{key}:{value} in the trusted comment",
                    found=shown(f"{key}:{said}"),
                )


def is_developers(comment: str) -> bool:
    """Whether a comment says that a developer's key signed."""
    return DEVELOPER in comment.split(SEPARATOR)


def named_assets(comment: str) -> bool:
    """Whether a comment says an assets version."""
    return bool(_fields(comment, "assets"))


def signed_at(comment: str) -> str:
    """The time that a comment says, as people read it; empty when it says none.

    >>> signed_at(print_comment("manifest.json", 1776211200))
    '2026-04-15 00:00:00 UTC'
    """
    from datetime import UTC, datetime

    for said in _fields(comment, "timestamp"):
        if said.isascii() and said.isdigit() and len(said) <= len(str(_MAX_TIME)) and int(said) <= _MAX_TIME:
            return f"{datetime.fromtimestamp(int(said), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _fields(comment: str, key: str) -> list[str]:
    words = (word.partition(":") for word in comment.split(SEPARATOR))
    return [value for word, colon, value in words if word == key and colon]
