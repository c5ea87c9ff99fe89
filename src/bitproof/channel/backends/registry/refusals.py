"""What a registry answered, as bitproof's errors: the status and the registry's own code, nothing else of the answer.

Source: the OCI distribution specification, "Error codes".
"""

import json
import re

from bitproof.errors import BitproofError, IntegrityError, UnavailableError

PASSING = frozenset((429, 500, 502, 503, 504))
"""Faults that may be gone when the request is repeated."""
MAX_ANSWER = 1 << 20
_CODE = re.compile(r"[A-Z][A-Z_]{0,63}", re.ASCII)
_DIFFERS = ("DIGEST_INVALID", "SIZE_INVALID")


def refusal(status: int, body: bytes, where: str, host: str) -> BitproofError:
    """The error for an answer that was not asked for.

    Args:
        status: of HTTP.
        body: what came with it.
        where: what was asked for.
        host: the registry, as ``docker login`` names it.
    """
    code = _code(body)
    found = f"{status}{', ' if code else ''}{code}"
    if status in {401, 403}:
        fix = f"log in with an account that may do this: docker login {host}"
        return UnavailableError("the registry refused the request", where=where, found=found, fix=fix)
    if status == 429:  # noqa: PLR2004 - "Too Many Requests"
        fix = "run the same command again later, or log in: registries let accounts do more"
        return UnavailableError("the registry allows no more requests for now", where=where, found=found, fix=fix)
    if code in _DIFFERS:
        fix = "the file changed while it was uploaded: run the same command again"
        return IntegrityError("the registry received other bytes", where=where, found=found, fix=fix)
    if status in PASSING:
        return UnavailableError("the registry failed", where=where, found=found, fix="run the same command again later")
    return UnavailableError("the registry does not do what was asked", where=where, found=found)


def _code(body: bytes) -> str:
    """The first error's code; empty when the body is something else."""
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def unreachable(where: str, reason: str) -> UnavailableError:
    """No answer, or one that broke off."""
    fix = "check the network and the registry's name, then run the same command again"
    return UnavailableError("the registry cannot be reached", where=where, found=reason, fix=fix)
