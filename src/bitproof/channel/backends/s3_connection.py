"""How an S3 store is reached: what of the environment is looked at before obstore reads it, and how long it waits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bitproof.channel.backends.patience import Patience
from bitproof.channel.backends.urls import S3Address, is_loopback
from bitproof.errors import InputError

if TYPE_CHECKING:
    from obstore.store import S3Store

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
ALLOW_HTTP = "AWS_ALLOW_HTTP"
PART_SECONDS = 300
"""The longest time that one request may take: a part of 8 MiB, or a piece."""


def may_be_plain(environ: Mapping[str, str]) -> bool:
    """Whether requests may go over plain http: to an endpoint on the loopback, or when the user says so."""
    endpoint = next((environ[name] for name in ENDPOINTS if environ.get(name)), "")
    if not endpoint.startswith("http://"):
        return False
    if is_loopback(endpoint) or environ.get(ALLOW_HTTP, "").lower() in {"1", "true"}:
        return True
    raise InputError(
        "the endpoint of the S3 store is plain http",
        where="AWS_ENDPOINT_URL",
        expected="https, or http on the loopback",
        fix=f"use https, or set {ALLOW_HTTP}=true for a network that you trust",
    )


def connected(address: S3Address, patience: Patience, *, allow_http: bool) -> "S3Store":
    """The store of an address, by the `AWS_*` variables.

    Raises:
        InputError: they are not usable.
    """
    from datetime import timedelta

    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    try:
        return S3Store(
            address.bucket,
            prefix=address.prefix or None,
            client_options={
                "allow_http": allow_http,
                "connect_timeout": timedelta(seconds=patience.timeout),
                "read_timeout": timedelta(seconds=patience.timeout),
                "timeout": timedelta(seconds=PART_SECONDS),
            },
            retry_config={
                "max_retries": patience.retries,
                "backoff": {"init_backoff": timedelta(seconds=patience.wait)},
                "retry_timeout": timedelta(seconds=PART_SECONDS),
            },
        )
    except (BaseError, ValueError):  # its text quotes the value, which may be a secret
        what = "the AWS_* variables are not usable"
        raise InputError(what, where=address, fix="check their values, AWS_ENDPOINT_URL first") from None
