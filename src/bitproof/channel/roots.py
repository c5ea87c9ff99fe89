"""Whether a root may follow another one. Pure."""

from typing import TYPE_CHECKING

from bitproof.errors import IntegrityError

if TYPE_CHECKING:
    from tuf.api.metadata import Root

ROOT = "root"


def check_next_root(before: "Root", data: bytes, where: str) -> "Root":
    """The next root, when it is signed by enough keys of the one before and of its own.

    Raises:
        IntegrityError: it is not; says how many signatures are missing.
    """
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata, Root

    try:
        metadata: Metadata[Root] = Metadata.from_bytes(data)
    except RepositoryError as error:
        raise IntegrityError("the root is not usable", where=where, found=str(error)) from None
    root = metadata.signed
    if root.type != ROOT or root.version != before.version + 1:
        raise IntegrityError(
            "not the next root",
            where=where,
            expected=f"root, version {before.version + 1}",
            found=f"{root.type}, version {root.version}",
        )
    result = root.get_root_verification_result(before, metadata.signed_bytes, metadata.signatures)
    if not result:
        missing = {"present": result.first.missing, "new": result.second.missing}
        told = ", ".join(f"{count} more of the {which} root keys" for which, count in missing.items() if count)
        raise IntegrityError(
            "the root is not signed by enough keys",
            where=where,
            expected=f"signatures by {told}",
            fix="let the owners of these keys sign it: bitproof channel sign-root",
        )
    return root
