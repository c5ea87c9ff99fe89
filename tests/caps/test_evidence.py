import os
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.caps.evidence import ARTIFACTS, MAX_EXPLAINED, Evidence
from bitproof.proof.explanation import Kind
from bitproof.proof.inputs import INPUTS_SUFFIX
from tests.caps.shelf import Shelf, cap, sha256, temporaries

GOOD = sha256(b"one")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put(cap())
    return shelf


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "cache")


def test_what_is_remembered_is_recalled(shelf: Shelf, evidence: Evidence) -> None:
    evidence.remember(GOOD, *shelf.roots.place(cap()))

    assert evidence.recall(GOOD) == b"one"
    assert (evidence.cache / ARTIFACTS / GOOD.value).stat().st_mode & 0o777 == 0o444
    assert temporaries(evidence.cache) == []


def test_nothing_is_recalled_that_was_not_remembered(evidence: Evidence) -> None:
    assert evidence.recall(GOOD) is None


def test_bytes_that_are_not_the_digests_are_neither_remembered_nor_recalled(shelf: Shelf, evidence: Evidence) -> None:
    other = sha256(b"another")

    evidence.remember(other, *shelf.roots.place(cap()))

    assert list((evidence.cache / ARTIFACTS).iterdir()) == []
    (evidence.cache / ARTIFACTS / other.value).write_bytes(b"planted")
    assert evidence.recall(other) is None


@pytest.mark.parametrize("form", ["missing", "symlink"])
def test_an_artifact_that_cannot_be_read_is_not_remembered(shelf: Shelf, evidence: Evidence, form: str) -> None:
    path = shelf.roots.artifact(cap())
    path.unlink()
    if form == "symlink":
        path.symlink_to("/etc/hostname")

    evidence.remember(GOOD, *shelf.roots.place(cap()))

    assert evidence.recall(GOOD) is None
    assert evidence.explain(cap(), shelf.roots) is None


def test_an_artifact_too_large_to_explain_is_not_remembered(shelf: Shelf, evidence: Evidence) -> None:
    os.truncate(shelf.roots.artifact(cap()), MAX_EXPLAINED + 1)

    evidence.remember(GOOD, *shelf.roots.place(cap()))

    assert list((evidence.cache / ARTIFACTS).iterdir()) == []


def test_a_cache_that_cannot_be_made_is_no_fault(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    Evidence(tmp_path / "file").remember(GOOD, *shelf.roots.place(cap()))

    Evidence(tmp_path / "file").settle([GOOD])

    assert (tmp_path / "file").read_bytes() == b""


def remembered(evidence: Evidence) -> set[str]:
    return {path.name for path in (evidence.cache / ARTIFACTS).iterdir()}


def test_beyond_the_limit_what_was_unused_for_longest_is_forgotten_with_its_record(
    shelf: Shelf, evidence: Evidence
) -> None:
    caps = [cap(name) for name in ("one", "two", "six")]  # three bytes each
    for age, each in enumerate(caps):
        shelf.put(each)
        path = shelf.roots.artifact(each)
        path.with_name(path.name + INPUTS_SUFFIX).write_bytes(b"{}")
        evidence.remember(each.digest, *shelf.roots.place(each))
        os.utime(evidence.cache / ARTIFACTS / each.digest.value, (age, age))
    one, two, six = (each.digest.value for each in caps)

    replace(evidence, limit=9).settle([])
    assert remembered(evidence) == {name + suffix for name in (one, two, six) for suffix in ("", INPUTS_SUFFIX)}
    replace(evidence, limit=8).settle([caps[0].digest])

    assert remembered(evidence) == {one, one + INPUTS_SUFFIX, six, six + INPUTS_SUFFIX}


def test_what_a_killed_writer_left_in_the_cache_goes_too(evidence: Evidence) -> None:
    (evidence.cache / ARTIFACTS).mkdir(parents=True)
    (evidence.cache / ARTIFACTS / ".bitproof-0123456789abcdef.tmp").touch()

    evidence.settle([GOOD])

    assert remembered(evidence) == set()


def test_the_pinned_bytes_are_laid_beside_the_artifact(shelf: Shelf, evidence: Evidence) -> None:
    evidence.remember(GOOD, *shelf.roots.place(cap()))
    shelf.put(cap(), data=b"found")

    beside = evidence.lay_beside(cap(), shelf.roots)

    assert beside == shelf.roots.git_root / "one/out/one.wasm.expected"
    assert beside.read_bytes() == b"one"
    assert shelf.roots.artifact(cap()).read_bytes() == b"found"


def test_bytes_that_are_not_at_hand_cannot_be_laid_anywhere(shelf: Shelf, evidence: Evidence) -> None:
    assert evidence.lay_beside(cap(), shelf.roots) is None
    assert os.listdir(shelf.roots.artifact(cap()).parent) == ["one.wasm"]  # noqa: PTH208 - names


def test_a_difference_from_remembered_bytes_is_explained(shelf: Shelf, evidence: Evidence) -> None:
    evidence.remember(GOOD, *shelf.roots.place(cap()))
    shelf.put(cap(), data=b"onf")

    explanation = evidence.explain(cap(), shelf.roots)

    assert explanation is not None
    assert (explanation.cause, explanation.offset) == (Kind.BYTES, 2)


def test_without_remembered_bytes_the_explanation_says_so(shelf: Shelf, evidence: Evidence) -> None:
    explanation = evidence.explain(cap(), shelf.roots)

    assert explanation is not None
    assert explanation.cause is Kind.UNKNOWN


@pytest.mark.parametrize("recorded", [b"", b"[]", b"\xff", b"{" * 10_000])
def test_a_record_that_is_damaged_is_no_record(shelf: Shelf, evidence: Evidence, recorded: bytes) -> None:
    path = shelf.roots.artifact(cap())
    path.with_name(path.name + INPUTS_SUFFIX).write_bytes(recorded)
    evidence.remember(GOOD, *shelf.roots.place(cap()))

    explanation = evidence.explain(cap(), shelf.roots)

    assert explanation is not None
    assert explanation.inputs is None


def test_the_record_of_the_inputs_is_remembered_with_the_artifact(shelf: Shelf, evidence: Evidence) -> None:
    path = shelf.roots.artifact(cap())
    path.with_name(path.name + INPUTS_SUFFIX).write_bytes(b"recorded")

    evidence.remember(GOOD, *shelf.roots.place(cap()))

    assert (evidence.cache / ARTIFACTS / f"{GOOD.value}{INPUTS_SUFFIX}").read_bytes() == b"recorded"
