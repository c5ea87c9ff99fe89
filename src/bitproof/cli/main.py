"""The command ``bitproof``: errors become words and exit codes here and only here (FORMATS section 7)."""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from bitproof.errors import BitproofError, InputError, UnavailableError
from bitproof.system.interruption import signals_interrupt

if TYPE_CHECKING:  # imported where used: `entry` has to stop the collector first
    import click

    from bitproof.cli.session import Session

INTERRUPTED = 130
BROKEN_PIPE = 141
STDOUT, STDERR = 1, 2
COMPLETION = "_BITPROOF_COMPLETE"
"""Set by a shell that wants a completion, or the script for it: ``bash_source``, ``bash_complete``…"""


class InterruptionError(BitproofError):
    """Ctrl-C. Exit code 130."""

    exit_code = INTERRUPTED
    kind = "interrupted"


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    import click

    from bitproof.cli.session import Session

    session = Session()
    session.json = "--json" in argv[: argv.index("--") if "--" in argv else None]
    try:
        try:
            with signals_interrupt():
                return _run(session, argv)
        except (KeyboardInterrupt, click.Abort):
            return session.fail(InterruptionError("interrupted"))
        except BitproofError as error:
            return session.fail(error)
        except click.ClickException as error:
            return _misused(session, error)
        finally:
            _flush()
    except OSError as error:
        return _output_lost(session, error)


def _run(session: "Session", argv: Sequence[str]) -> int:
    from click.exceptions import Exit

    from bitproof.cli.commands import bitproof

    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(bitproof, {}, "bitproof", COMPLETION, instruction)
    try:
        with bitproof.make_context("bitproof", list(argv), obj=session) as context:
            result = bitproof.invoke(context)
    except Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else 0


def _misused(session: "Session", error: "click.ClickException") -> int:
    """What click refuses, in our words; a group without a command shows its help."""
    import click

    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and context:
        if not session.json:
            click.echo(context.get_help(), err=True)
            return InputError.exit_code
        error = click.UsageError("missing command", context)
    sentence = " ".join(error.format_message().split()).rstrip(".")
    fix = f"{context.command_path} --help" if context else ""
    return session.fail(InputError(sentence[:1].lower() + sentence[1:], fix=fix))


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _output_lost(session: "Session", error: OSError) -> int:
    """The system refused something nobody expected: mostly to take our output (a pipe was closed, a disk is full)."""
    if isinstance(error, BrokenPipeError):
        _discard(STDOUT, STDERR)
        return BROKEN_PIPE
    _discard(STDOUT)
    session.json = False  # stdout is gone
    where = error.filename or "standard output"
    with suppress(OSError):
        session.fail(UnavailableError("the system refused", where=where, found=error.strerror or error))
    return UnavailableError.exit_code


def _discard(*descriptors: int) -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain when it flushes."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        for descriptor in descriptors:
            os.dup2(nowhere.fileno(), descriptor)


def _open_standard_streams() -> None:
    """Give each standard stream that was closed by whoever started us an end at nothing.

    Else the next file to be opened takes its number: the kernel would become the guest's standard input.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one, as those below it are open
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", closefd=False))  # noqa: SIM115


def entry() -> NoReturn:
    """The console script.

    The collector is off, and the interpreter is not torn down at the end: a third of a short command's time.
    """
    gc.disable()
    _open_standard_streams()
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # before a command had begun
        code = INTERRUPTED
    os._exit(code)
