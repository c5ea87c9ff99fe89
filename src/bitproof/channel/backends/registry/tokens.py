"""What goes into an ``Authorization`` header: a login, or a token that it or nobody is given for.

Source: the token authentication specification of Docker's registry, and its OAuth 2 form for identity tokens.
"""

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from bitproof.channel.backends.registry.challenge import Challenge
from bitproof.channel.backends.registry.credentials import Login
from bitproof.channel.backends.registry.responses import let_go, read_some
from bitproof.channel.backends.urls import OciAddress, is_loopback
from bitproof.errors import UnavailableError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

MAX_TOKEN = 64 << 10
OK = 200


def authorization(pool: "PoolManager", address: OciAddress, challenge: Challenge, login: Login | None) -> str:
    """The header's value; empty when there is nothing to answer the challenge with.

    Raises:
        UnavailableError: the server that gives tokens refused or is none; neither login nor token is quoted.
        HTTPError: it cannot be reached.
    """
    if challenge.scheme == "basic":
        return login.basic if login and not login.identity else ""
    realm = urlsplit(challenge.realm)
    if realm.scheme != "https" and not (is_loopback(challenge.realm) and is_loopback(address.base)):
        where, found = address._replace(tag=""), f"{realm.scheme}://{realm.hostname}"
        what = "the registry sends logins to where they may not go"
        raise UnavailableError(what, where=where, expected="a server of tokens with https", found=found)
    response = _asked(pool, challenge, login)
    try:
        token = _token(read_some(response, MAX_TOKEN)) if response.status == OK else ""
    finally:
        let_go(response)
    if not token:
        fix = f"docker login {address.host}"
        found = str(response.status) if response.status != OK else "an answer without a token"
        raise UnavailableError("no token for the registry", where=realm.hostname or "", found=found, fix=fix)
    return f"Bearer {token}"


def _asked(pool: "PoolManager", challenge: Challenge, login: Login | None) -> "BaseHTTPResponse":
    if login is not None and login.identity:
        form = {"grant_type": "refresh_token", "refresh_token": login.identity, "client_id": "bitproof"}
        form |= {"service": challenge.service, "scope": challenge.scope}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return pool.request(
            "POST", challenge.realm, headers=headers, body=urlencode(form), redirect=False, preload_content=False
        )
    headers = {"Authorization": login.basic} if login else {}
    return pool.request("GET", challenge.token_url, headers=headers, redirect=False, preload_content=False)


def _token(data: bytes) -> str:
    """Of the answer's JSON, whichever of its two names it has; empty when it has none that a header may hold."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    found = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else ""
