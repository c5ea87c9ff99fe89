"""URLs of places. Pure: nothing is looked up.

A URL never carries a password: it stands in settings, messages and process lists.
"""

import re
from ipaddress import ip_address
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from bitproof.errors import InputError, shown

MAX_PORT = 65535
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+=-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+=-]*)*)?", re.ASCII)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
TAG_RULE = "1 to 128 characters [A-Za-z0-9_][A-Za-z0-9._-]*"
MAX_REPOSITORY = 255


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine by its name: ``localhost`` or an address of the loopback.

    >>> is_loopback("http://127.0.0.1:5000/x"), is_loopback("http://127.0.0.1.example.org/")
    (True, False)
    """
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def has_scheme(url: str, *schemes: str) -> bool:
    """Whether a URL begins with one of these, upper or lower case."""
    return url.lower().startswith(tuple(f"{scheme}://" for scheme in schemes))


def is_tag(text: str) -> bool:
    """Whether a registry takes this as a tag (OCI distribution specification, "Pulling manifests")."""
    return bool(_TAG.fullmatch(text))


class S3Address(NamedTuple):
    """``s3://bucket/prefix``; the prefix may be empty."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """The URL."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read one.

        Raises:
            InputError: it is none.
        """
        parts = _plain(url, "s3", "s3://bucket/prefix")
        prefix = parts.path.strip("/")
        if not _BUCKET.fullmatch(parts.netloc) or not _PREFIX.fullmatch(prefix):
            raise _not_a_place(url, "s3://bucket/prefix")
        return cls(parts.netloc, prefix)


class OciAddress(NamedTuple):
    """``oci://host[:port]/repository[:tag]``; ``host`` with its port, ``tag`` may be empty."""

    host: str
    repository: str
    tag: str = ""

    def __str__(self) -> str:
        """The URL."""
        return f"oci://{self.host}/{self.repository}{':' if self.tag else ''}{self.tag}"

    @property
    def base(self) -> str:
        """Where requests go: https, but http on the loopback."""
        scheme = "http" if is_loopback(f"http://{self.host}/") else "https"
        return f"{scheme}://{self.host}"

    @classmethod
    def parse(cls, url: str, *, tagged: bool = False) -> Self:
        """Read one.

        Args:
            url: the text.
            tagged: it may have a tag.

        Raises:
            InputError: it is none.
        """
        form = f"oci://host[:port]/repository{'[:tag]' if tagged else ''}"
        parts = _plain(url, "oci", form)
        repository, colon, tag = parts.path.strip("/").partition(":")
        if not _is_host(parts) or not _REPOSITORY.fullmatch(repository) or len(repository) > MAX_REPOSITORY:
            raise _not_a_place(url, form)
        if colon and not (tagged and is_tag(tag)):
            raise _not_a_place(url, form)
        return cls(parts.netloc, repository, tag)


def _plain(url: str, scheme: str, form: str) -> SplitResult:
    """The parts of a URL that has no login, query or fragment; a port is a number."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or 0 < parts.port <= MAX_PORT
    except ValueError:
        usable = False
    if not usable or parts.scheme != scheme or not url.isascii() or not url.isprintable():
        raise _not_a_place(url, form)
    if "@" in parts.netloc:
        fix = "take the login out of the URL"
        raise InputError("the URL of a place carries a login", expected=form, fix=fix)
    if "?" in url or "#" in url:
        raise _not_a_place(url, form)
    return parts


def _is_host(parts: SplitResult) -> bool:
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    return bool(_HOST.fullmatch(host))


def _not_a_place(url: str, form: str) -> InputError:
    found = "" if "@" in url or "?" in url else shown(url)  # else there may be a secret in it
    return InputError("this is not the URL of a place", expected=form, found=found)
