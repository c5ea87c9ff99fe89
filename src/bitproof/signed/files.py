"""Sign one file, and verify one: a release manifest, or any other."""

from pathlib import Path

from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST
from bitproof.system.files import Directory
from bitproof.system.hashing import blake2b_digest
from bitproof.system.opened import OpenFile, open_file, read_file
from bitproof.trust.comment import check_comment, named_assets, print_comment
from bitproof.trust.minisign import MAX_FILE, PublicKey, Signature
from bitproof.trust.secret_key import SecretKey
from bitproof.trust.signing import check, prehash, signed


def sign_file(path: Path, target: Path, key: SecretKey, time: int, *, developer: bool = False) -> Signature:
    """Sign a file as it lies on the disk. One that is named ``manifest.json`` has to be a release manifest.

    Args:
        path: the file.
        target: where its signature goes; an older one is replaced.
        key: who signs.
        time: seconds since 1970, for the trusted comment.
        developer: whether it is a developer's key, which says so there.

    Raises:
        InputError: a bad manifest, or a name that does not fit into a comment; nothing is written.
        UnavailableError: it cannot be read, or the signature cannot be written.
    """
    with open_file(path) as file:
        digest, assets = _manifest(file) if path.name == MANIFEST else (blake2b_digest(file), "")
    made = signed(key, digest, print_comment(path.name, time, assets, developer=developer))
    with Directory(target.parent, what="the signature's directory") as directory:
        directory.write(target.name, made.to_bytes())
    return made


def verify_file(path: Path, signature: Path, keys: tuple[PublicKey, ...]) -> tuple[PublicKey, Signature]:
    """Who signed a file, and with what.

    Raises:
        IntegrityError: none of the keys signed these bytes under this name.
        InputError: the signature is not minisign's, or a legacy one.
        UnavailableError: the file or its signature cannot be opened.
    """
    made = Signature.parse(read_file(signature, MAX_FILE, "the signature"), str(signature))
    with open_file(path) as file:
        data = file.read(MAX_JSON) if named_assets(made.trusted_comment) else None
        digest = blake2b_digest(file) if data is None else prehash(data)
    key = check(digest, made, keys, str(path))
    assets = "" if data is None else str(AssetManifest.parse(data, str(path)).current)
    check_comment(made.trusted_comment, str(signature), name=path.name, assets=assets)
    return key, made


def _manifest(file: OpenFile) -> tuple[bytes, str]:
    """The digest of a manifest, and its current assets version, from one reading."""
    data = file.read(MAX_JSON)
    return prehash(data), str(AssetManifest.parse(data, str(file.path)).current)
