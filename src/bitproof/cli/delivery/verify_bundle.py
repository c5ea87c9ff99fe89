"""``bitproof verify-bundle``: decide on a release offline."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from bitproof.cli.channel.options import telling
from bitproof.cli.delivery.sources import given_root, kept_root
from bitproof.cli.project import PATH, arches_option, arches_or_host, assets_option, base_option, settings
from bitproof.cli.render import print_report
from bitproof.cli.session import Session, pass_session
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.errors import InputError, UnavailableError
from bitproof.model.report import Finding, Report, Verdict

CANNOT_CHECK = 3


@click.command("verify-bundle")
@click.argument("file", type=PATH)
@click.option("--root", metavar="FILE|sha256:DIGEST", help="The root to trust; default: the one that the store trusts.")
@base_option
@assets_option
@arches_option
@signature_option
@click.option("--ignore-expiry", is_flag=True, help="Say whether it was signed, not whether it still is in force.")
@pass_session
def verify_bundle(
    session: Session,
    file: Path,
    root: str | None,
    base: Path | None,
    assets: Path | None,
    arches: tuple[str, ...],
    signers: tuple[str, ...],
    ignore_expiry: bool,
) -> int:
    """Decide, without a network, whether FILE is a release that the channel's keys signed.

    FILE is what `channel export` wrote. With --base or --assets, whether the files there are that release, bit for bit.
    Exit 0: it verifies. 1: it does not. 3: it cannot be checked.
    """
    from bitproof.channel.backends.archive import ArchivePlace
    from bitproof.channel.trusted import ALWAYS
    from bitproof.delivery.decide import decide, files_at, files_in

    if base is not None and assets is not None:
        raise InputError("--base and --assets exclude each other", fix="name a store or a dev layout, not both")
    found = settings()
    trusted = given_root(root) if root else kept_root(base or found.store(os.environ).value)
    if trusted is None:
        raise UnavailableError(
            "there is no root to trust, so that nothing can be checked",
            where=file,
            fix="get the channel's root from a source you trust: --root FILE, or --root sha256:DIGEST",
        )
    archive = ArchivePlace(file)
    now = ALWAYS if ignore_expiry else datetime.now(UTC)
    proved = decide(archive, trusted, now, keys_wanted(signers, found))
    detail = f"assets {proved.version}, signed until {proved.believed.expires:%Y-%m-%d %H:%M} UTC"
    report = Report((Finding(name=str(file), verdict=Verdict.OK, detail=detail),))
    report = Report(report.findings + files_in(archive, proved, telling(session)).findings)
    where = base or assets
    if where is not None:
        report = Report(report.findings + files_at(where, arches_or_host(arches), proved, telling(session)).findings)
    code = print_report(session, report, named=True)
    only_missing = {finding.verdict for finding in report.findings} <= {Verdict.OK, Verdict.MISSING}
    return CANNOT_CHECK if code and only_missing else code
