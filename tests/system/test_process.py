import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitproof.errors import UnavailableError
from bitproof.system.process import ENVIRONMENT, end_group, find_program, last_lines, run

SH = "/bin/sh"


def refusal(*argv: str, timeout: float = 60) -> str:
    with pytest.raises(UnavailableError) as caught:
        run(argv, timeout=timeout)
    return str(caught.value)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(UnavailableError) as caught:
        find_program("no-such-program", "some-package")
    assert str(caught.value) == (
        "the program no-such-program is not installed\n  fix:      apt-get install some-package"
    )


def test_a_program_is_never_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own-program").write_text("#!/bin/sh\n")
    (tmp_path / "own-program").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("", None):
        monkeypatch.delenv("PATH") if path is None else monkeypatch.setenv("PATH", path)
        with pytest.raises(UnavailableError):
            find_program("own-program", "some-package")
        assert Path(find_program("sh", "dash")).is_absolute()


def test_a_program_of_the_system_is_found_without_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("sh", "dash").endswith("/sh")


def test_the_environment_is_made_and_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    lines = run(["/usr/bin/env"], environment={"A": "1"}).decode().split()
    assert sorted(lines) == sorted(f"{name}={value}" for name, value in {**ENVIRONMENT, "A": "1"}.items())


def test_a_program_reads_bytes_or_a_file_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"file")
    with (tmp_path / "f").open("rb") as file:
        assert run(["/bin/cat"], stdin=file.fileno()) == b"file"
    assert run(["/bin/cat"], stdin=b"bytes") == b"bytes"
    assert run(["/bin/cat"]) == b""


def test_a_program_runs_where_it_is_told_with_what_it_is_given(tmp_path: Path) -> None:
    assert run([SH, "-c", "pwd"], cwd=tmp_path).decode().strip() == str(tmp_path)
    reader, writer = os.pipe()
    run([SH, "-c", f"echo x >/dev/fd/{writer}"], pass_fds=[writer])
    assert os.read(reader, 10) == b"x\n"
    os.close(reader)
    os.close(writer)


def test_a_failed_program_is_quoted() -> None:
    assert refusal(SH, "-c", "echo out; echo 'bad\x1bthing' >&2; exit 3") == (
        "sh failed\n"
        "  found:    exit code 3 of /bin/sh -c echo out; echo 'bad\x1bthing' >&2; exit 3\n"
        "  | bad\N{REPLACEMENT CHARACTER}thing"
    )
    assert refusal(SH, "-c", "echo out; exit 1").endswith("\n  | out")


def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "none")) == (
        f"none could not be started\n  where:    {tmp_path}/none\n  found:    No such file or directory"
    )


def test_a_program_that_takes_too_long_is_killed_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"(echo $$ > {pids}; exec sleep 1000) & (exec sleep 1000) & echo $! >> {pids}; wait"
    began = time.monotonic()
    assert refusal(SH, "-c", code, timeout=0.5) == (
        f"sh did not end in time\n  expected: at most 0.5 s\n  found:    /bin/sh -c {code}"
    )
    assert time.monotonic() - began < 30
    for pid in pids.read_text().split():
        assert _gone(int(pid))


def test_a_child_that_outlives_its_parent_is_killed_when_the_time_is_over(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert refusal(SH, "-c", f"sleep 1000 & echo $! > {pid}", timeout=0.5).startswith("sh did not end in time")
    assert _gone(int(pid.read_text()))


def _gone(pid: int) -> bool:
    """Whether a process has ended: it is no more, or waits to be reaped by init."""
    for _ in range(100_000):
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        os.sched_yield()
    return False


def test_a_program_that_is_to_stop_is_killed() -> None:
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) == 2

    with pytest.raises(UnavailableError) as caught:
        run([SH, "-c", "sleep 1000"], stopped=stopped)
    assert str(caught.value).startswith("sh did not end in time\n")
    assert len(asked) == 2


def test_a_slow_reader_that_may_be_stopped_still_gets_its_whole_input(tmp_path: Path) -> None:
    data = os.urandom(500_000)
    looks: list[bool] = []

    def stopped() -> bool:
        looks.append(True)
        go.touch()
        return False

    go = tmp_path / "go"
    code = """
import os, sys
os.read(0, 1)
while not os.path.exists(sys.argv[1]):
    pass
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""
    assert run([sys.executable, "-c", code, str(go)], stdin=data, stopped=stopped) == data[1:]
    assert looks


def test_a_program_that_ended_is_left_alone() -> None:
    child = subprocess.Popen([SH, "-c", "exit 4"], stdin=subprocess.PIPE, start_new_session=True)
    assert child.wait(60) == 4
    end_group(child)
    assert child.returncode == 4


def test_a_program_that_runs_is_ended() -> None:
    child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    end_group(child)
    assert child.returncode == -signal.SIGKILL


def test_the_last_lines_of_a_log_are_safe_to_print() -> None:
    log = b"\n".join(b"line %d" % number for number in range(30)) + b"\n\ta\x1b[2J\xff\r\n"
    lines = last_lines(log)
    assert len(lines) == 20
    assert lines[0] == "line 11"
    assert lines[-1] == "        a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"
