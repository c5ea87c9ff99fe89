"""Whether a root may follow another one, and what it still lacks. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitproof.channel.roles import ROLES, key_names
from bitproof.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from securesystemslib.signer import Signer
    from tuf.api.metadata import Metadata, Root

ROOT = "root"


def check_next_root(before: "Root", data: bytes, where: str) -> "Root":
    """The next root, when it is signed by enough keys of the one before and of its own.

    Raises:
        InputError: it is not; says how many signatures are missing.
    """
    root = parse_root(data, where).signed
    if missing := missing_signatures(before, data, where):
        raise InputError(
            "the root is not signed by enough keys",
            where=where,
            expected=missing,
            fix="let the owners of these keys sign a draft of it: bitproof channel rotate --draft, then sign-root",
        )
    return root


def missing_signatures(before: "Root", data: bytes, where: str) -> str:
    """Whose signatures a next root still lacks, in words; empty when it lacks none.

    Raises:
        InputError: it is no root, or not the next one.
    """
    metadata = parse_root(data, where)
    root = metadata.signed
    if root.version != before.version + 1:
        raise InputError(
            "not the channel's next root",
            where=where,
            expected=f"version {before.version + 1}",
            found=f"version {root.version}",
            fix="begin anew from the present root: bitproof channel rotate --draft",
        )
    result = root.get_root_verification_result(before, metadata.signed_bytes, metadata.signatures)
    lacking = {"present": result.first.missing, "new": result.second.missing}
    told = [f"{count} of the {which} root keys" for which, count in lacking.items() if count]
    return f"signatures by {' and '.join(told)}" if told else ""


def check_rotation(before: "Root", data: bytes, role: str, where: str, now: "datetime") -> None:
    """Refuse a next root that changes the keys of another online role than ``role``.

    What that role has signed would be worth nothing, and the channel at its end.

    Raises:
        InputError: it does; or it is not signed by enough keys, or has expired while it was waiting.
    """
    after = check_next_root(before, data, where)
    for one in ROLES[1:]:
        old, new = before.roles[one], after.roles[one]
        if one != role and (set(old.keyids), old.threshold) != (set(new.keyids), new.threshold):
            raise InputError(
                f"this root changes the keys of the {one} role",
                where=where,
                expected=f"{old.threshold} of the keys {', '.join(key_names(before, one))}",
                found=f"{new.threshold} of the keys {', '.join(key_names(after, one))}",
                fix=f"finish it as what it is: bitproof channel rotate {one} --finish",
            )
    if after.is_expired(now):
        raise InputError(
            "the root has expired",
            where=where,
            found=f"it expired at {after.expires:%Y-%m-%d %H:%M:%S} UTC",
            fix="begin anew: bitproof channel rotate --draft",
        )


def with_signatures(data: bytes, signers: "Sequence[Signer]", where: str) -> bytes:
    """A root with more signatures. Raises InputError when it is none."""
    metadata = parse_root(data, where)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def parse_root(data: bytes, where: str) -> "Metadata[Root]":
    """Read a root that somebody named. Raises InputError when it is none."""
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata

    try:
        metadata: Metadata[Root] = Metadata.from_bytes(data)
    except RepositoryError as error:
        raise InputError("this is not the root of a channel", where=where, found=str(error)) from None
    if metadata.signed.type != ROOT:
        raise InputError("this is not the root of a channel", where=where, found=f"a {metadata.signed.type}")
    return metadata
