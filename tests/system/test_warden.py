import os
import select
import signal
import subprocess
import sys

import pytest

STARTS = """
import os, subprocess, sys
from bitproof.system.warden import guarded
ended, running = (subprocess.Popen(["sleep", "1000"], start_new_session=True) for _ in range(2))
with guarded(ended.pid):
    pass
with guarded(running.pid):
    print(ended.pid, running.pid, flush=True)
    sys.stdin.read()
"""
SECONDS = 30


def started() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )


def has_ended(pidfd: int, seconds: float = SECONDS) -> bool:
    return bool(select.select([pidfd], [], [], seconds)[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_is_guarded_ends_with_the_process_and_nothing_else_does(number: signal.Signals) -> None:
    with started() as process:
        assert process.stdout is not None
        try:
            ended, running = (int(word) for word in process.stdout.readline().split())
            first, second = os.pidfd_open(ended), os.pidfd_open(running)
        finally:
            process.send_signal(number)
    try:
        assert has_ended(second)
        assert not has_ended(first, 0)
    finally:
        signal.pidfd_send_signal(first, signal.SIGKILL)
        os.close(first)
        os.close(second)


def test_a_warden_that_was_killed_is_no_ones_failure() -> None:
    code = """
import os, signal
from bitproof.system import warden
with warden.guarded(os.getpid()):
    (child,) = (int(n) for n in open(f"/proc/self/task/{os.getpid()}/children").read().split())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
with warden.guarded(os.getpid()):
    print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")
