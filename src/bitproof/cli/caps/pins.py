"""``bitproof caps verify | regen | compose``: compare with the pins, and write them."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitproof.cli.caps.settings import Product, cache_directory, manifest_options, product_wanted
from bitproof.cli.progress import byte_progress, stages
from bitproof.cli.project import waiting_note
from bitproof.cli.session import Session, pass_session
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.model.caps_manifest import Cap, parse_caps_manifest
from bitproof.model.digest import Digest
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.files import Directory
from bitproof.system.lock import locked

if TYPE_CHECKING:  # imported where used: verify needs nothing of what builds, explains or asks git
    from bitproof.caps.regen import Repinning
    from bitproof.caps.verify import CapsReport

WORDS = {Verdict.MISSING: "MISSING", Verdict.DRIFTED: "DRIFT", Verdict.FAILED: "DRIFT"}
STATUS = {
    Verdict.OK: "OK",
    Verdict.DRIFTED: "DRIFTED",
    Verdict.FAILED: "DRIFTED",
    Verdict.MISSING: "MISSING",
    Verdict.PLACEHOLDER: "PLACEHOLDER",
}


@click.command()
@manifest_options
@click.option("--strict", is_flag=True, help="Placeholders are a failure too.")
@pass_session
def verify(session: Session, ids: tuple[str, ...], strict: bool, **where: object) -> int:
    """Recompute every digest and compare it with its pin.

    Nothing is rebuilt, and neither git nor a network is needed. Exit 0 only with nothing missing or drifted, 3 when
    nothing is wrong but that something could not be read.
    """
    from bitproof.caps.verify import verify as verify_caps

    product = product_wanted(where)
    caps = product.manifest.select(ids)
    with byte_progress(session, "verifying", _total(product, caps)) as progress:
        report = verify_caps(product.manifest, caps, product.roots, progress)
    report = _explained(report, product)
    ok = report.complete if strict else report.ok
    if session.json:
        session.print_json({**report.document(), "ok": ok})
    else:
        _print(session, report, product.manifest.product)
    if ok:
        return 0
    return UnavailableError.exit_code if report.unknown else IntegrityError.exit_code


def _total(product: Product, caps: tuple[Cap, ...]) -> int:
    total = 0
    for path in [*(product.roots.artifact(cap) for cap in caps), product.roots.own / product.manifest.composed]:
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _explained(report: "CapsReport", product: Product) -> "CapsReport":
    """The report with an explanation of each drift."""
    if all(finding.verdict is not Verdict.DRIFTED for finding in (*report.caps.findings, report.product)):
        return report
    from bitproof.caps.evidence import Evidence

    evidence = Evidence(cache_directory(os.environ))
    caps = {cap.id: cap for cap in product.manifest.caps}

    def told(finding: Finding, digest: Digest, root: Path, parts: tuple[str, ...]) -> Finding:
        if finding.verdict is not Verdict.DRIFTED:
            return finding
        explanation = evidence.explain_file(digest, root, parts)
        return (
            finding
            if explanation is None
            else replace(finding, detail=explanation.text, explanation=explanation.document())
        )

    findings = (
        told(finding, caps[finding.name].digest, *product.roots.place(caps[finding.name]))
        for finding in report.caps.findings
    )
    composed = told(report.product, product.manifest.digest, *_composed(product))
    return replace(report, caps=Report(tuple(findings)), product=composed)


def _composed(product: Product) -> tuple[Path, tuple[str, ...]]:
    return product.roots.own, tuple(product.manifest.composed.split("/"))


def _print(session: Session, report: "CapsReport", name: str) -> None:
    """A line per finding, then exactly the seed's five."""
    for finding in (*report.caps.findings, report.product):
        word = WORDS.get(finding.verdict)
        if word is None:
            continue
        session.out(f"{session.styled(word, 'red')} {finding.name}: {finding.path}")
        facts = {"expected": finding.expected, "found": finding.found, "why": finding.detail, "fix": finding.fix}
        for key, fact in facts.items():
            if fact:
                session.out(f"  {key + ':':<9} {fact}")
    summary = report.caps.summary
    session.out(f"caps OK: {summary[Verdict.OK]}")
    session.out(f"caps placeholder: {summary[Verdict.PLACEHOLDER]}")
    session.out(f"caps missing: {summary[Verdict.MISSING]}")
    session.out(f"caps drifted: {summary[Verdict.DRIFTED] + summary[Verdict.FAILED]}")
    session.out(f"{name}_sha256 status: {STATUS[report.product.verdict]}")


@click.command()
@manifest_options
@click.option("--dry-run", is_flag=True, help="Only print the diff.")
@pass_session
def regen(session: Session, ids: tuple[str, ...], dry_run: bool, **where: object) -> None:
    """Pin what is checked out and built: after a deliberate update.

    Writes each cap's HEAD and its artifact's digest, then the composed artifact's. A sibling with uncommitted changes,
    a HEAD that no ref of the remote holds or a missing artifact is refused, and then nothing is written.
    """
    from bitproof.caps.checkouts.published import pinnable_head
    from bitproof.caps.regen import regen as regenerate

    product = product_wanted(where)
    product.manifest.select(ids)
    stop = threading.Event()
    git = replace(product.git, stopped=stop.is_set)

    def pinnable(cap: Cap) -> str:
        return pinnable_head(cap, product.roots, git, waiting_note(session))

    with stages(session) as stage:
        stage("asking the remotes")
        repinning = regenerate(
            product.path,
            ids,
            product.roots,
            pinnable,
            allow_local_repos=product.allow_local,
            dry_run=dry_run,
            waiting=waiting_note(session),
            stop=stop,
        )
    _tell(session, repinning)


@click.command()
@manifest_options
@pass_session
def compose(session: Session, ids: tuple[str, ...], **where: object) -> None:
    """Run the configured compose commands, and pin their result.

    The commands run in an environment that is made and not inherited, as builds do.
    """
    from bitproof.caps.evidence import Evidence
    from bitproof.caps.regen import pin_product

    if ids:
        raise InputError("compose takes no ids", fix="bitproof caps compose")
    product = product_wanted(where)
    commands = (*product.settings.precompose, *product.settings.compose)
    if not product.settings.compose:
        fix = 'set compose = ["…"] in the [caps] table of bitproof.toml'
        raise InputError("no compose command is configured", where="caps.compose", fix=fix)
    with stages(session) as stage:
        with Directory(product.roots.own) as own, locked(own, waiting=waiting_note(session)):
            _compose(product, commands, stage)
        repinning = pin_product(
            product.path, product.roots, allow_local_repos=product.allow_local, waiting=waiting_note(session)
        )
    pinned = parse_caps_manifest(repinning.after, str(product.path), allow_local_repos=product.allow_local)
    evidence = Evidence(cache_directory(os.environ))
    evidence.remember(pinned.digest, *_composed(product))
    evidence.settle([pinned.digest])
    _tell(session, repinning)


def _compose(product: Product, commands: tuple[tuple[str, ...], ...], stage: Callable[[str], None]) -> None:
    from bitproof.caps.builds.build import compose as compose_product
    from bitproof.caps.siblings import digest_below
    from bitproof.caps.work import Work

    work = Work(roots=product.roots, git=product.git, settings=product.builds, stopped=lambda: False)
    commit, epoch = work.own_commit()
    digests = ((cap.id, digest_below(*product.roots.place(cap))) for cap in product.manifest.caps)
    parts = tuple((name, digest) for name, digest in digests if digest is not None)
    compose_product(product.manifest, product.builds, commands, commit=commit, epoch=epoch, parts=parts, began=stage)


def _tell(session: Session, repinning: "Repinning") -> None:
    text = repinning.diff().rstrip() if repinning.changed else f"{repinning.path}: unchanged"
    session.result(text, {"ok": True, "changed": repinning.changed, "diff": repinning.diff()})
