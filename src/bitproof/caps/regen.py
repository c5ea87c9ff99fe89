"""Re-pin after a deliberate update: HEADs and artifact digests go into the manifest, digits only (FORMATS section 6).

All or nothing: every cap is asked first, and one refusal means that nothing is written.
"""

import difflib
import stat
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bitproof.caps.checkouts.workshop import sibling_lock
from bitproof.caps.siblings import Roots, digest_below, open_sibling
from bitproof.errors import BitproofError, InputError, IntegrityError, Problem, UnavailableError
from bitproof.model.caps_edits import Repin, repinned
from bitproof.model.caps_manifest import (
    MAX_CAPS_MANIFEST,
    Cap,
    CapsManifest,
    parse_caps_manifest,
)
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.git.repository import head
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import read_file
from bitproof.system.threads import awaited, threads

REMOTES = 8
"""Remotes asked at a time: that waits for a network, not for a core."""

Head = Callable[[Cap], str]
"""The commit to pin for a cap (`published.pinnable_head`). Raises when its sibling is not fit to be pinned."""


@dataclass(frozen=True, slots=True)
class Repinning:
    """The manifest before and after."""

    path: Path
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether any pin changed."""
        return self.before != self.after

    def diff(self) -> str:
        """A unified diff, empty when nothing changed."""
        before, after = ([f"{line}\n" for line in data.decode().split("\n")] for data in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, str(self.path), str(self.path)))


def to_pin(manifest: CapsManifest, ids: tuple[str, ...], roots: Roots) -> tuple[Cap, ...]:
    """The caps that get new pins: those that are named; else all but placeholders that nobody has cloned yet.

    Raises:
        InputError: an id that no cap has.
    """
    selected = manifest.select(ids)
    return tuple(cap for cap in selected if ids or not cap.sha_is_placeholder or roots.directory(cap).exists())


def plan_regen(
    data: bytes,
    manifest: CapsManifest,
    caps: Sequence[Cap],
    roots: Roots,
    pinnable: Head,
    waiting: Waiting = silent,
    stop: threading.Event | None = None,
) -> bytes:
    """The manifest's new bytes.

    Args:
        data: its bytes now.
        manifest: what they say.
        caps: which caps get new pins.
        roots: where artifacts lie.
        pinnable: see `Head`; called from several threads.
        waiting: told a lock's path before waiting for a sync of that sibling; called from several threads.
        stop: set when the answers are not waited for any more.

    Raises:
        IntegrityError: a sibling or an artifact is not fit to be pinned; says which and why.
        UnavailableError: of none could it be told.
    """
    answers = _answers(caps, partial(_ask, roots=roots, pinnable=pinnable, waiting=waiting), stop or threading.Event())
    refusals = [refusal for answer in answers.values() for refusal in answer.refusals]
    try:
        product = _present(roots.own, tuple(manifest.composed.split("/")))
    except BitproofError as error:
        refusals.append((manifest.composed, error))
    if refusals:
        raise _refused(refusals)
    shas = {name: answer.sha for name, answer in answers.items()}
    digests = {name: answer.digest for name, answer in answers.items() if answer.digest is not None}
    return repinned(data, Repin(shas=shas, digests=digests, product=product))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What there is to pin for a cap; what is missing is among the refusals, each with its place."""

    sha: str = ""
    digest: Digest | None = None
    refusals: tuple[tuple[str, BitproofError], ...] = ()


def _answers(caps: Sequence[Cap], ask: Callable[[Cap], _Answer], stop: threading.Event) -> dict[str, _Answer]:
    """By cap id, in manifest order. Remotes are asked in parallel, for the caps of one sibling one after another."""
    siblings: dict[str, list[Cap]] = {}
    for cap in caps:
        siblings.setdefault("" if cap.precomposed else cap.sibling, []).append(cap)
    with threads(REMOTES, stop) as pool:
        asked = [pool.submit(lambda group: [(cap.id, ask(cap)) for cap in group], group) for group in siblings.values()]
        known = dict(answer for future in asked for answer in awaited(future))
    return {cap.id: known[cap.id] for cap in caps}


def _ask(cap: Cap, *, roots: Roots, pinnable: Head, waiting: Waiting) -> _Answer:
    """What there is to pin for one cap; both parts are asked for, so that all that is wrong is said at once."""
    refusals: list[tuple[str, BitproofError]] = []
    sha, digest = "", None
    try:
        sha = pinnable(cap)
    except BitproofError as error:
        refusals.append((f"cap {cap.id}", error))
    try:
        digest = _built(cap, sha, roots, waiting)
    except BitproofError as error:
        refusals.append((f"cap {cap.id}: {cap.artifact}", error))
    return _Answer(sha, digest, tuple(refusals))


def _refused(refusals: Sequence[tuple[str, BitproofError]]) -> BitproofError:
    """Everything that cannot be pinned; when nothing but a remote or a disk is at fault, that it cannot be told."""
    problems = []
    for place, error in refusals:
        problems.append(Problem(place, error.what, expected=error.expected, found=error.found))
        problems += [problem.within(place) for problem in error.problems]
    unknown = all(isinstance(error, UnavailableError) for _, error in refusals)
    kind = UnavailableError if unknown else IntegrityError
    return kind("these cannot be pinned", problems=problems, fix="mend these; no pin was changed")


def _built(cap: Cap, sha: str, roots: Roots, waiting: Waiting) -> Digest:
    """The artifact's digest, read while no sync works in the sibling and HEAD still is the commit to be pinned."""
    if cap.precomposed or not sha:
        return _present(*roots.place(cap))
    with sibling_lock(roots.git_root, cap.sibling, waiting), open_sibling(roots, cap) as sibling:
        found = head(sibling)
        if found != sha:
            raise IntegrityError("HEAD moved meanwhile", expected=sha, found=found or "no commit")
        return _present(*roots.place(cap))


def _present(root: Path, parts: Sequence[str]) -> Digest:
    digest = digest_below(root, parts)
    if digest is None:
        raise InputError("the artifact is missing", where=root.joinpath(*parts))
    return digest


def regen(
    path: Path,
    ids: tuple[str, ...],
    roots: Roots,
    pinnable: Head,
    *,
    allow_local_repos: bool = False,
    dry_run: bool = False,
    waiting: Waiting = silent,
    stop: threading.Event | None = None,
) -> Repinning:
    """Write each cap's HEAD and artifact digest, and the composed artifact's digest, into the manifest.

    Args:
        path: the manifest.
        ids: see `to_pin`.
        roots: where artifacts lie.
        pinnable: see `Head`.
        allow_local_repos: as for `parse_caps_manifest`.
        dry_run: write nothing.
        waiting: told the lock's path before waiting.
        stop: see `plan_regen`.

    Raises:
        IntegrityError: see `plan_regen`; nothing is written.
        InputError: a bad manifest, an unknown id.
        UnavailableError: it cannot be read or written.
    """
    return _edit(
        path,
        lambda data, manifest: plan_regen(data, manifest, to_pin(manifest, ids, roots), roots, pinnable, waiting, stop),
        allow_local_repos=allow_local_repos,
        dry_run=dry_run,
        waiting=waiting,
    )


def pin_product(path: Path, roots: Roots, *, allow_local_repos: bool = False, waiting: Waiting = silent) -> Repinning:
    """Write the composed artifact's digest into the manifest, after a successful compose. Raises as `regen`."""

    def product(data: bytes, manifest: CapsManifest) -> bytes:
        digest = _present(roots.own, tuple(manifest.composed.split("/")))
        return repinned(data, Repin(shas={}, digests={}, product=digest))

    return _edit(path, product, allow_local_repos=allow_local_repos, dry_run=False, waiting=waiting)


def _edit(
    path: Path,
    change: Callable[[bytes, CapsManifest], bytes],
    *,
    allow_local_repos: bool,
    dry_run: bool,
    waiting: Waiting,
) -> Repinning:
    with Directory(path.parent, what="the manifest's directory") as directory, locked(directory, waiting=waiting):
        before = read_file(path, MAX_CAPS_MANIFEST, "the caps manifest")
        after = change(before, parse_caps_manifest(before, str(path), allow_local_repos=allow_local_repos))
        state = directory.stat(path.name)
        if not dry_run:
            directory.remove_temporaries()
        if not dry_run and after != before and state is not None:
            directory.write(path.name, after, mode=stat.S_IMODE(state.st_mode))
        return Repinning(path, before, after)
