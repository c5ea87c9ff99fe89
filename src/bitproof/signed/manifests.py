"""Read a manifest only if it is signed. What is verified are the very bytes that are parsed.

A store's manifest and its signature are two files, and no rename puts both in place at once. So an install lays the
signature down first, under a name bound to the manifest's digest; a reader looks there before it looks at
``manifest.json.minisig``, and begins anew when the manifest changed under its hands. Readers take no lock.
"""

from pathlib import Path

from bitproof.errors import BitproofError, IntegrityError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST, SIGNERS
from bitproof.signed.resolve import has_signers
from bitproof.system.hashing import bytes_digest
from bitproof.system.opened import exists, read_file
from bitproof.trust.comment import check_comment
from bitproof.trust.minisign import MAX_FILE, SUFFIX, Signature
from bitproof.trust.signers import MAX_SIGNERS, Signers, parse_signers
from bitproof.trust.signing import check, prehash

SIGNATURE = MANIFEST + SUFFIX
"""Where everyone looks for a manifest's signature."""
TRIES = 10
"""How often a manifest may change while it is read, by installs that follow each other."""


def bound_name(data: bytes) -> str:
    """Where a store has the signature of the manifest with these bytes."""
    return f".manifest-{bytes_digest(data).value}{SUFFIX}"


def is_bound(name: str) -> bool:
    """Whether ``name`` is one of `bound_name`."""
    return name.startswith(".manifest-") and name.endswith(SUFFIX)


def remembered(base: Path) -> Signers | None:
    """Who has to sign a store's manifests; None when it has had no signed one.

    Raises:
        InputError: the list is there and bad.
        UnavailableError: it cannot be read.
    """
    if not has_signers(base):
        return None
    path = base / SIGNERS
    return parse_signers(read_file(path, MAX_SIGNERS, "the store's list of signers"), str(path))


def load_signed(path: Path, signers: Signers) -> AssetManifest:
    """Read a manifest that has to be signed.

    Raises:
        IntegrityError: it is not signed, or by nobody who may.
        InputError: a malformed signature, a bad manifest.
        UnavailableError: it cannot be read, or never holds still.
    """
    for _ in range(TRIES):
        data = read_file(path, MAX_JSON, "the manifest")
        try:
            return _admitted(data, path, signers)
        except BitproofError:
            if read_file(path, MAX_JSON, "the manifest") == data:
                raise
    raise UnavailableError("the manifest changes faster than it can be read", where=path, fix="try again")


def _admitted(data: bytes, path: Path, signers: Signers) -> AssetManifest:
    refusals = []
    for name in (bound_name(data), SIGNATURE):
        place = path.with_name(name)
        if exists(place):
            try:
                return admit(data, path, read_file(place, MAX_FILE, "the signature"), place, signers)
            except BitproofError as error:
                refusals.append(error)
    raise refusals[0] if refusals else unsigned(path, signers)


def admit(data: bytes, path: Path, signature: bytes, place: Path, signers: Signers) -> AssetManifest:
    """Parse a manifest, when its signature lets it in.

    Args:
        data: the manifest's bytes.
        path: where they are from.
        signature: the signature's bytes.
        place: where those are from.
        signers: who may sign.

    Raises:
        IntegrityError: nobody who may has signed it.
        InputError: a malformed signature, a bad manifest.
    """
    made = Signature.parse(signature, str(place))
    if signers.keys:
        check(prehash(data), made, signers.keys, str(path))
    manifest = AssetManifest.parse(data, str(path))
    if signers.keys:
        check_comment(made.trusted_comment, str(place), name=MANIFEST, assets=str(manifest.current))
    return manifest


def unsigned(path: Path, signers: Signers) -> IntegrityError:
    """The refusal of a manifest without a signature."""
    return IntegrityError(
        "the manifest is not signed",
        where=path,
        expected=str(signers),
        found=f"no {SIGNATURE} beside it",
        fix="the owner of the key signs it: bitproof trust sign; or take it from where it is signed",
    )
