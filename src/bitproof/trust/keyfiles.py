"""Key files: made, read, and named on a command line. Secret ones belong to their owner alone."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bitproof.errors import InputError
from bitproof.system.files import Directory
from bitproof.system.opened import exists, read_file
from bitproof.system.private import read_descriptor, read_private, write_new
from bitproof.trust.minisign import ID_SIZE, KEY_SIZE, MAX_FILE, PublicKey, is_key_text
from bitproof.trust.secret_key import SALT_SIZE, SENSITIVE, Cost, SealedKey, SecretKey, check_password, seal, unsealed

SECRET_MODE, PUBLIC_MODE = 0o600, 0o644
PUBLIC_SUFFIX = ".pub"


class KeyPair(NamedTuple):
    """Where the two halves of a key are."""

    secret: Path
    public: Path


def check_new(pair: KeyPair) -> None:
    """Refuse early what `make_key` would refuse.

    Raises:
        InputError: one of the files is there already, or both are one.
    """
    for path in pair:
        if exists(path) or path.is_symlink():
            raise InputError("the key is there already", where=path, fix="choose another name; a key is never replaced")
    if pair.secret == pair.public:
        raise InputError("the two halves of a key cannot be one file", where=pair.secret)


def make_key(pair: KeyPair, password: bytes | None, cost: Cost = SENSITIVE) -> PublicKey:
    """Make a new key and write both files.

    Args:
        pair: where to; nothing may be there.
        password: None leaves the secret key unencrypted.
        cost: what a guess of the password shall cost.

    Raises:
        InputError: a file is there already, or the password is not usable; nothing is written.
        UnavailableError: the system refused.
    """
    check_new(pair)
    if password is not None:
        check_password(password)
    key = SecretKey(os.urandom(ID_SIZE), os.urandom(KEY_SIZE))
    sealed = unsealed(key) if password is None else seal(key, password=password, salt=os.urandom(SALT_SIZE), cost=cost)
    write_new(pair.public, key.public.to_bytes(), PUBLIC_MODE, "the public key")
    try:
        write_new(pair.secret, sealed.to_bytes(), SECRET_MODE, "the secret key")
    except BaseException:
        with suppress(OSError), Directory(pair.public.parent) as directory:
            directory.remove(pair.public.name)
        raise
    return key.public


def load_sealed(path: Path) -> SealedKey:
    """Read a secret key file.

    Raises:
        UnavailableError: it cannot be opened.
        InputError: it is a symlink, open to others, or no secret key.
    """
    return SealedKey.parse(read_private(path, MAX_FILE, "the secret key"), str(path))


def load_sealed_from(fd: int) -> SealedKey:
    """Read a secret key file from a descriptor. Raises as `load_sealed`."""
    return SealedKey.parse(read_descriptor(fd, MAX_FILE, "the secret key"), f"descriptor {fd}")


def load_public(named: str, directory: Path) -> PublicKey:
    """A public key: its base64 form itself, or a file, relative to ``directory``.

    Raises:
        UnavailableError: the file cannot be opened.
        InputError: it is no public key.
    """
    if is_key_text(named):
        return PublicKey.parse_text(named, "the command line or the settings")
    path = directory / named
    return PublicKey.parse(read_file(path, MAX_FILE, "the public key"), str(path))


def load_publics(named: Iterable[str], directory: Path) -> tuple[PublicKey, ...]:
    """Several public keys, each once."""
    return tuple(dict.fromkeys(load_public(one, directory) for one in named))
