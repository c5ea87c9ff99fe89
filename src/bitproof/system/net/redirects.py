"""Where a redirect may lead. Pure.

Only to https; or, from the loopback, to the same scheme and host. To which *address* is judged when it is connected to:
see `addresses.may_connect`.
"""

from bitproof.errors import InputError, UnavailableError
from bitproof.system.net.addresses import LOOPBACK
from bitproof.system.net.urls import Url, joined, parse_url

STATUSES = frozenset({301, 302, 303, 307, 308})
MOST = 5


def followed(url: Url, location: str | None, network: str, count: int) -> Url:
    """The URL that is asked next.

    Args:
        url: the one that was answered with a redirect.
        location: the Location header.
        network: the kind of the address that answered.
        count: how many redirects were followed before.

    Raises:
        UnavailableError: it may not be followed.
    """
    if location is None:
        raise _refused(url, "a redirect without a Location")
    if count >= MOST:
        raise _refused(url, f"more than {MOST} redirects")
    try:
        target = parse_url(joined(url, location))
    except (InputError, ValueError):
        raise _refused(url, f"a redirect to {location[:200].partition('?')[0]!r}") from None
    same = network == LOOPBACK and (target.scheme, target.host) == (url.scheme, url.host)
    if target.scheme != "https" and not same:
        raise _refused(url, f"a redirect to {target.shown}")
    return target


def _refused(url: Url, found: str) -> UnavailableError:
    return UnavailableError(
        "the server leads elsewhere, in a way that is not followed",
        where=url.shown,
        expected=f"at most {MOST} redirects, each to https",
        found=found,
        fix="check the URL; if the files moved, use the new one",
    )
