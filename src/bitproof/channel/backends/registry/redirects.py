"""Where a registry may send its clients. Pure: names are not looked up."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from bitproof.channel.backends.urls import OciAddress, is_loopback
from bitproof.errors import UnavailableError


def check_redirect(address: OciAddress, url: str) -> str:
    """Return a URL when a registry may redirect there: https, or another server of the loopback it is on itself.

    Raises:
        UnavailableError: it may not; says where to, without the query, which may be a signature.
    """
    parts = urlsplit(url)
    within = is_loopback(address.base) and is_loopback(url)
    if within or (parts.scheme == "https" and not _private(parts.hostname or "")):
        return url
    raise UnavailableError(
        "the registry redirects to where it may not",
        where=address._replace(tag=""),
        expected="https, and no private address",
        found=f"{parts.scheme}://{parts.hostname}",
    )


def _private(host: str) -> bool:
    """Whether a host is written as an address that is not everybody's."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host in {"", "localhost"} or host.endswith(".localhost")
