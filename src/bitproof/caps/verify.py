"""Recompute every digest and compare it with its pin: no rebuild, no git, no network, no cache (FORMATS section 6).

Artifacts are hashed in threads, the largest first: OpenSSL lets go of the interpreter while it works.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bitproof.caps.siblings import Roots, digest_below
from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.caps_manifest import Cap, CapsManifest
from bitproof.model.digest import Digest
from bitproof.model.report import Finding, Report, Verdict
from bitproof.system.opened import Progress, ignore

RESYNC = "bitproof caps sync {id}"
RECOMPOSE = "bitproof caps compose"
REPIN = f"`{RECOMPOSE}` makes it anew and pins what comes out: look at the diff before you keep it"


@dataclass(frozen=True, slots=True)
class CapsReport:
    """The findings of every cap, in manifest order, and of the composed artifact."""

    caps: Report
    product: Finding
    unread: frozenset[str] = frozenset()
    """The names of findings of which nothing is known: the system did not let them be read."""

    @property
    def unknown(self) -> bool:
        """Whether nothing is wrong but that something could not be read."""
        passing = {Verdict.OK, Verdict.PLACEHOLDER}
        wrong = {finding.name for finding in (*self.caps.findings, self.product) if finding.verdict not in passing}
        return bool(wrong) and wrong <= self.unread

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, drifted or failed; placeholders are no fault here (see ``--strict``)."""
        passing = {Verdict.OK, Verdict.PLACEHOLDER}
        return all(finding.verdict in passing for finding in (*self.caps.findings, self.product))

    @property
    def complete(self) -> bool:
        """Whether nothing is a placeholder either."""
        return Report((*self.caps.findings, self.product)).ok

    def document(self) -> dict[str, object]:
        """As JSON: the report of the caps and the composed artifact together."""
        whole = Report((*self.caps.findings, self.product))
        return {**whole.document(), "ok": self.ok, "complete": self.complete}


def verify(manifest: CapsManifest, caps: Sequence[Cap], roots: Roots, progress: Progress = ignore) -> CapsReport:
    """Check the artifacts of caps, and the composed one.

    Args:
        manifest: the pins.
        caps: which of its caps, in manifest order.
        roots: where artifacts lie.
        progress: told the bytes that are done, from several threads.
    """
    pins = [*(_cap_pin(cap, roots) for cap in caps), _product_pin(manifest, roots)]
    by_size = sorted(range(len(pins)), key=lambda index: pins[index].size, reverse=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(by_size, pool.map(lambda index: _check(pins[index], progress), by_size), strict=True))
    *findings, product = (found[index].finding for index in range(len(pins)))
    unread = frozenset(checked.finding.name for checked in found.values() if checked.unread)
    return CapsReport(Report(tuple(findings)), product, unread)


class _Checked(NamedTuple):
    """A finding, and whether it is only that the system did not let the file be read."""

    finding: Finding
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pin:
    """An artifact and what it should be; ``digest`` None is a placeholder.

    ``fix`` is what to do when it is missing, ``mend`` when it differs.
    """

    name: str
    root: Path
    parts: tuple[str, ...]
    digest: Digest | None
    fix: str
    mend: str

    @property
    def path(self) -> Path:
        return self.root.joinpath(*self.parts)

    @property
    def size(self) -> int:
        """Bytes, to order the work by; 0 when there is nothing."""
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0


def _cap_pin(cap: Cap, roots: Roots) -> _Pin:
    unpinned = cap.digest_is_placeholder or cap.sha_is_placeholder
    root, parts = roots.place(cap)
    digest = None if unpinned else cap.digest
    return _Pin(
        name=cap.id, root=root, parts=parts, digest=digest, fix=RESYNC.format(id=cap.id), mend=RESYNC.format(id=cap.id)
    )


def _product_pin(manifest: CapsManifest, roots: Roots) -> _Pin:
    digest = None if manifest.digest_is_placeholder else manifest.digest
    parts = tuple(manifest.composed.split("/"))
    return _Pin(
        name=f"{manifest.product}_sha256", root=roots.own, parts=parts, digest=digest, fix=RECOMPOSE, mend=REPIN
    )


def _check(pin: _Pin, progress: Progress) -> _Checked:
    """Open, hash, compare, close: a few descriptors at a time, however many caps there are."""
    expected = "" if pin.digest is None else str(pin.digest)
    try:
        digest = digest_below(pin.root, pin.parts, progress)
    except BitproofError as error:
        finding = Finding(
            name=pin.name,
            verdict=Verdict.FAILED,
            path=str(pin.path),
            expected=expected,
            detail=f"{error.what}: {error.found}" if error.found else error.what,
            fix=error.fix,
        )
        return _Checked(finding, isinstance(error, UnavailableError))
    if pin.digest is None:
        verdict, fix = Verdict.PLACEHOLDER, "bitproof caps regen"
    elif digest is None:
        verdict, fix = Verdict.MISSING, pin.fix
    else:
        verdict, fix = (Verdict.OK, "") if digest == pin.digest else (Verdict.DRIFTED, pin.mend)
    found = str(digest or "")
    return _Checked(
        Finding(name=pin.name, verdict=verdict, path=str(pin.path), expected=expected, found=found, fix=fix)
    )
