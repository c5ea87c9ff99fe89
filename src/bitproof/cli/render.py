"""Reports and tables as text."""

from collections.abc import Iterable, Sequence

from bitproof.cli.session import Session
from bitproof.model.report import Finding, Report, Verdict

COLORS = {Verdict.OK: "green", Verdict.PLACEHOLDER: "yellow"}


def print_report(session: Session, report: Report, *, named: bool = False) -> int:
    """Print a report and return its exit code: 0 when all of it is ok, else 1.

    Args:
        session: where to.
        report: what was found.
        named: a line begins with what was checked, not with the path of the file.
    """
    if session.json:
        session.print_json(report.document())
        return 0 if report.ok else 1
    for finding in report.findings:
        if finding.verdict is not Verdict.OK or not session.quiet:
            session.out(_finding(session, finding, named=named or not finding.path))
    told = ", ".join(f"{count} {verdict}" for verdict, count in report.summary.items() if count)
    session.note(told or "nothing was checked")
    return 0 if report.ok else 1


def _finding(session: Session, finding: Finding, *, named: bool) -> str:
    word = session.styled(f"{finding.verdict.upper():<8}", COLORS.get(finding.verdict, "red"))
    lines = [f"{word} {finding.name if named else finding.path}"]
    if finding.verdict is Verdict.OK:
        told = finding.found or (finding.path if named else "")
        return f"{lines[0]}  {told}{f' ({finding.detail})' if finding.detail else ''}".rstrip()
    facts = {"where": finding.path if named else ""}
    facts |= {"expected": finding.expected, "found": finding.found, "why": finding.detail, "fix": finding.fix}
    return "\n".join(lines + [f"  {name + ':':<9} {fact}" for name, fact in facts.items() if fact])


def table(session: Session, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, as wide as it has to be; the column ``size`` stands to the right. No line ends with blanks."""
    cells = [tuple(columns), *rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    session.out(session.styled(title, "cyan"))
    for row in cells:
        padded = (
            cell.rjust(width) if column == "size" else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        session.out("  ".join(padded).rstrip())


def facts(told: Iterable[tuple[str, str]]) -> str:
    """A word and what it stands for, a line each."""
    return "\n".join(f"{word:<9} {fact}" for word, fact in told)
