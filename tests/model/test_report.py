from bitproof.model.report import Finding, Report, Verdict


def test_nothing_checked_is_never_a_pass() -> None:
    assert Report(()).ok is False


def test_a_placeholder_is_never_a_pass() -> None:
    good = Finding(name="a", verdict=Verdict.OK)
    assert Report((good,)).ok is True
    assert Report((good, Finding(name="b", verdict=Verdict.PLACEHOLDER))).ok is False


def test_a_report_as_json() -> None:
    drifted = Finding(name="a", verdict=Verdict.DRIFTED, path="/a", expected="x", found="y", detail="d", fix="f")
    assert Report((Finding(name="b", verdict=Verdict.OK), drifted)).document() == {
        "ok": False,
        "summary": {"ok": 1, "placeholder": 0, "missing": 0, "drifted": 1, "failed": 0},
        "findings": [
            {"name": "b", "verdict": "ok", "path": "", "expected": "", "found": ""},
            {
                "name": "a",
                "verdict": "drifted",
                "path": "/a",
                "expected": "x",
                "found": "y",
                "detail": "d",
                "fix": "f",
            },
        ],
    }
