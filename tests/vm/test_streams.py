import os
import pty
import socket
import termios
from contextlib import suppress
from typing import Any

import pytest

from bitproof.vm.streams import HIGH_WATER, Capture, GuestInlet, Outlet, Source, Tail, relay
from bitproof.vm.terminal import PREFIX, Escape, describe, raw


def test_a_reader_that_does_not_read_blocks_nobody_and_gets_everything_later() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(writing)
    sent = os.urandom(HIGH_WATER)
    outlet.put(sent)
    assert outlet.full
    outlet.flush()
    received = b""
    while outlet.waiting is not None:
        received += os.read(reading, 1 << 20)
        outlet.flush()
    os.close(writing)
    while rest := os.read(reading, 1 << 20):
        received += rest
    os.close(reading)
    assert received == sent
    assert not outlet.full


def test_a_terminal_that_is_not_read_blocks_nobody_and_keeps_its_own_mode() -> None:
    controller, terminal = pty.openpty()
    outlet = Outlet(terminal)
    outlet.put(b"x" * HIGH_WATER)
    outlet.flush()
    assert outlet.waiting is not None
    assert os.get_blocking(terminal)
    outlet.close()
    os.close(controller)
    os.fstat(terminal)
    os.close(terminal)


def test_a_reader_that_has_gone_is_told() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outlet = Outlet(writing)
    outlet.put(b"x")
    with pytest.raises(BrokenPipeError):
        outlet.flush()
    os.close(writing)


def test_a_guest_that_has_gone_is_no_error_where_it_is_written_to() -> None:
    host, guest = socket.socketpair()
    guest.close()
    with host:
        inlet = GuestInlet(host.fileno())
        inlet.put(b"x")
        inlet.flush()
        assert inlet.waiting is None


def test_a_capture_keeps_one_byte_over_its_limit_and_no_more() -> None:
    capture = Capture(3)
    capture.put(b"ab")
    capture.put(b"cdef")
    capture.put(b"g")
    capture.flush()
    assert capture.data == b"abcd"


def test_a_tail_keeps_the_last_bytes() -> None:
    tail = Tail()
    tail.put(b"a" * Tail.LIMIT)
    tail.put(b"bc")
    assert tail.data == b"a" * (Tail.LIMIT - 2) + b"bc"


def test_a_source_is_not_read_while_there_is_no_room_and_tells_its_end_once() -> None:
    reading, writing = os.pipe()
    told: list[bytes] = []
    room = False
    source = Source(reading, told.append, room=lambda: room, ended=lambda: told.append(b"end"))
    os.write(writing, b"x")
    os.close(writing)
    relay([source], [], 0)
    assert told == []
    room = True
    for _ in range(3):
        relay([source], [], 0)
    os.close(reading)
    assert told == [b"x", b"end"]
    assert not source.open


def interrupted_in_raw_mode(terminal: int) -> list[Any]:
    """The settings in a block that ends badly."""
    settings: list[Any] = []
    with suppress(KeyboardInterrupt), raw(terminal):
        settings += termios.tcgetattr(terminal)
        raise KeyboardInterrupt
    return settings


def test_a_terminal_is_raw_during_the_block_and_as_before_after_a_failure() -> None:
    controller, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    during = interrupted_in_raw_mode(terminal)
    assert not during[3] & termios.ICANON
    assert termios.tcgetattr(terminal) == before
    termios.tcsetwinsize(terminal, (50, 132))
    size = describe(terminal, "xterm")
    assert (size.rows, size.columns, size.name) == (50, 132, "xterm")
    os.close(controller)
    os.close(terminal)


def test_what_is_no_terminal_has_the_usual_size() -> None:
    reading, writing = os.pipe()
    size = describe(reading, "xterm")
    assert (size.rows, size.columns) == (24, 80)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("keys", "passed", "ended"),
    [
        (b"ls\n", b"ls\n", False),
        (bytes([PREFIX, PREFIX]), bytes([PREFIX]), False),
        (bytes([PREFIX]) + b"c", bytes([PREFIX]) + b"c", False),
        (b"a" + bytes([PREFIX]) + b"xb", b"a", True),
    ],
)
def test_the_way_out_of_a_shell(keys: bytes, passed: bytes, *, ended: bool) -> None:
    escape = Escape()
    assert b"".join(escape.feed(keys[start : start + 1]) for start in range(len(keys)) if not escape.ended) == passed
    assert escape.ended == ended
