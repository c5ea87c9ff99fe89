"""The host's terminal during a shell in the guest: raw, with a way out, and as it was before when the shell ends."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from bitproof.vm.guest import Terminal

PREFIX = 0x01
"""Ctrl-a, as in QEMU's own console: Ctrl-a x ends the VM, Ctrl-a Ctrl-a sends one Ctrl-a."""


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every key goes to the guest while the block runs; the settings come back whatever ends it."""
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def describe(fd: int, name: str) -> Terminal:
    """Size of the terminal ``fd`` and its type ``name``; 24 × 80 when it does not say."""
    try:
        size = os.get_terminal_size(fd)
    except OSError:
        return Terminal(name=name)
    default = Terminal()
    return Terminal(rows=size.lines or default.rows, columns=size.columns or default.columns, name=name)


class Escape:
    """What of the keys goes to the guest.

    >>> escape = Escape()
    >>> escape.feed(b"ls"), escape.feed(bytes([PREFIX])), escape.feed(b"x"), escape.ended
    (b'ls', b'', b'', True)
    """

    def __init__(self) -> None:
        self.ended = False
        self._prefixed = False

    def feed(self, keys: bytes) -> bytes:
        """The keys for the guest; sets ``ended`` on Ctrl-a x."""
        passed = bytearray()
        for key in keys:
            if not self._prefixed and key == PREFIX:
                self._prefixed = True
                continue
            if self._prefixed and key in b"xX":
                self.ended = True
                break
            if self._prefixed and key != PREFIX:
                passed.append(PREFIX)
            passed.append(key)
            self._prefixed = False
        return bytes(passed)
