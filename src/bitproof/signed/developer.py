"""The developer's key: made on first use, unencrypted, and good for what one machine tries out.

So that the daily driver walks the whole way of a release (seed 000: repack, build, sign, boot). Nobody else trusts it,
and its signatures say so: a store that knows no key takes none of them along.
"""

from pathlib import Path

from bitproof.errors import BitproofError
from bitproof.model.decode import MAX_JSON
from bitproof.signed.files import sign_file
from bitproof.signed.manifests import SIGNATURE
from bitproof.system.opened import exists, read_file
from bitproof.trust.keyfiles import PUBLIC_SUFFIX, KeyPair, load_sealed, make_key
from bitproof.trust.minisign import MAX_FILE, PublicKey, Signature
from bitproof.trust.secret_key import SecretKey
from bitproof.trust.signing import check, prehash

DEVELOPER_KEY = "keys/developer.key"
"""Below the product's home."""


def sign_as_developer(manifest: Path, home: Path, time: int, *, changed: bool) -> Signature | None:
    """Sign a dev layout's manifest, unless it is signed.

    Args:
        manifest: the dev layout's.
        home: the product's home, where the key is.
        time: seconds since 1970.
        changed: the manifest is new, so that whatever signature lies beside it is an old one.

    Returns:
        The signature; None when there was one: its own, or another key's, which it never replaces unless ``changed``.

    Raises:
        InputError: the key's file is damaged, or open to others.
        UnavailableError: the key cannot be made, or the signature cannot be written.
    """
    key = developer_key(home)
    target = manifest.with_name(SIGNATURE)
    if not changed and exists(target) and not _is_stale(manifest, target, key.public):
        return None
    return sign_file(manifest, target, key, time, developer=True)


def developer_key(home: Path) -> SecretKey:
    """The key of this machine's developer, made when there is none. Raises as `sign_as_developer`."""
    path = home / DEVELOPER_KEY
    if not exists(path):
        make_key(KeyPair(path, path.with_suffix(PUBLIC_SUFFIX)), None)
    return load_sealed(path).opened(b"", str(path))


def _is_stale(manifest: Path, target: Path, key: PublicKey) -> bool:
    """Whether a signature is the developer's, and of another manifest; or none at all."""
    try:
        made = Signature.parse(read_file(target, MAX_FILE, "the signature"), str(target))
        if made.key_id == key.key_id:
            check(prehash(read_file(manifest, MAX_JSON, "the manifest")), made, (key,), str(manifest))
    except BitproofError:
        return True
    return False
