import pytest

from tests.powercuts.disklog import (
    BLOCK,
    LOG_DISCARD,
    LOG_FLUSH,
    LOG_FUA,
    LOG_MARK,
    Flush,
    Mark,
    Piece,
    mark,
    read_log,
    write_log,
)

DISK = 1 << 20


def test_a_write_is_torn_at_the_blocks_of_the_disk() -> None:
    data = b"a" * 512 + b"b" * BLOCK + b"c" * 512
    assert read_log(write_log([(0, BLOCK - 512, data)]), DISK) == (
        Piece(BLOCK - 512, b"a" * 512),
        Piece(BLOCK, b"b" * BLOCK),
        Piece(2 * BLOCK, b"c" * 512),
    )


def test_a_flush_with_data_flushes_what_came_before_it() -> None:
    log = write_log([(0, 0, b"a" * 512), (LOG_FLUSH | LOG_FUA, 512, b"b" * 512), (LOG_FLUSH, 0, b"")])
    assert read_log(log, DISK) == (Piece(0, b"a" * 512), Flush(), Piece(512, b"b" * 512, forced=True), Flush())


def test_a_write_behind_the_file_system_is_a_mark() -> None:
    assert read_log(write_log([(0, DISK, mark(7))]), DISK) == (Mark(7),)


def test_another_write_behind_the_file_system_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a write behind the file system is no mark$"):
        read_log(write_log([(0, DISK, b"x" * 512)]), DISK)


@pytest.mark.parametrize("flag", [LOG_DISCARD, LOG_MARK])
def test_what_nothing_should_ask_for_is_refused(flag: int) -> None:
    with pytest.raises(ValueError, match=rf"^entry with flags {flag:#x}: nothing should discard or mark here$"):
        read_log(write_log([(flag, 0, b"")]), DISK)


def test_a_log_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^not a write log: magic 0x0, version 0, 0 bytes a sector$"):
        read_log(bytes(512), DISK)


def test_a_log_that_ends_too_early_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the log ends within an entry$"):
        read_log(write_log([(0, 0, b"a" * 1024)])[:-1], DISK)
