"""Clone, check out, build, verify: make what lies on disk what is pinned, and prove it (FORMATS section 6).

`survey` looks, `plan` decides, this does. Caps of one sibling follow one another, siblings go in parallel, and
precomposed caps come last, since they are made of the others. One cap's failure does not stop the others.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bitproof.caps.plan import Action, Verb
from bitproof.caps.siblings import Roots, digest_below
from bitproof.errors import BitproofError, IntegrityError, UnavailableError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.model.report import Finding, Verdict
from bitproof.system.opened import unavailable
from bitproof.system.threads import awaited, threads

if TYPE_CHECKING:  # imported where used: a sync that has nothing to do needs no threads
    from concurrent.futures import Future

    from bitproof.proof.explanation import Explanation

Began = Callable[[Cap, str], None]
"""Told a cap and the step that begins."""


def ignored(_cap: Cap, _step: str) -> None:
    """Steps nobody watches."""


class Word(StrEnum):
    """What sync says of a cap."""

    OK = "OK"
    SKIP = "SKIP"
    FAIL = "FAIL"
    MISMATCH = "MISMATCH"


VERDICTS = {
    Word.OK: Verdict.OK,
    Word.SKIP: Verdict.PLACEHOLDER,
    Word.FAIL: Verdict.FAILED,
    Word.MISMATCH: Verdict.DRIFTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it went with one cap. ``error`` is what failed; ``expected`` and ``found`` are digests in full."""

    cap: Cap
    word: Word
    path: str
    detail: str = ""
    expected: str = ""
    found: str = ""
    error: BitproofError | None = None
    explanation: "Explanation | None" = None
    made: bool = False
    """Whether it was built in this run."""

    def finding(self) -> Finding:
        """The outcome as a finding of a report."""
        detail = self.detail or (str(self.error) if self.error else "")
        return Finding(
            name=self.cap.id,
            verdict=VERDICTS[self.word],
            path=self.path,
            expected=self.expected,
            found=self.found,
            detail=detail,
            explanation=self.explanation.document() if self.explanation else None,
        )


class Work(Protocol):
    """What changes the disk for one cap (`caps.work`). Raises BitproofError; called from several threads."""

    def make(self, cap: Cap, began: Began) -> None:
        """Check out and build in the sibling."""

    def precompose(self, cap: Cap, parts: tuple[tuple[str, Digest], ...], began: Began) -> None:
        """Make a precomposed artifact in the manifest's own repository."""


def settled(actions: Sequence[Action], roots: Roots) -> Iterator[Outcome]:
    """The outcomes of actions that are only KEEP and SKIP: nothing is started for them."""
    return (_settled(action, str(roots.artifact(action.cap))) for action in actions)


def _settled(action: Action, path: str) -> Outcome:
    cap = action.cap
    if action.verb is Verb.SKIP:
        return Outcome(cap=cap, word=Word.SKIP, path=path, detail=action.reason)
    return Outcome(cap=cap, word=Word.OK, path=path, expected=str(cap.digest), found=str(cap.digest))


def sync(
    actions: Sequence[Action],
    roots: Roots,
    work: Work,
    *,
    jobs: int,
    stop: threading.Event,
    parts: tuple[tuple[str, Digest], ...] = (),
    began: Began = ignored,
) -> Iterator[Outcome]:
    """Do what was planned; yields an outcome per action, in their order, each as soon as it is known.

    Args:
        actions: from `plan_sync`.
        roots: where artifacts lie.
        work: what changes the disk.
        jobs: how many siblings at a time.
        parts: what precomposed artifacts may be made of (`part_pins`), to be recorded beside them.
        stop: set when the caller stops listening, so that what runs is ended.
        began: told the cap and what begins, from several threads.
    """
    from concurrent.futures import Future

    doing = _Doing(roots, work, parts, began, stop, {action.cap.id: Future() for action in actions})
    last = [action for action in actions if action.verb is Verb.PRECOMPOSE]
    with threads(jobs, stop) as pool:
        groups = [pool.submit(doing.group, group) for group in _by_sibling(actions)]
        pool.submit(doing.after, groups, last)
        for action in actions:
            yield awaited(doing.outcomes[action.cap.id])


def _by_sibling(actions: Sequence[Action]) -> list[list[Action]]:
    """Everything but the precomposed, what has nothing to do first."""
    groups: dict[str, list[Action]] = {}
    for action in actions:
        if action.verb is not Verb.PRECOMPOSE:
            groups.setdefault(action.cap.sibling if action.verb is Verb.BUILD else "", []).append(action)
    return sorted(groups.values(), key=lambda group: group[0].verb is Verb.BUILD)


@dataclass(frozen=True, slots=True)
class _Doing:
    """One sync: an outcome for each cap, to be waited for."""

    roots: Roots
    work: Work
    parts: tuple[tuple[str, Digest], ...]
    began: Began
    stop: threading.Event
    outcomes: dict[str, "Future[Outcome]"]

    def group(self, actions: Sequence[Action]) -> None:
        """The caps of one sibling, one after the other."""
        for action in actions:
            future = self.outcomes[action.cap.id]
            try:
                future.set_result(self.outcome(action))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
                future.set_exception(error)

    def after(self, groups: "Sequence[Future[None]]", actions: Sequence[Action]) -> None:
        """The precomposed, once all the others are there."""
        from concurrent.futures import wait

        wait(groups)
        self.group(actions)

    def outcome(self, action: Action) -> Outcome:
        """Do one action and prove its result."""
        cap, path = action.cap, str(self.roots.artifact(action.cap))
        if action.verb in {Verb.SKIP, Verb.KEEP}:
            return _settled(action, path)
        try:
            if self.stop.is_set():
                raise UnavailableError("interrupted")
            if action.verb is Verb.PRECOMPOSE:
                self.work.precompose(cap, self.parts, self.began)
            else:
                self.work.make(cap, self.began)
            digest = digest_below(*self.roots.place(cap))
        except BitproofError as error:
            return Outcome(cap=cap, word=Word.FAIL, path=path, error=error)
        except OSError as error:  # a full disk where nobody expected it stops this cap, not the others
            failure = unavailable(error, "the system refused", error.filename or path)
            return Outcome(cap=cap, word=Word.FAIL, path=path, error=failure)
        return _judged(cap, path, digest)


def _judged(cap: Cap, path: str, digest: Digest | None) -> Outcome:
    if digest is None:
        error = IntegrityError("the build did not make the artifact", where=path)
        return Outcome(cap=cap, word=Word.FAIL, path=path, error=error)
    if cap.digest_is_placeholder:
        detail = "no digest is pinned yet; this is the one that was built"
        return Outcome(cap=cap, word=Word.SKIP, path=path, detail=detail, found=str(digest))
    word = Word.OK if digest == cap.digest else Word.MISMATCH
    return Outcome(cap=cap, word=word, path=path, expected=str(cap.digest), found=str(digest), made=True)
