"""A warmed-up Python that runs each command in a fork: a run costs milliseconds, and is the real entry point.

A script of its own, so that it can run with a changed copy of bitproof on ``PYTHONPATH``. Reads one JSON request a
line from standard input, and answers on standard output:

    {"argv", "cwd", "output", "limits": {name: value}, "deadline": seconds, "warm", "start": "now" | "on signal"}
    {"pid"} and later, when asked with {"wait": pid}: {"code"}, negative for a signal

After a ``warm`` request, which runs in a fork too, what the command has imported is there for all later forks; nothing
else of it is, and no thread, which a fork would lack. What starts "on signal" waits for SIGUSR1, so that a tracer can
be put on it first. Then it calls ``fsync`` in vain: a tracer counts a thread's calls, so it can hit the first ``fsync``
of another thread alone once the main thread has had its own.
"""

import datetime as dt
import importlib
import json
import os
import resource
import runpy
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, Self

BUG = 70


class Stopped(dt.datetime):
    """A clock that stands still, so that the same command makes the same bytes whenever it is run."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        """The time of all runs."""
        return cls.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), tz)


def serve() -> None:
    """Answer requests until there are no more."""
    control = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    silence(os.devnull)
    for line in control[0]:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        elif request.get("warm"):
            answer = {"code": warm(request)}
        else:
            answer = {"pid": fork(request, [stream.fileno() for stream in control])}
        print(json.dumps(answer), file=control[1], flush=True)


def fork(request: dict[str, Any], control: list[int]) -> int:
    """Start a command, and return its process once it is where a tracer may come."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        for descriptor in (*control, reader):
            os.close(descriptor)
        become(request, writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    return pid


def silence(output: str) -> None:
    """Send both output streams to a file, and read nothing."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, descriptor in enumerate((nothing, target, target)):
        os.dup2(descriptor, number)
    os.close(nothing)
    os.close(target)


def warm(request: dict[str, Any]) -> int:
    """Run a command, and import here what it imported; of a script, do what it imports."""
    if request["argv"][0].endswith(".py"):
        runpy.run_path(request["argv"][0])
        return 0
    from bitproof.cli.main import main

    reader, writer = os.pipe()
    if not os.fork():
        os.chdir(request["cwd"])
        code = main(request["argv"])
        os.write(writer, json.dumps([code, *sys.modules]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        code, *names = json.loads(stream.read())
    os.wait()
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
    return int(code)


def become(request: dict[str, Any], ready: int) -> NoReturn:
    """Run a command, or a script of ours, as this process."""
    os.chdir(request["cwd"])
    silence(request["output"])
    signal.alarm(request["deadline"])
    try:
        command = prepared(request["argv"])
        os.close(ready)
        for name, value in request.get("limits", {}).items():
            resource.setrlimit(getattr(resource, name), (value, value))
        if request["start"] == "on signal":
            signal.sigwait([signal.SIGUSR1])
            with suppress(OSError):
                os.fsync(0)
        command()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent's stack must not go on in this process
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(BUG)


def prepared(argv: list[str]) -> Callable[[], NoReturn]:
    """What the console script runs; or the ``main`` of a script, whose name ends so."""
    from bitproof.cli.main import entry

    if not argv[0].endswith(".py"):
        sys.argv = ["bitproof", *argv]
        return entry
    script = runpy.run_path(argv[0], run_name="script")["main"]
    return lambda: script_entry(script, argv[1:])


def script_entry(main: Callable[..., None], arguments: list[str]) -> NoReturn:
    """Call a script's ``main``; errors become words and exit codes as those of the console script do."""
    from bitproof.errors import BitproofError

    code = 0
    try:
        main(*arguments)
        sys.stdout.flush()
    except BitproofError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    except OSError as error:
        sys.stderr.write(f"error: the system refused: {error}\n")
        code = 3
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    dt.datetime = Stopped  # type: ignore[misc]  # before bitproof, or anything that it uses, takes the name
    serve()
