"""What a sync has to do for each cap, and why. Pure: the manifest and what lies on disk in, actions out.

``--dry-run`` prints what this returns; `sync` does it and chooses nothing more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest


class Verb(StrEnum):
    """What is done for a cap."""

    SKIP = "skip"
    KEEP = "keep"
    BUILD = "build"
    PRECOMPOSE = "precompose"


@dataclass(frozen=True, slots=True)
class SiblingState:
    """What lies on disk for a cap.

    ``head`` is the commit of the checkout, empty when there is none; ``artifact`` its digest, None when it is missing.
    A precomposed cap has no sibling: its ``head`` is always empty, and ``parts`` are the caps it was recorded to be
    made of, with their digests.
    """

    head: str = ""
    artifact: Digest | None = None
    parts: tuple[tuple[str, Digest], ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One cap's part of the plan."""

    cap: Cap
    verb: Verb
    reason: str


def plan_sync(
    caps: tuple[Cap, ...], states: Mapping[str, SiblingState], pins: tuple[tuple[str, Digest], ...] = ()
) -> tuple[Action, ...]:
    """The actions of a sync, in manifest order.

    Args:
        caps: those that are asked for.
        states: cap id to what lies on disk.
        pins: what precomposed artifacts may be made of, as `part_pins` of the whole manifest gives it.
    """
    return tuple(_action(cap, states[cap.id], dict(pins)) for cap in caps)


def part_pins(caps: Iterable[Cap]) -> tuple[tuple[str, Digest], ...]:
    """The ids and pins of everything that a precomposed artifact may be made of."""
    return tuple((cap.id, cap.digest) for cap in caps if not cap.precomposed and not cap.digest_is_placeholder)


def _action(cap: Cap, state: SiblingState, pins: Mapping[str, Digest]) -> Action:
    if cap.sha_is_placeholder and not cap.precomposed:
        return Action(cap, Verb.SKIP, "no commit is pinned yet")
    reason = _differs(cap, state) or _made_of_others(state, pins)
    if not reason:
        return Action(cap, Verb.KEEP, "as it is pinned")
    return Action(cap, Verb.PRECOMPOSE if cap.precomposed else Verb.BUILD, reason)


def _differs(cap: Cap, state: SiblingState) -> str:
    """What is not as pinned yet; empty when all is."""
    moved = not cap.precomposed and state.head != cap.sha
    faults = {
        "there is no checkout yet": moved and not state.head,
        f"the checkout is at {state.head}": moved,
        "the artifact is missing": state.artifact is None,
        "no digest is pinned yet": cap.digest_is_placeholder,
        "the artifact is not the pinned one": state.artifact != cap.digest,
    }
    return next((reason for reason, holds in faults.items() if holds), "")


def _made_of_others(state: SiblingState, pins: Mapping[str, Digest]) -> str:
    """Which part of a precomposed artifact is pinned to other bytes now; empty when none is."""
    moved = [name for name, digest in state.parts if pins.get(name, digest) != digest]
    return f"it was made of another {', '.join(moved)}" if moved else ""
