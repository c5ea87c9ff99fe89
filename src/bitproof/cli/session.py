"""What every command shares: the common options, and the two ways to speak (text, or one JSON document).

Results go to stdout, everything else to stderr (FORMATS section 7).
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from bitproof.errors import BitproofError, InputError

F = TypeVar("F", bound=Callable[..., Any])

Color = Literal["auto", "always", "never"]


class Session:
    """The common options of one run. They may stand before or after the command's name."""

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.verbose = False
        self.color: Color = "auto"

    def result(self, text: str, document: object) -> None:
        """Print the result: the document with ``--json``, else the text."""
        if self.json:
            self.print_json(document)
        elif text:
            self.out(text)

    def out(self, text: str) -> None:
        """Print a part of the result."""
        click.echo(text, color=self.colored(sys.stdout))

    def print_json(self, document: object) -> None:
        """Print one JSON document."""
        import json

        click.echo(json.dumps(document, indent=2, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Say something that is no result: on stderr, unless quiet."""
        if not self.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """Say something only ``-v`` wants to hear."""
        if self.verbose:
            self._say(text)

    def fail(self, error: BitproofError) -> int:
        """Report an error and return its exit code."""
        if self.json:
            self.print_json(error_document(error))
        else:
            self._say(f"{self.styled('error:', 'red', sys.stderr)} {error}")
        return error.exit_code

    def _say(self, text: str) -> None:
        click.echo(text, err=True, color=self.colored(sys.stderr))

    def styled(self, text: str, color: str, stream: Any = None) -> str:  # noqa: ANN401 - any text stream
        """``text`` in a colour, when the stream shows colours."""
        return click.style(text, fg=color, bold=True) if self.colored(stream or sys.stdout) else text

    def colored(self, stream: Any) -> bool:  # noqa: ANN401 - any text stream
        """Whether to colour: ``--color``, else ``NO_COLOR``, else only on a terminal."""
        if self.color != "auto":
            return self.color == "always"
        return not os.environ.get("NO_COLOR") and bool(stream.isatty())


def error_document(error: BitproofError) -> dict[str, object]:
    """An error as JSON: ``{"ok": false, "exit_code", "error": {"kind", "what", …}}``."""
    facts: dict[str, object] = {"kind": error.kind, "what": error.what, "where": error.where}
    facts |= {"expected": error.expected, "found": error.found, "fix": error.fix}
    facts |= {"problems": [str(problem) for problem in error.problems], "details": list(error.details)}
    return {"ok": False, "exit_code": error.exit_code, "error": facts}


def current_session(context: click.Context) -> Session:
    """The session of a run."""
    return context.find_root().ensure_object(Session)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value:
        setattr(current_session(context), parameter.name or "", value)


def _change_directory(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is None or context.resilient_parsing:
        return
    try:
        os.chdir(value)
    except OSError as error:
        raise InputError("the directory of -C cannot be entered", where=value, found=error.strerror or error) from None


COMMON: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("-C", "directory"),
        {"type": click.Path(path_type=Path), "callback": _change_directory, "metavar": "DIR", "help": "Work in DIR."},
    ),
    (("--json", "json"), {"is_flag": True, "callback": _remember, "help": "Print one JSON document."}),
    (("-q", "--quiet"), {"is_flag": True, "callback": _remember, "help": "No notes, no progress."}),
    (("-v", "--verbose"), {"is_flag": True, "callback": _remember, "help": "Say more."}),
    (
        ("--color", "color"),
        {"type": click.Choice(["auto", "always", "never"]), "callback": _remember, "help": "When to colour."},
    ),
)


def common(command: F) -> F:
    """Give a command the options that stand everywhere."""
    for names, settings in reversed(COMMON):
        command = click.option(*names, expose_value=False, is_eager=True, **settings)(command)
    return command


def pass_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with its `Session` first, and give it the common options; the innermost decorator."""

    def command(**values: object) -> object:
        return function(current_session(click.get_current_context()), **values)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    return common(command)
