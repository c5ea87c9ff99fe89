"""``assets manifest`` and ``deprecate``."""

import json
from pathlib import Path

import pytest

from .conftest import (
    ARCH,
    BINARY,
    CONTENTS,
    VERSION,
    Run,
    digest,
    tree,
    write_layout,
)

ROWS = "".join(f"  blake3:{digest(data)}  {ARCH}/{name}\n" for name, data in CONTENTS.items())


def test_manifest_records_and_then_finds_nothing_changed(project: Path, run: Run) -> None:
    write_layout(project / "assets")

    first = run("assets", "manifest", "--binary-version", BINARY)
    written = tree(project / "assets")
    second = run("assets", "manifest")

    assert (first.code, first.err) == (0, "")
    assert first.out == f"assets/manifest.json: assets {VERSION}\n{ROWS}"
    assert (second.code, second.out) == (0, f"assets/manifest.json: assets {VERSION}, unchanged\n{ROWS}")
    assert {name: written[name] for name in ("manifest.json", "B3SUMS")} == {
        name: tree(project / "assets")[name] for name in ("manifest.json", "B3SUMS")
    }
    assert written["B3SUMS"].decode() == "".join(f"{digest(data)}  {ARCH}/{name}\n" for name, data in CONTENTS.items())


def test_manifest_as_json(layout: Path, run: Run) -> None:
    write_layout(layout, initrd=b"another initrd")
    done = run("assets", "manifest", "--json")
    assert done.document == {
        "ok": True,
        "asset_version": "2026.0415.2",
        "manifest": "assets/manifest.json",
        "changed": True,
    }


def test_manifest_needs_a_binary_version_the_first_time(project: Path, run: Run) -> None:
    write_layout(project / "assets")
    before = tree(project)

    done = run("assets", "manifest")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: no binary version is known\n"
        "  where:    assets/manifest.json\n"
        "  found:    no manifest that lists one yet\n"
        "  fix:      name one with --binary-version, or set product.version in bitproof.toml\n"
    )
    assert tree(project) == before


def test_manifest_without_assets_says_what_to_run(project: Path, run: Run) -> None:
    done = run("assets", "manifest", "--binary-version", BINARY)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the assets directory cannot be opened\n"
        "  where:    assets\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets build\n"
    )
    assert list(project.iterdir()) == []


def test_a_refused_manifest_changes_nothing_and_leaves_no_lock(project: Path, run: Run) -> None:
    write_layout(project / "assets")
    (project / "assets" / "manifest.json").write_text('{"format": 3}')
    before = tree(project)

    done = run("assets", "manifest", "--binary-version", BINARY)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the manifest has an unknown format\n"
        "  where:    assets/manifest.json\n"
        "  expected: this version of bitproof reads format 2\n"
        "  found:    3\n"
    )
    assert tree(project) == before


@pytest.mark.parametrize("epoch", ["junk", "-1", "1.5", "99999999999", "9" * 5000, "٣", " 1"])
def test_a_junk_source_date_epoch_is_refused(
    layout: Path, run: Run, monkeypatch: pytest.MonkeyPatch, epoch: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    before = tree(layout)
    for words in (("manifest",), ("deprecate", VERSION)):
        done = run("assets", *words)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            f"error: SOURCE_DATE_EPOCH is not a time\n  expected: whole seconds since 1970\n  found:    {epoch[:80]}\n"
        )
    assert tree(layout) == before


def test_an_empty_source_date_epoch_counts_as_unset(layout: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    assert run("assets", "manifest").code == 0
    assert layout.is_dir()


def test_deprecate_marks_a_release_once(layout: Path, run: Run) -> None:
    first, second = run("assets", "deprecate", VERSION), run("assets", "deprecate", VERSION, "--json")
    assert (first.code, first.out, first.err) == (0, f"assets/manifest.json: {VERSION} is now deprecated\n", "")
    assert second.document == {"ok": True, "version": VERSION, "manifest": "assets/manifest.json", "changed": False}
    release = json.loads((layout / "manifest.json").read_text())["assets"]["releases"][VERSION]
    assert (release["deprecated"], release["deprecated_date"]) == (True, "2026-04-15")
    assert run("assets", "deprecate", VERSION).out == f"assets/manifest.json: {VERSION} is already deprecated\n"


def test_deprecate_of_an_unknown_release_names_the_known_ones(layout: Path, run: Run) -> None:
    before = tree(layout)
    done = run("assets", "deprecate", "2026.0415.9")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: the manifest has no such asset release\n  expected: one of {VERSION}\n  found:    2026.0415.9\n"
    )
    assert tree(layout) == before


def test_a_version_that_is_none_names_the_option(layout: Path, run: Run) -> None:
    for words, name in (
        (("deprecate", "../x"), "VERSION"),
        (("manifest", "--min-binary", "../x"), "--min-binary"),
        (("resolve", "--binary-version", "../x"), "--binary-version"),
        (("resolve", "--arch", "../x"), "--arch"),
        (("verify", "--arch", "../x"), "--arch"),
    ):
        done = run("assets", *words)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            f"error: invalid value for '{name}': not a name: expected 1 to 128 characters "
            "[A-Za-z0-9][A-Za-z0-9._+-]*, found '../x'\n"
            f"  fix:      bitproof assets {words[0]} --help\n"
        )
    assert layout.is_dir()
