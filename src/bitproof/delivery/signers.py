"""One kind of key: minisign's files sign manifests, and sign the roles of a channel with the same Ed25519 key."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitproof.channel.roles import KEY_NAME
from bitproof.trust.minisign import PublicKey
from bitproof.trust.secret_key import SecretKey

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey


def role_key(key: PublicKey) -> "SSlibKey":
    """A public key as a channel's root lists it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    made = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(key.point))
    made.unrecognized_fields[KEY_NAME] = key.id
    return made


def role_signer(key: SecretKey) -> "CryptoSigner":
    """A secret key as it signs a role."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(key.seed), role_key(key.public))


def role_signers(keys: Sequence[SecretKey]) -> "tuple[CryptoSigner, ...]":
    """Several of them."""
    return tuple(role_signer(key) for key in keys)
