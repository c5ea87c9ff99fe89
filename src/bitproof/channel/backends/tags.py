"""The tags under which a registry has a channel's files and the releases. Pure.

A tag is 1 to 128 characters ``[A-Za-z0-9_][A-Za-z0-9._-]*`` (OCI distribution specification, "Pulling manifests").
"""

from bitproof.channel.backends.urls import TAG_RULE, is_tag
from bitproof.errors import InputError, shown

_SUFFIXES = (".json", ".minisig")
"""Of every file of a channel, and of no release."""


def file_tag(path: str) -> str:
    """The tag of a channel's file.

    No file's name has a ``-``, so that two files never share a tag.

    >>> file_tag("stable/metadata/timestamp.json")
    'stable-timestamp.json'

    Raises:
        InputError: the channel's name makes no tag.
    """
    channel, *_, name = path.split("/")
    tag = f"{channel}-{name}"
    if not is_tag(tag) or "-" in name or not name.endswith(_SUFFIXES):
        what = "a channel of this name cannot be in a registry"
        fix = "name it with letters, digits, '.', '_' and '-', and at most 40 of them"
        raise InputError(what, where=channel, expected=f"a tag: {TAG_RULE}", found=shown(tag), fix=fix)
    return tag


def version_tag(version: str) -> str:
    """The tag of a release: its version, with ``_`` for the ``+`` that no tag has.

    >>> version_tag("2026.1124.1+hotfix")
    '2026.1124.1_hotfix'

    Raises:
        InputError: the version makes no tag, or that of a channel's file.
    """
    tag = version.replace("+", "_")
    if not is_tag(tag) or tag.endswith(_SUFFIXES):
        expected = f"a tag: {TAG_RULE}, without {' and '.join(_SUFFIXES)} at its end"
        raise InputError("a release of this version cannot be in a registry", expected=expected, found=shown(tag))
    return tag
