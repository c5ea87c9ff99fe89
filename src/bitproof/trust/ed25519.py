"""Ed25519 over bytes, by the library ``cryptography``, which is imported when a key is used and not before. Pure."""


def public_point(seed: bytes) -> bytes:
    """The public key of a secret seed, 32 bytes each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature of a message, 64 bytes; the same for the same seed and message."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verifies(point: bytes, value: bytes, message: bytes) -> bool:
    """Whether ``value`` is a signature of ``message`` by the key ``point``."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(point).verify(value, message)
    except InvalidSignature:
        return False
    return True
