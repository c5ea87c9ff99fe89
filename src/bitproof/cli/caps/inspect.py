"""``bitproof caps check | list``: what the manifest says, and what of it lies on disk."""

import shlex
from pathlib import Path

import click

from bitproof.caps.siblings import open_below, open_sibling
from bitproof.cli.caps.settings import Product, manifest_options, product_wanted
from bitproof.cli.render import print_report, table
from bitproof.cli.session import Session, pass_session
from bitproof.errors import BitproofError, InputError, shown
from bitproof.model.caps_manifest import Cap
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.git.repository import head
from bitproof.system.opened import read_file
from bitproof.system.process import run

MAX_PLAN = 16 << 20


@click.command()
@manifest_options
@click.option(
    "--plan", metavar="FILE|COMMAND", help="The composition plan's list of ids: a file, or what a command prints."
)
@pass_session
def check(session: Session, ids: tuple[str, ...], plan: str | None, **where: object) -> int:
    """Check the manifest's structure, and its ids against the composition plan's.

    A manifest that is not usable is refused with every problem (exit 2). Whether remotes answer is for sync to say.
    """
    if ids:
        raise InputError("check takes no ids", fix="bitproof caps check")
    product = product_wanted(where)
    path = str(product.path)
    told = f"{len(product.manifest.caps)} caps, every field as it should be"
    findings = [Finding(name="structure", verdict=Verdict.OK, path=path, found=told)]
    words = _split(plan) if plan else list(product.settings.plan)
    if words:
        base = Path.cwd() if plan else product.roots.own
        findings += _plan_findings(product, words, base)
    return print_report(session, Report(tuple(findings)), named=True)


def _split(plan: str) -> list[str]:
    if Path(plan).is_file():
        return [plan]
    try:
        return shlex.split(plan)
    except ValueError:
        raise InputError("quotes that do not match", where="--plan", found=shown(plan)) from None


def _plan_findings(product: Product, words: list[str], base: Path) -> list[Finding]:
    """The plan's ids and the manifest's, both ways."""
    ids = {cap.id for cap in product.manifest.caps}
    planned = _planned(base, words)
    findings = [
        Finding(
            name=f"plan: {name}", verdict=Verdict.MISSING, expected="a cap with this id", detail="only the plan has it"
        )
        for name in sorted(planned - ids)
    ]
    findings += [
        Finding(
            name=f"plan: {name}",
            verdict=Verdict.MISSING,
            expected="this id in the plan",
            detail="only the manifest has it",
        )
        for name in sorted(ids - planned)
    ]
    return findings or [Finding(name="plan", verdict=Verdict.OK, found=f"the same {len(ids)} ids")]


def _planned(base: Path, words: list[str]) -> set[str]:
    """The ids of a plan: a file's lines, or a command's output; blank lines and ``#`` comments do not count."""
    path = base / words[0]
    if len(words) == 1 and path.is_file() and not path.stat().st_mode & 0o111:
        data = read_file(path, MAX_PLAN, "the plan")
    else:
        data = run([str(path) if path.exists() else words[0], *words[1:]], cwd=base)
    lines = (line.split("#")[0].strip() for line in data.decode("utf-8", "replace").splitlines())
    return {line for line in lines if line}


@click.command("list")
@manifest_options
@pass_session
def list_caps(session: Session, ids: tuple[str, ...], **where: object) -> None:
    """List the caps: id, repo, commit, and what lies on disk."""
    product = product_wanted(where)
    rows = [_row(product, cap) for cap in product.manifest.select(ids)]
    if session.json:
        session.print_json({"ok": True, "caps": rows})
        return
    columns = ("id", "repo", "short", "sha", "state")
    lines = [(row["id"], row["repo"] or "-", row["short_sha"], row["sha"], row["state"]) for row in rows]
    table(session, f"Caps in {product.path}", columns, lines)


def _row(product: Product, cap: Cap) -> dict[str, str]:
    return {
        "id": cap.id,
        "repo": cap.repo,
        "short_sha": cap.sha[:12],
        "sha": cap.sha,
        "sha256": cap.digest.value,
        "path": str(product.roots.artifact(cap)),
        "state": _state(product, cap),
    }


def _state(product: Product, cap: Cap) -> str:
    """What lies on disk, without reading an artifact."""
    try:
        with open_sibling(product.roots, cap) as sibling:
            commit = head(sibling)
        file = open_below(*product.roots.place(cap))
    except BitproofError as error:
        return "no checkout" if not product.roots.directory(cap).exists() else error.what
    if file is not None:
        file.close()
    at = "precomposed" if cap.precomposed else "at its pin" if commit == cap.sha else f"at {commit or 'no commit'}"
    pinned = "placeholder" if cap.sha_is_placeholder else at
    return f"{pinned}, {'built' if file is not None else 'not built'}"
