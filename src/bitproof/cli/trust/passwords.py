"""Where a password comes from: the terminal, or an open descriptor; never the command line or the environment."""

import sys

import click

from bitproof.cli.session import F
from bitproof.errors import InputError, UnavailableError
from bitproof.system.private import read_descriptor
from bitproof.trust.secret_key import MAX_PASSWORD


def password_option(command: F) -> F:
    """``--password-fd N``."""
    help_text = "Read the password from this open descriptor; default: ask on the terminal."
    return click.option("--password-fd", type=int, metavar="N", help=help_text)(command)


def read_password(fd: int | None, *, twice: bool = False) -> bytes:
    """The password, without the end of its line.

    Args:
        fd: where to read it; None asks on the terminal.
        twice: ask once more, so that a typing mistake does not lock a new key.

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
    password = _asked("Password")
    if twice and _asked("Password (one more time)") != password:
        raise InputError("the passwords differ")
    return password


def _asked(prompt: str) -> bytes:
    answer: str = click.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
    return answer.encode("utf-8", "surrogateescape")
