"""What host and guest say to each other: the session's protocol and the doctor's result. Pure: bytes in, values out.

The other side of the protocol is ``bitproof-agent`` of the guest (examples/microvm/guest/artifacts/bin), whose head
describes it. Everything the guest sends is hostile: sizes are capped, and what is not understood is a failure.
"""

import base64
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from bitproof.errors import InputError, IntegrityError, Problem, shown
from bitproof.model.decode import Table, child, kind, parse_json
from bitproof.model.report import Finding, Report, Verdict

PORTS = ("control", "stdin", "stdout", "stderr")
DOCTOR = ("bitproof-doctor", "--json")
MAX_COMMAND = 64 << 10
"""Bytes of a quoted command: the guest's shell reads them one by one."""
MAX_LINE = 256
MAX_RESULT = 1 << 20
MAX_FINDINGS = 1000
MAX_TEXT = 4096
MARK_DIGITS = 32

_HELLO = re.compile(r"hello 1(?: verity ([0-9a-f]{64}))?", re.ASCII)
_EXIT = re.compile(rf"exit ([0-9a-f]{{{MARK_DIGITS}}}) (0|[1-9][0-9]{{0,2}})", re.ASCII)
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
_HIGHEST_CODE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The host's terminal as a guest's shell needs to know it."""

    rows: int = 24
    columns: int = 80
    name: str = "dumb"


def quoted_command(command: Sequence[str]) -> bytes:
    """A command as the guest's shell will split it again, byte for byte.

    Raises:
        InputError: no word, an empty first word, a NUL character, or more than 64 KiB.
    """
    if not command or not command[0]:
        raise InputError("the command for the guest is empty", fix="name a program after --")
    if any("\0" in word for word in command):
        raise InputError("the command for the guest holds a NUL character", found=shown(list(command)))
    quoted = os.fsencode(shlex.join(command))
    if len(quoted) > MAX_COMMAND:
        expected = f"at most {MAX_COMMAND} bytes when quoted"
        raise InputError("the command for the guest is too long", expected=expected, found=f"{len(quoted)} bytes")
    return quoted


def request(command: bytes | None, *, time: int, mark: str, stdin: bool, terminal: Terminal) -> bytes:
    """The host's answer to the guest's ``hello``.

    Args:
        command: from `quoted_command`; None asks for a shell on the console.
        time: the host's clock in Unix seconds, for the doctor.
        mark: random hex digits that end the output and authenticate the exit code.
        stdin: whether the host sends standard input.
        terminal: size and kind, for a shell.
    """
    name = terminal.name if _TERMINAL.fullmatch(terminal.name) else "dumb"
    lines = ["bitproof 1", str(time), mark, "shell" if command is None else "command", str(int(stdin))]
    lines += [f"{terminal.rows} {terminal.columns} {name}", base64.b64encode(command or b"").decode("ascii")]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


class Control:
    """The guest's side of the control port: it says hello, then, at the end, its exit code.

    With a ``root_hash`` its hello must say that the rootfs is mapped by just that: an init that does not know the word
    of the kernel's command line would boot a rootfs that nobody has checked.
    """

    def __init__(self, mark: str, root_hash: str = "") -> None:
        self.mark = mark
        self.root_hash = root_hash
        self.greeted = False
        self.code: int | None = None
        self._line = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they come.

        Raises:
            IntegrityError: they are not the protocol.
        """
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._line) > MAX_LINE:
            self._take(self._line)

    def _take(self, line: bytes) -> None:
        text = line.decode("ascii", "replace")
        told = _EXIT.fullmatch(text)
        hello = _HELLO.fullmatch(text)
        if not self.greeted and hello:
            if self.root_hash and hello[1] != self.root_hash:
                raise IntegrityError(
                    "the guest does not check its rootfs by the pinned root hash",
                    expected=self.root_hash,
                    found=hello[1] or "a rootfs that is not mapped through dm-verity",
                    fix="its init and agent must know bitproof.verity, as those of `bitproof init vm` do; or boot "
                    "without --verity",
                )
            self.greeted = True
        elif self.greeted and self.code is None and told and told[1] == self.mark and int(told[2]) <= _HIGHEST_CODE:
            self.code = int(told[2])
        else:
            expected = "its exit code" if self.greeted else "hello 1"
            fix = "`bitproof assets build` makes an image whose agent fits this bitproof"
            raise IntegrityError(
                "the guest does not keep to the protocol", expected=expected, found=shown(text), fix=fix
            )


class Marked:
    """A stream that ends with a mark. What follows it (a background process still writing) is dropped."""

    def __init__(self, mark: str) -> None:
        self.mark = mark.encode("ascii")
        self.ended = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The bytes that are certainly output: held back is only what may be the beginning of the mark."""
        if self.ended:
            return b""
        data = self._held + data
        output, mark, _ = data.partition(self.mark)
        if mark:
            self.ended = True
            return output
        length = next((size for size in range(len(self.mark) - 1, 0, -1) if data.endswith(self.mark[:size])), 0)
        self._held = data[len(data) - length :]
        return data[: len(data) - length]


def read_doctor(output: bytes, code: int) -> Report:
    """The result of ``bitproof-doctor --json`` as a report; what cannot be read is a failed finding, never a pass.

    Args:
        output: what it wrote.
        code: its exit code, which must agree.
    """
    problems: list[Problem] = []
    findings: tuple[Finding, ...] = ()
    if len(output) > MAX_RESULT:
        problems.append(Problem("", "too long", expected=f"at most {MAX_RESULT} bytes"))
    else:
        try:
            findings = _findings(parse_json(output, "the doctor's result"), problems)
        except InputError as error:
            problems += error.problems or [Problem("", error.what, expected=error.expected, found=error.found)]
    expected = "one JSON document with findings"
    if problems or not findings:
        found = "; ".join(str(problem) for problem in problems[:10]) or "no findings"
        failed = Finding(
            name="doctor's result", verdict=Verdict.FAILED, expected=expected, found=f"{found}; exit code {code}"
        )
        return Report((*findings, failed))
    report = Report(findings)
    if report.ok == (code == 0):
        return report
    wanted = "0" if report.ok else "1"
    return Report(
        (*findings, Finding(name="doctor's exit code", verdict=Verdict.FAILED, expected=wanted, found=str(code)))
    )


def _findings(document: dict[str, object], problems: list[Problem]) -> tuple[Finding, ...]:
    root = Table(document, "", problems)
    root.integer("format", 1, 1)
    listed = root.get("findings", list, [])
    if len(listed) > MAX_FINDINGS:
        root.problem("findings", "too many", expected=f"at most {MAX_FINDINGS}", found=str(len(listed)))
        return ()
    stages = root.table("stages")
    passed = ", ".join(
        f"{shown(name)[1:-1]} {stages.integer(name, 0, 1 << 31)} ms" for name in list(stages.values)[:MAX_LINE]
    )
    findings = []
    for index, value in enumerate(listed):
        if isinstance(value, dict):
            finding = _finding(Table(value, child("findings", index), problems), passed)
            findings.append(finding)
        else:
            problems.append(
                Problem(child("findings", index), "the wrong type", expected="an object", found=kind(value))
            )
    return tuple(findings)


def _finding(table: Table, stages: str) -> Finding:
    name, expected, found = (_printable(table, key) for key in ("name", "expected", "found"))
    verdict = Verdict.OK if table.choice("verdict", ("ok", "failed")) == "ok" else Verdict.FAILED
    if name == "boot stages" and verdict is Verdict.OK:
        # All of them, in order: what a reader wants to see is the times.
        found = stages
    return Finding(name=name, verdict=verdict, expected=expected, found=found)


def _printable(table: Table, key: str) -> str:
    text = table.text(key)
    if len(text) > MAX_TEXT or not text.isprintable():
        table.problem(
            key, "not a printable text", expected=f"at most {MAX_TEXT} printable characters", found=shown(text)
        )
        return ""
    return text
