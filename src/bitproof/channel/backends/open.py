"""The place that a URL or a path names. What needs a network is imported when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.backends.urls import has_scheme
from bitproof.channel.ports import Backend, Reader
from bitproof.errors import InputError
from bitproof.system.lock import Waiting, silent

READABLE = "a path, file://, http://, https://, s3:// or oci://"
WRITABLE = "a path, file://, s3:// or oci://"


def open_reader(url: str) -> Reader:
    """A place to update from: a file is one that `channel export` made.

    Raises:
        InputError: the URL is none of a place.
    """
    if has_scheme(url, "http", "https"):
        from bitproof.channel.backends.http import HttpPlace
        from bitproof.system.net.http import Client

        return HttpPlace(url, Client())
    place = _opened(url, READABLE, silent)
    if isinstance(place, DirectoryPlace) and place.root.is_file():
        from bitproof.channel.backends.archive import ArchivePlace

        return ArchivePlace(place.root)
    return place


def open_readers(urls: Sequence[str], health: Mapping[str, object], note: Callable[[str], None]) -> Reader:
    """Several places that have the same, as one; or the only one.

    Args:
        urls: the places, at least one.
        health: what earlier runs have measured of them, as `health.printed` says it.
        note: told which of them lied.

    Raises:
        InputError: a URL is none of a place.
    """
    readers = [open_reader(url) for url in urls]
    if len(readers) == 1:
        return readers[0]
    from bitproof.channel.health import parse_health
    from bitproof.channel.mirrors import Mirrors

    return Mirrors(readers, parse_health(health), note)


def open_backend(url: str, waiting: Waiting = silent) -> Backend:
    """A place to publish into.

    Args:
        url: which.
        waiting: told when another publisher is waited for.

    Raises:
        InputError: the URL is none of a place that can be written.
    """
    if has_scheme(url, "http", "https"):
        raise InputError(
            "a web server is a place to read from",
            where=_scheme(url),
            expected=WRITABLE,
            fix="publish into the directory that it serves",
        )
    return _opened(url, WRITABLE, waiting)


def _opened(url: str, known: str, waiting: Waiting) -> Backend:
    if has_scheme(url, "s3"):
        from bitproof.channel.backends.s3 import S3Place

        return S3Place(url)
    if has_scheme(url, "oci"):
        from bitproof.channel.backends.oci import OciPlace

        return OciPlace(url)
    return DirectoryPlace(_path(url, known), waiting)


def _path(url: str, known: str) -> Path:
    """A plain path, or that of a ``file://`` URL of this machine."""
    if has_scheme(url, "file"):
        parts = urlsplit(url)
        if parts.netloc not in {"", "localhost"} or not parts.path or "?" in url or "#" in url:
            raise InputError("this is not a file URL of this machine", expected="file:///path", found=_scheme(url))
        return Path(unquote(parts.path))
    if "://" in url:
        raise InputError("places of this kind are not known", where=_scheme(url), expected=known)
    if not url:
        raise InputError("the place has no name", expected=known)
    return Path(url)


def _scheme(url: str) -> str:
    """As much of a URL as holds no login."""
    return f"{url.partition('://')[0]}://"
