"""What lies on disk for each cap, so that `plan` can decide: HEADs and digests, and no git is started.

What cannot be read counts as not there. The digests of artifacts are remembered in the git root.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from bitproof.caps.plan import SiblingState
from bitproof.caps.siblings import Roots, open_below, open_within
from bitproof.errors import BitproofError, UnavailableError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.system.digest_cache import DigestCache
from bitproof.system.files import Directory
from bitproof.system.git.head import head
from bitproof.system.opened import OpenFile, exists

MAX_OTHERS = 10_000
"""Remembered digests of files that this survey does not ask for; more are forgotten."""


def survey(caps: Sequence[Cap], roots: Roots, *, use_cache: bool = True) -> dict[str, SiblingState]:
    """What lies on disk for each cap. Starts no git; reads an artifact only when it may have changed.

    Makes nothing but the cache of digests, and that only in a git root that is there.

    Args:
        caps: which.
        roots: where.
        use_cache: believe remembered digests of files whose state did not change.
    """
    if not exists(roots.git_root):
        return {cap.id: _state(cap, roots, None, DigestCache({})) for cap in caps}
    with Directory(roots.git_root, what="the git root") as git_root:
        cache = DigestCache.load(git_root) if use_cache else DigestCache({})
        states = {cap.id: _state(cap, roots, git_root, cache) for cap in caps}
        if use_cache:
            _save(cache, git_root, {str(roots.artifact(cap)) for cap in caps})
        return states


def _save(cache: DigestCache, git_root: Directory, asked: set[str]) -> None:
    """Remember what was asked for, and what other caps, or other products with this git root, asked for before."""
    others = {path: entry for path, entry in cache.entries.items() if path not in asked}
    if len(others) <= MAX_OTHERS:
        cache.used.update(others)
    with suppress(UnavailableError):  # a cache that cannot be written is no fault
        cache.save(git_root)


def _state(cap: Cap, roots: Roots, git_root: Directory | None, cache: DigestCache) -> SiblingState:
    """What cannot be read counts as not there: the sync then says why it cannot be made either."""
    if cap.precomposed:
        artifact = _artifact(lambda: open_below(*roots.place(cap)), cache)
        return SiblingState(artifact=artifact, parts=recorded_parts(cap, roots))
    if git_root is None:
        return SiblingState()
    try:
        sibling = git_root.child(cap.sibling)
    except BitproofError:
        return SiblingState()
    with sibling:
        try:
            found = head(sibling) or ""
        except BitproofError:
            found = ""
        return SiblingState(found, _artifact(lambda: open_within(sibling, cap.artifact.split("/")), cache))


def _artifact(opened: Callable[[], OpenFile | None], cache: DigestCache) -> Digest | None:
    try:
        file = opened()
        if file is None:
            return None
        with file:
            return cache.sha256(str(file.path), file)
    except BitproofError:
        return None


def recorded_parts(cap: Cap, roots: Roots) -> tuple[tuple[str, Digest], ...]:
    """What a precomposed artifact was made of, as its build recorded it; nothing when that is not to be had."""
    # Imported here: most products have no precomposed caps.
    from bitproof.proof.inputs import INPUTS_SUFFIX, MAX_INPUTS, RecordedInputs

    root, (*directories, name) = roots.place(cap)
    with suppress(BitproofError):
        file = open_below(root, [*directories, name + INPUTS_SUFFIX])
        if file is not None:
            with file:
                return RecordedInputs.parse(file.read(MAX_INPUTS)).parts
    return ()
