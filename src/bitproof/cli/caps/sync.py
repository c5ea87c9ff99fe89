"""``bitproof caps sync``: clone, check out, build, verify; one line a cap, in manifest order, as each is known."""

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.caps.plan import Action, Verb, part_pins, plan_sync
from bitproof.caps.siblings import Roots
from bitproof.caps.survey import survey
from bitproof.caps.sync import Outcome, Word, settled
from bitproof.caps.sync import sync as sync_caps
from bitproof.cli.caps.settings import Product, cache_directory, manifest_options, product_wanted
from bitproof.cli.progress import stages
from bitproof.cli.project import waiting_note
from bitproof.cli.session import Session, pass_session
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.model.report import Report

if TYPE_CHECKING:  # imported where used: what builds and explains costs more than looking at 74 caps
    from bitproof.caps.evidence import Evidence

COLORS = {Word.OK: "green", Word.SKIP: "yellow"}


@click.command()
@manifest_options
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Siblings at a time; default: all cores.")
@click.option("--no-cache", is_flag=True, help="Read every artifact again.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why.")
@click.option("--keep", is_flag=True, help="On a mismatch, lay the pinned bytes beside what was built.")
@pass_session
def sync(
    session: Session, ids: tuple[str, ...], jobs: int | None, no_cache: bool, dry_run: bool, keep: bool, **where: object
) -> int:
    """Bring every cap to its pin, and prove it.

    OK: the bytes match. SKIP: not pinned yet. FAIL: clone, checkout or build failed. MISMATCH: built, and the bytes
    differ. Exit 0 when all are OK or SKIP, 3 when only tools, remotes or the disk did not serve.
    """
    product = product_wanted(where)
    caps = product.manifest.select(ids)
    parts = part_pins(product.manifest.caps)
    actions = plan_sync(caps, survey(caps, product.roots, use_cache=not no_cache), parts)
    if dry_run:
        _print_plan(session, actions)
        return 0
    if all(action.verb in {Verb.KEEP, Verb.SKIP} for action in actions):
        outcomes = [_printed(session, outcome) for outcome in settled(actions, product.roots)]
    else:
        outcomes = _run(session, product, actions, parts, jobs=jobs or os.cpu_count() or 1, keep=keep)
    code = exit_code(outcomes)
    if session.json:
        report = Report(tuple(outcome.finding() for outcome in outcomes))
        session.print_json({**report.document(), "ok": code == 0})
    return code


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 when all are OK or SKIP; 3 when only a tool, a remote or the disk did not serve; else 1."""
    bad = [outcome for outcome in outcomes if outcome.word not in {Word.OK, Word.SKIP}]
    if bad and all(isinstance(outcome.error, UnavailableError) for outcome in bad):
        return UnavailableError.exit_code
    return IntegrityError.exit_code if bad else 0


def _print_plan(session: Session, actions: tuple[Action, ...]) -> None:
    rows = [{"id": action.cap.id, "action": str(action.verb), "reason": action.reason} for action in actions]
    lines = (f"{row['action']:<10} {row['id']}: {row['reason']}" for row in rows)
    session.result("\n".join(lines), {"ok": True, "plan": rows})


def _run(
    session: Session,
    product: Product,
    actions: tuple[Action, ...],
    parts: tuple[tuple[str, Digest], ...],
    *,
    jobs: int,
    keep: bool,
) -> list[Outcome]:
    """Do the plan and print each outcome as it is known."""
    from bitproof.caps.evidence import Evidence
    from bitproof.caps.work import Work

    stop = threading.Event()
    git = replace(product.git, stopped=stop.is_set)
    waiting = waiting_note(session)
    work = Work(roots=product.roots, git=git, settings=product.builds, stopped=stop.is_set, waiting=waiting)
    evidence = Evidence(cache_directory(os.environ))
    outcomes = []
    with stages(session) as stage:

        def began(cap: Cap, step: str) -> None:
            stage(f"{cap.id}: {step}")

        for outcome in sync_caps(actions, product.roots, work, jobs=jobs, stop=stop, parts=parts, began=began):
            told = explained(outcome, evidence, product.roots)
            beside = evidence.lay_beside(outcome.cap, product.roots) if keep and outcome.word is Word.MISMATCH else None
            outcomes.append(_printed(session, told, beside))
    evidence.settle(outcome.cap.digest for outcome in outcomes if outcome.word is Word.OK)
    return outcomes


def _printed(session: Session, outcome: Outcome, beside: Path | None = None) -> Outcome:
    if not session.json and not (session.quiet and outcome.word is Word.OK):
        session.out(_line(session, outcome, beside))
    return outcome


def explained(outcome: Outcome, evidence: "Evidence", roots: Roots) -> Outcome:
    """An outcome with the explanation of its mismatch; a good artifact is remembered for the next one."""
    if outcome.word is Word.OK and outcome.made:
        evidence.remember(outcome.cap.digest, *roots.place(outcome.cap))
    if outcome.word is not Word.MISMATCH:
        return outcome
    explanation = evidence.explain(outcome.cap, roots)
    return outcome if explanation is None else replace(outcome, detail=explanation.text, explanation=explanation)


def _line(session: Session, outcome: Outcome, beside: Path | None) -> str:
    """The seed's line: the word, the cap, and behind a colon what there is to say; further facts one a line."""
    line = f"{session.styled(str(outcome.word), COLORS.get(outcome.word, 'red'))} {outcome.cap.id}"
    if outcome.word is Word.SKIP:
        return f"{line}: {outcome.detail}{f': {outcome.found}' if outcome.found else ''}"
    if outcome.error is not None:
        return f"{line}: {outcome.error}"
    if outcome.word is Word.OK:
        return line
    facts = {"where": outcome.path, "expected": outcome.expected, "found": outcome.found, "why": outcome.detail}
    facts["pinned"] = str(beside or "")
    return "\n".join([line, *(f"  {name + ':':<9} {fact}" for name, fact in facts.items() if fact)])
