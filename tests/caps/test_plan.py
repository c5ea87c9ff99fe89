from dataclasses import replace

import pytest

from bitproof.caps.plan import Action, SiblingState, Verb, part_pins, plan_sync
from bitproof.model.caps_manifest import NO_DIGEST, Cap
from tests.caps.shelf import SHA, cap, placeholder, sha256

ONE, COMPOSED = cap(), cap(precomposed=True)
UNPINNED = replace(ONE, digest=NO_DIGEST)
GOOD, BAD = ONE.digest, sha256(b"another")


@pytest.mark.parametrize(
    ("pinned", "state", "verb", "reason"),
    [
        (ONE, SiblingState(SHA, GOOD), Verb.KEEP, "as it is pinned"),
        (ONE, SiblingState(), Verb.BUILD, "there is no checkout yet"),
        (ONE, SiblingState("", GOOD), Verb.BUILD, "there is no checkout yet"),
        (ONE, SiblingState("2" * 40, GOOD), Verb.BUILD, f"the checkout is at {'2' * 40}"),
        (ONE, SiblingState(SHA, None), Verb.BUILD, "the artifact is missing"),
        (ONE, SiblingState(SHA, BAD), Verb.BUILD, "the artifact is not the pinned one"),
        (UNPINNED, SiblingState(SHA, GOOD), Verb.BUILD, "no digest is pinned yet"),
        (UNPINNED, SiblingState(SHA, None), Verb.BUILD, "the artifact is missing"),
        (placeholder("one"), SiblingState(SHA, GOOD), Verb.SKIP, "no commit is pinned yet"),
        (replace(ONE, sha="0" * 64), SiblingState(), Verb.SKIP, "no commit is pinned yet"),
        (COMPOSED, SiblingState("", GOOD), Verb.KEEP, "as it is pinned"),
        (COMPOSED, SiblingState("", None), Verb.PRECOMPOSE, "the artifact is missing"),
        (COMPOSED, SiblingState("", BAD), Verb.PRECOMPOSE, "the artifact is not the pinned one"),
        (replace(COMPOSED, digest=NO_DIGEST), SiblingState("", GOOD), Verb.PRECOMPOSE, "no digest is pinned yet"),
        (replace(COMPOSED, sha="0" * 40), SiblingState("", None), Verb.PRECOMPOSE, "the artifact is missing"),
    ],
)
def test_what_is_done_and_why(pinned: Cap, state: SiblingState, verb: Verb, reason: str) -> None:
    assert plan_sync((pinned,), {"one": state}) == (Action(pinned, verb, reason),)


def test_a_precomposed_artifact_is_made_again_when_a_part_is_pinned_to_other_bytes() -> None:
    state = SiblingState(artifact=GOOD, parts=(("scale", GOOD), ("mixer", GOOD), ("dropped", BAD)))

    (action,) = plan_sync((COMPOSED,), {"one": state}, (("scale", BAD), ("mixer", GOOD)))
    assert action == Action(COMPOSED, Verb.PRECOMPOSE, "it was made of another scale")

    (action,) = plan_sync((COMPOSED,), {"one": state}, (("scale", GOOD), ("mixer", GOOD)))
    assert action.verb is Verb.KEEP


def test_parts_are_the_pinned_caps_that_are_not_precomposed_themselves() -> None:
    assert part_pins((ONE, COMPOSED, UNPINNED)) == (("one", GOOD),)


def test_actions_come_in_the_order_of_the_manifest() -> None:
    caps = (cap("b"), cap("p", precomposed=True), placeholder("c"), cap("a"))

    actions = plan_sync(caps, {each.id: SiblingState() for each in reversed(caps)})

    assert [action.cap for action in actions] == list(caps)
