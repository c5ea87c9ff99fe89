"""Channels to run commands on: keys in files, places that began days ago, and what a refusal says."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.opening import create
from bitproof.channel.roles import DAYS, ROLES, Duty
from bitproof.cli.channel.options import Keys
from bitproof.cli.trust.passwords import Passwords
from bitproof.delivery.outlet import Outlet
from bitproof.delivery.publish import publish
from bitproof.delivery.release import load_release
from bitproof.delivery.signers import role_signers
from bitproof.errors import BitproofError
from bitproof.trust.keyfiles import KeyPair, load_public, make_key
from bitproof.trust.secret_key import Cost
from tests.delivery.conftest import silently

BEGIN = ("channel", "init", "--place", "site", "--keys", "keys", "--make-keys", "-W")
KEYS = ("--place", "site", "--keys", "keys")
IMPORT = ("channel", "import")
INSIDE = ("--place", "inside", "--root", "root.json")


def said(what: str, **facts: Any) -> str:  # noqa: ANN401 - as the error takes them
    """A refusal on stderr, whole."""
    return f"error: {BitproofError(what, **facts)}\n"


def refusal(kind: str, what: str, **facts: object) -> dict[str, object]:
    """A refusal as JSON, whole."""
    codes = {"integrity": 1, "input": 2, "unavailable": 3}
    empty = {"where": "", "expected": "", "found": "", "fix": "", "problems": [], "details": []}
    return {"ok": False, "exit_code": codes[kind], "error": {"kind": kind, "what": what, **empty, **facts}}


def make_keys(*names: str, password: bytes | None = None, cost: Cost | None = None) -> None:
    """``NAME.key`` and ``NAME.pub`` in the working directory."""
    for name in names:
        pair = KeyPair(Path(f"{name}.key"), Path(f"{name}.pub"))
        if cost is None:
            make_key(pair, password)
        else:
            make_key(pair, password, cost)


def key_id(name: str) -> str:
    """A public key's id."""
    return load_public(f"{name}.pub", Path()).id


def options(option: str, names: Iterable[str]) -> list[str]:
    """``OPTION NAME.key`` of each."""
    return [word for name in names for word in (option, f"{name}.key")]


def begun(days_ago: float, days: dict[str, int] | None = None, *, release: bool = True) -> datetime:
    """A channel in ``site`` that began in the past, by the keys in ``keys``, with ``root.json``; returns when."""
    now = datetime.now(UTC) - timedelta(days=days_ago)
    secret = Keys({}, Path("keys"), Passwords(None)).opened(ROLES)
    signers = {role: role_signers(keys) for role, keys in secret.items()}
    duties = {role: Duty(tuple(signer.public_key for signer in signers[role])) for role in ROLES}
    place = DirectoryPlace(Path("site"))
    Path("root.json").write_bytes(create(place, "stable", duties, {**DAYS, **(days or {})}, signers, now))
    if release:
        outlet = Outlet(backend=place, channel="stable", signers=signers, now=now)
        publish(load_release(Path("assets"), ()), outlet, silently)
    return now
