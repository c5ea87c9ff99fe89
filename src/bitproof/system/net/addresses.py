"""What kind of network an address is in. Pure: names are resolved elsewhere, once; what is judged is connected to."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

PUBLIC, LOOPBACK, PRIVATE, LINK_LOCAL = "public", "loopback", "private", "link-local"
MULTICAST, UNSPECIFIED = "multicast", "unspecified"

_NAT64 = IPv6Network("64:ff9b::/96")
_SITE_LOCAL = IPv6Network("fec0::/10")
_LOW = (1 << 32) - 1


def kind(address: str) -> str:
    """The kind of a numeric address: what leads to this machine or its own network is not public.

    An IPv4 address within an IPv6 one (mapped, 6to4, NAT64) is judged by what it leads to.

    >>> kind("127.0.0.1"), kind("::ffff:10.0.0.1"), kind("169.254.169.254"), kind("1.1.1.1")
    ('loopback', 'private', 'link-local', 'public')
    """
    found = _inner(ip_address(address.partition("%")[0]))
    if found.is_unspecified:
        return UNSPECIFIED
    if found.is_loopback:
        return LOOPBACK
    if found.is_link_local:
        return LINK_LOCAL
    if found.is_multicast:
        return MULTICAST
    return PUBLIC if found.is_global and found not in _SITE_LOCAL else PRIVATE


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW)
    return address.ipv4_mapped or address.sixtofour or address


def may_connect(found: str, start: str | None, *, allow_private: bool) -> bool:
    """Whether a redirect may lead to an address.

    Args:
        found: the kind of the address that would be connected to.
        start: the kind of the address at which the first request was answered; None for that request itself, whose
            address the caller chose.
        allow_private: whether redirects may lead to this machine and its own network.
    """
    if start is None or found in {PUBLIC, start}:
        return True
    return allow_private and found in {LOOPBACK, PRIVATE, LINK_LOCAL}
