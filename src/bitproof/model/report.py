"""Verdicts with evidence, and the report they add up to (FORMATS section 7, ``verify --json``)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check says of one thing."""

    OK = "ok"
    PLACEHOLDER = "placeholder"
    MISSING = "missing"
    DRIFTED = "drifted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict. ``expected`` and ``found`` are digests in full, or sentences; empty when there is none."""

    name: str
    verdict: Verdict
    path: str = ""
    expected: str = ""
    found: str = ""
    detail: str = ""
    fix: str = ""
    explanation: Mapping[str, object] | None = None
    """Why the bytes differ, as JSON (`proof.explanation`); None where nobody can say."""

    def document(self) -> dict[str, object]:
        """As JSON; ``detail``, ``fix`` and ``explanation`` only when they say something."""
        document: dict[str, object] = {"name": self.name, "verdict": str(self.verdict), "path": self.path}
        document |= {"expected": self.expected, "found": self.found}
        told = {"detail": self.detail, "fix": self.fix, "explanation": self.explanation}
        return document | {key: value for key, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one run, in order."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is something and all of it is ok. Nothing checked is never a pass."""
        return bool(self.findings) and all(finding.verdict is Verdict.OK for finding in self.findings)

    @property
    def summary(self) -> dict[Verdict, int]:
        """How often each verdict stands in the report, in the order of `Verdict`; one without a finding counts 0."""
        counted = Counter(finding.verdict for finding in self.findings)
        return {verdict: counted[verdict] for verdict in Verdict}

    def document(self) -> dict[str, object]:
        """As JSON: ``ok``, ``summary`` and ``findings``."""
        summary = {str(verdict): count for verdict, count in self.summary.items()}
        return {"ok": self.ok, "summary": summary, "findings": [finding.document() for finding in self.findings]}
