"""Whether a root may follow another one, and what it still lacks. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitproof.errors import IntegrityError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer
    from tuf.api.metadata import Metadata, Root

ROOT = "root"


def check_next_root(before: "Root", data: bytes, where: str) -> "Root":
    """The next root, when it is signed by enough keys of the one before and of its own.

    Raises:
        IntegrityError: it is not; says how many signatures are missing.
    """
    root = _parsed(data, where).signed
    if missing := missing_signatures(before, data, where):
        raise IntegrityError(
            "the root is not signed by enough keys",
            where=where,
            expected=missing,
            fix="let the owners of these keys sign a draft of it: bitproof channel rotate --draft, then sign-root",
        )
    return root


def missing_signatures(before: "Root", data: bytes, where: str) -> str:
    """Whose signatures a next root still lacks, in words; empty when it lacks none.

    Raises:
        IntegrityError: it is no root, or not the next one.
    """
    metadata = _parsed(data, where)
    root = metadata.signed
    if root.version != before.version + 1:
        raise IntegrityError(
            "not the next root", where=where, expected=f"version {before.version + 1}", found=f"version {root.version}"
        )
    result = root.get_root_verification_result(before, metadata.signed_bytes, metadata.signatures)
    lacking = {"present": result.first.missing, "new": result.second.missing}
    told = [f"{count} of the {which} root keys" for which, count in lacking.items() if count]
    return f"signatures by {' and '.join(told)}" if told else ""


def with_signatures(data: bytes, signers: "Sequence[Signer]", where: str) -> bytes:
    """A root with more signatures. Raises IntegrityError when it is none."""
    metadata = _parsed(data, where)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def _parsed(data: bytes, where: str) -> "Metadata[Root]":
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata

    try:
        metadata: Metadata[Root] = Metadata.from_bytes(data)
    except RepositoryError as error:
        raise IntegrityError("the root is not usable", where=where, found=str(error)) from None
    if metadata.signed.type != ROOT:
        raise IntegrityError("the root is not usable", where=where, expected=ROOT, found=metadata.signed.type)
    return metadata
