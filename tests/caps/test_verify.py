import os
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.caps.verify import CapsReport, verify
from bitproof.model.caps_manifest import NO_DIGEST, Cap
from bitproof.model.digest import Digest
from bitproof.model.report import Finding, Verdict
from tests.caps.shelf import Shelf, cap, placeholder, sha256


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def checked(shelf: Shelf, *caps: Cap, digest: Digest | None = None) -> CapsReport:
    return verify(shelf.manifest(*caps, digest=digest), caps, shelf.roots)


def test_artifacts_that_are_as_pinned_are_ok(shelf: Shelf) -> None:
    one, composed = cap(), cap("p", precomposed=True)
    shelf.put(one, composed)

    report = checked(shelf, one, composed)

    assert report.caps.findings == (
        Finding(
            name="one",
            verdict=Verdict.OK,
            path=str(shelf.roots.git_root / "one/out/one.wasm"),
            expected=str(sha256(b"one")),
            found=str(sha256(b"one")),
        ),
        Finding(
            name="p",
            verdict=Verdict.OK,
            path=str(shelf.roots.own / "out/p.wasm"),
            expected=str(sha256(b"p")),
            found=str(sha256(b"p")),
        ),
    )
    assert report.product.verdict is Verdict.OK
    assert (report.product.name, report.product.path) == ("pylon_sha256", str(shelf.roots.own / "build/pylon.wasm"))
    assert report.ok
    assert report.complete


def test_a_changed_byte_is_a_drift_whatever_the_times_say(shelf: Shelf) -> None:
    shelf.put(cap())
    path = shelf.roots.artifact(cap())
    state = path.stat()
    path.write_bytes(b"onf")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    report = checked(shelf, cap())

    (finding,) = report.caps.findings
    assert (finding.verdict, finding.found) == (Verdict.DRIFTED, str(sha256(b"onf")))
    assert finding.fix == "bitproof caps sync one"
    assert not report.ok


def test_a_missing_artifact_is_missing(shelf: Shelf) -> None:
    composed = cap("p", precomposed=True)

    report = checked(shelf, cap(), composed)

    assert [(finding.verdict, finding.fix) for finding in report.caps.findings] == [
        (Verdict.MISSING, "bitproof caps sync one"),
        (Verdict.MISSING, "bitproof caps sync p"),
    ]
    assert not report.ok


def test_a_placeholder_is_no_fault_but_not_complete(shelf: Shelf) -> None:
    unpinned = replace(cap(), digest=NO_DIGEST)
    shelf.put(unpinned)

    report = checked(shelf, unpinned, placeholder("later"))

    assert [finding.verdict for finding in report.caps.findings] == [Verdict.PLACEHOLDER] * 2
    assert [finding.found for finding in report.caps.findings] == [str(sha256(b"one")), ""]
    assert report.ok
    assert not report.complete


@pytest.mark.parametrize(
    ("digest", "verdict", "ok"),
    [(sha256(b"another"), Verdict.DRIFTED, False), (NO_DIGEST, Verdict.PLACEHOLDER, True)],
)
def test_the_composed_artifact_has_a_verdict_of_its_own(
    shelf: Shelf, digest: Digest, verdict: Verdict, ok: bool
) -> None:
    shelf.put(cap())

    report = checked(shelf, cap(), digest=digest)

    assert (report.product.verdict, report.ok, report.complete) == (verdict, ok, False)


def test_a_missing_composed_artifact_says_how_to_make_it(shelf: Shelf) -> None:
    whole = shelf.manifest()
    (shelf.roots.own / whole.composed).unlink()

    report = verify(whole, (), shelf.roots)

    assert (report.product.verdict, report.product.fix) == (Verdict.MISSING, "bitproof caps compose")


def test_a_cap_with_the_name_of_the_products_key_does_not_borrow_its_verdict(shelf: Shelf) -> None:
    masked = cap("pylon_sha256")
    shelf.put(masked, data=b"drifted")

    report = checked(shelf, masked)

    assert [finding.verdict for finding in report.caps.findings] == [Verdict.DRIFTED]
    assert (report.product.verdict, report.ok) == (Verdict.OK, False)


@pytest.mark.parametrize("form", ["symlink", "fifo", "directory"])
def test_an_artifact_that_is_no_regular_file_fails_even_with_the_right_bytes_behind_it(
    shelf: Shelf, tmp_path: Path, form: str
) -> None:
    shelf.put(cap())
    path = shelf.roots.artifact(cap())
    path.rename(tmp_path / "right")
    if form == "symlink":
        path.symlink_to(tmp_path / "right")
    elif form == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()

    (finding,) = checked(shelf, cap()).caps.findings

    sentence = "the artifact is a symlink" if form == "symlink" else "the artifact is not a regular file"
    assert (finding.verdict, finding.detail, finding.found) == (Verdict.FAILED, sentence, "")


def test_findings_come_in_the_order_of_the_manifest_whatever_their_size(shelf: Shelf) -> None:
    caps = tuple(replace(cap(f"c{size}"), digest=sha256(b"x" * size)) for size in (10, 100_000, 0, 3_000_000, 5000))
    for each in caps:
        shelf.put(each, data=b"x" * int(each.id[1:]))
    told: list[int] = []

    report = verify(shelf.manifest(*caps), caps, shelf.roots, told.append)

    assert [finding.name for finding in report.caps.findings] == [each.id for each in caps]
    assert report.ok
    assert sum(told) == 3_105_010 + len(b"pylon")


def test_the_document_counts_the_composed_artifact_too(shelf: Shelf) -> None:
    shelf.put(cap())

    document = checked(shelf, cap(), placeholder("later")).document()

    assert (document["ok"], document["complete"]) == (True, False)
    assert document["summary"] == {"ok": 2, "placeholder": 1, "missing": 0, "drifted": 0, "failed": 0}
