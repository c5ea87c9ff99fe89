"""Where a password comes from: the terminal, or an open descriptor; never the command line or the environment."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.session import F
from bitproof.errors import InputError, UnavailableError
from bitproof.system.private import read_descriptor
from bitproof.trust.secret_key import MAX_PASSWORD

if TYPE_CHECKING:
    from bitproof.trust.secret_key import SealedKey, SecretKey


def password_option(command: F) -> F:
    """``--password-fd N``."""
    help_text = "Read the password from this open descriptor; default: ask on the terminal."
    return click.option("--password-fd", type=int, metavar="N", help=help_text)(command)


class Passwords:
    """The passwords of one run: each is asked for once, however many keys it opens, and a descriptor is read once.

    Args:
        fd: where to read the one password of all keys; None asks on the terminal.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._known: list[bytes] = []

    def for_new_keys(self) -> bytes:
        """The password to seal new keys with; asked for twice. Raises as `read_password`."""
        self._known.append(read_password(self._fd, twice=True))
        return self._known[-1]

    def opened(self, key: "SealedKey", path: Path) -> "SecretKey":
        """The key of a file. One that opens with no password that is known by now may have an owner of its own.

        Raises:
            InputError: the password is wrong, or the file is damaged.
            UnavailableError: as `read_password`; too little memory.
        """
        if key.cost is None:
            return key.opened(b"", str(path))
        for password in self._known:
            try:
                return key.opened(password, str(path))
            except InputError:
                if self._fd is not None:
                    raise
        password = read_password(self._fd, of=str(path))
        self._known.append(password)
        return key.opened(password, str(path))


def read_password(fd: int | None, *, twice: bool = False, of: str = "") -> bytes:
    """The password, without the end of its line.

    Args:
        fd: where to read it; None asks on the terminal.
        twice: ask once more, so that a typing mistake does not lock a new key.
        of: the file that it opens, for whoever is asked.

    Raises:
        UnavailableError: there is no terminal, or the descriptor cannot be read.
        InputError: the two differ.
    """
    if fd is not None:
        return read_descriptor(fd, MAX_PASSWORD + 1, "the password").removesuffix(b"\n")
    if not sys.stdin.isatty():
        raise UnavailableError(
            "there is no terminal to ask for the password",
            fix="give an open descriptor: --password-fd 3 3<FILE",
        )
    password = _asked(f"Password of {of}" if of else "Password")
    if twice and _asked("Password (one more time)") != password:
        raise InputError("the passwords differ")
    return password


def _asked(prompt: str) -> bytes:
    answer: str = click.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
    return answer.encode("utf-8", "surrogateescape")
