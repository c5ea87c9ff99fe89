"""The client of `zygote`: runs a command, with or without strace on it, and says how it ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.trace import Call, read_calls

ZYGOTE = Path(__file__).with_name("zygote.py")
KILLED = -signal.SIGKILL
DEADLINE = 600


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code, negative for a signal, and what it said on both streams."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started."""

    pid: int
    output: Path


class Zygote:
    """One warmed-up Python, of this bitproof or of a changed copy of it."""

    def __init__(self, scratch: Path, package: Path | None = None) -> None:
        self.scratch = scratch
        self.count = 0
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "SOURCE_DATE_EPOCH": "1776269479",
            "PYTHONDONTWRITEBYTECODE": "1",
            **({"PYTHONPATH": str(package)} if package else {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def close(self) -> None:
        """End it."""
        with self.process as process:
            assert process.stdin is not None
            process.stdin.close()

    def _ask(self, **request: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def warm(self, argv: Sequence[str], cwd: Path) -> int:
        """Run a command, and have the warmed-up Python import all that the command did."""
        return int(self._ask(argv=_words(argv), cwd=str(cwd), warm=True)["code"])

    def start(
        self,
        argv: Sequence[str],
        cwd: Path,
        *,
        limits: Mapping[str, int] | None = None,
        deadline: int = DEADLINE,
        start: str = "now",
    ) -> Running:
        """Start a command, or a script of this directory."""
        self.count += 1
        output = self.scratch / f"output-{self.count}"
        answer = self._ask(
            argv=_words(argv), cwd=str(cwd), output=str(output), limits=limits or {}, deadline=deadline, start=start
        )
        return Running(answer["pid"], output)

    def wait(self, running: Running) -> Outcome:
        """Wait for its end."""
        code = int(self._ask(wait=running.pid)["code"])
        text = running.output.read_text(errors="replace")
        running.output.unlink()
        return Outcome(code, text)

    def ended(self, running: Running) -> bool:
        """Whether it has ended, and only waits for `wait`."""
        return Path(f"/proc/{running.pid}/stat").read_text().rpartition(") ")[2].startswith("Z")

    def run(
        self, argv: Sequence[str], cwd: Path, *, limits: Mapping[str, int] | None = None, deadline: int = DEADLINE
    ) -> Outcome:
        """Run a command to its end, or to its deadline in seconds, when SIGALRM ends it."""
        return self.wait(self.start(argv, cwd, limits=limits, deadline=deadline))

    def traced(self, argv: Sequence[str], cwd: Path, *options: str) -> tuple[Outcome, list[Call]]:
        """Run a command with strace on it from its first call to its last."""
        running = self.start(argv, cwd, start="on signal")
        log = self.scratch / "trace"
        command = ["strace", "-y", "-o", str(log), "-p", str(running.pid), *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()  # the tracee stops before it does anything more
            os.kill(running.pid, signal.SIGUSR1 if attached.endswith("attached\n") else signal.SIGKILL)
            outcome = self.wait(running)
            assert attached.endswith("attached\n"), attached
        return outcome, read_calls(log.read_text(errors="replace").splitlines())


def _words(argv: Sequence[str]) -> list[str]:
    """A command line, in which a script is one of this directory."""
    return [str(Path(__file__).with_name(argv[0])) if argv[0].endswith(".py") else argv[0], *argv[1:]]


@contextmanager
def warmed_up(scratch: Path, package: Path | None = None) -> Iterator[Zygote]:
    """A warmed-up Python for the block."""
    made = Zygote(scratch, package)
    try:
        yield made
    finally:
        made.close()
