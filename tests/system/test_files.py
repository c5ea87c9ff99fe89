import os
import socket
import stat
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.system.content import write_all
from bitproof.system.files import Directory, is_temporary
from bitproof.system.opened import exists, open_file, read_file
from tests.evidence import names_in, refusal


def test_a_small_file_is_read_to_one_byte_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    assert read_file(path, 3) == b"1234"
    assert read_file(path, 0) == b"1"


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: open_file(tmp_path / "f", "the manifest")) == (
        "the manifest cannot be opened\n"
        f"  where:    {tmp_path}/f\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "l").symlink_to("/etc/passwd")
    sentence = f"the asset is a symlink\n  where:    {tmp_path}/l\n  expected: a regular file"
    assert refusal(InputError, lambda: open_file(tmp_path / "l", "the asset")) == sentence
    with Directory(tmp_path) as directory:
        assert refusal(InputError, lambda: directory.open("l", "the asset")) == sentence


@pytest.mark.parametrize("planted", ["directory", "fifo"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, planted: str) -> None:
    path = tmp_path / planted
    path.mkdir() if planted == "directory" else os.mkfifo(path)
    sentence = f"the asset is not a regular file\n  where:    {path}"
    assert refusal(InputError, lambda: open_file(path, "the asset")) == sentence


def test_a_device_and_a_socket_are_refused(tmp_path: Path) -> None:
    sentence = "the asset is not a regular file\n  where:    /dev/zero"
    assert refusal(InputError, lambda: open_file(Path("/dev/zero"), "the asset")) == sentence
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert refusal(UnavailableError, lambda: open_file(tmp_path / "s", "the asset")) == (
            f"the asset cannot be opened\n  where:    {tmp_path}/s\n  found:    No such device or address"
        )


def test_a_file_that_cannot_be_read_says_so() -> None:
    with open_file(Path("/proc/self/mem")) as file:
        sentence = "the file cannot be read\n  where:    /proc/self/mem\n  found:    Input/output error"
        assert refusal(UnavailableError, lambda: file.read(10)) == sentence


def test_a_directory_that_is_missing_or_none_says_so(tmp_path: Path) -> None:
    assert refusal(UnavailableError, lambda: Directory(tmp_path / "x", what="the store")) == (
        "the store cannot be opened\n"
        f"  where:    {tmp_path}/x\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )
    (tmp_path / "f").touch()
    assert refusal(UnavailableError, lambda: Directory(tmp_path / "f", create=True)) == (
        f"the directory cannot be opened\n  where:    {tmp_path}/f\n  found:    File exists"
    )


def test_a_home_that_is_a_symlink_is_resolved_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Directory(tmp_path / "link") as directory:
        (tmp_path / "link").unlink()
        directory.write("f", b"x")
        assert directory.path == tmp_path / "real"
    assert (tmp_path / "real" / "f").read_bytes() == b"x"


def test_a_child_that_is_a_symlink_is_not_entered(directory: Directory) -> None:
    (directory.path / "l").symlink_to("/etc")
    sentence = f"the directory cannot be opened\n  where:    {directory.path}/l\n  found:    Not a directory"
    assert refusal(UnavailableError, lambda: directory.child("l")) == sentence
    assert refusal(UnavailableError, lambda: directory.child("l", create=True)) == sentence


def test_a_child_is_made_when_asked(directory: Directory) -> None:
    for _ in range(2):
        with directory.child("c", create=True) as made:
            made.write("f", b"x")
    assert (directory.path / "c" / "f").read_bytes() == b"x"
    assert refusal(UnavailableError, lambda: directory.child("none")) == (
        "the directory cannot be opened\n"
        f"  where:    {directory.path}/none\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path"
    )


def test_every_entry_is_listed_with_its_own_state(directory: Directory) -> None:
    directory.write("b", b"12")
    (directory.path / "a").symlink_to("b")
    listed = directory.names()
    assert [name for name, _ in listed] == ["a", "b"]
    assert [stat.S_ISLNK(state.st_mode) for _, state in listed] == [True, False]
    assert listed[1][1].st_size == 2


def test_a_state_is_that_of_the_entry_itself(directory: Directory) -> None:
    (directory.path / "l").symlink_to("none")
    state = directory.stat("l")
    assert state is not None
    assert stat.S_ISLNK(state.st_mode)
    assert directory.stat("none") is None
    assert refusal(UnavailableError, lambda: directory.stat("x" * 300)) == (
        f"the file cannot be examined\n  where:    {directory.path}/{'x' * 300}\n  found:    File name too long"
    )


def test_whether_a_file_is_there_is_told_or_refused(tmp_path: Path) -> None:
    assert (exists(tmp_path), exists(tmp_path / "x")) == (True, False)
    assert refusal(UnavailableError, lambda: exists(tmp_path / ("x" * 300))) == (
        f"the file cannot be examined\n  where:    {tmp_path}/{'x' * 300}\n  found:    File name too long"
    )


def test_removing_what_is_gone_is_no_error(directory: Directory) -> None:
    directory.write("f", b"x")
    directory.remove("f")
    directory.remove("f")
    assert names_in(directory.path) == []


def test_a_removal_that_is_refused_says_so(directory: Directory) -> None:
    (directory.path / "c").mkdir()
    sentence = f"the file cannot be removed\n  where:    {directory.path}/c\n  found:    Is a directory"
    assert refusal(UnavailableError, lambda: directory.remove("c")) == sentence


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        (".bitproof-0123456789abcdef.tmp", True),
        (".bitproof.lock", False),
        (".bitproof-digests.json", False),
        ("a.tmp", False),
    ],
)
def test_only_the_names_of_temporaries_are_temporaries(name: str, temporary: bool) -> None:
    assert is_temporary(name) is temporary


def test_everything_is_written_however_little_the_system_takes_at_a_time() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        write_all(writer, b"x" * 1_000_000)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert len(stream.read()) == 1_000_000
    assert os.waitpid(pid, 0)[1] == 0
