"""``assets list`` and ``why``."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.model.samples import Document, boot_set, document

from .conftest import ARCH, BINARY, VERSION, Run, write_layout

TWO = ("arm64", "x86_64")


def write(path: Path, **fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(**fields)))  # type: ignore[arg-type]  # passed on


@pytest.fixture
def several(project: Path) -> Path:
    """A manifest of two arches, five releases and four binaries."""

    def both(tag: str, **fields: object) -> Document:
        return {**fields, "arches": {arch: boot_set(tag) for arch in TWO}}

    releases = {
        "2026.0415.1": both("1", deprecated=True),
        "2026.0415.2": both("2", min_binary="1.0.0"),
        "2026.0415.9": both("9", min_binary="1.0.0"),
        "2026.0415.10": both("10", min_binary="1.1.0"),
        "2026.0501.1": both("5", min_binary="2.0"),
    }
    binaries = {
        "0.9.1": {"deprecated": True},
        "0.9.2": {},
        "1.0.1776269479": {"min_assets": "2026.0415.1"},
        "1.1.1776270000": {"min_assets": "2026.0415.2"},
    }
    path = project / "assets" / "manifest.json"
    write(path, releases=releases, current="2026.0415.10", binaries=binaries, binary="1.1.1776270000")
    return path


MATRIX = """\
Which release a binary gets on arm64, x86_64
                                          2026  2026  2026  2026  2026
                                          0501  0415  0415  0415  0415
                                             1    10     9     2     1
binary          state       gets                 cur               dep
1.1.1776270000  current     2026.0415.10     .     *     +     +     .
1.0.1776269479              2026.0415.9      .     .     *     +     .
0.9.2                       none             .     .     .     .     .
0.9.1           deprecated  none             .     .     .     .     .
* gets it   + could use it   . does not fit   cur: the current release   dep: a deprecated one
"""


def drawn(out: str) -> str:
    """What follows the two lists."""
    return out[out.index("Which release") :]


def test_list_shows_both_tracks_newest_first_without_trailing_blanks(layout: Path, run: Run) -> None:
    write_layout(layout, initrd=b"another initrd")
    run("assets", "manifest", "--binary-version", "1.1.5", "--min-binary", "1.1.0")

    done = run("assets", "list")

    assert done.code == 0
    assert done.out == (
        "Assets in assets/manifest.json\n"
        f"version      date        state    {'arches'.ljust(len(ARCH))}  size  min binary\n"
        f"2026.0415.2  2026-04-15  current  {ARCH}  30 B  1.1.0\n"
        f"2026.0415.1  2026-04-15           {ARCH}  25 B  1.0.0\n"
        "Binaries\n"
        "version         date        state    min assets\n"
        "1.1.5           2026-04-15  current  2026.0415.2\n"
        "1.0.1776269479  2026-04-15           2026.0415.1\n"
        f"Which release a binary gets on {ARCH}\n"
        "                                      2026  2026\n"
        "                                      0415  0415\n"
        "                                         2     1\n"
        "binary          state    gets          cur\n"
        "1.1.5           current  2026.0415.2     *     .\n"
        "1.0.1776269479           2026.0415.1     .     *\n"
        "* gets it   + could use it   . does not fit   cur: the current release\n"
    )
    assert done.err == ""


def test_the_lists_are_never_cut_however_narrow_the_terminal(
    layout: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert f"{VERSION}  2026-04-15  current  {ARCH}" in run("assets", "list", layout / "manifest.json").out


@pytest.mark.usefixtures("several")
def test_arches_that_are_alike_share_a_matrix_which_the_reference_shows(run: Run) -> None:
    assert drawn(run("assets", "list").out) == MATRIX
    assert f"```text\n{MATRIX}```\n" in (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")


def test_arches_that_differ_have_a_matrix_each(several: Path, run: Run) -> None:
    found = json.loads(several.read_text())
    del found["assets"]["releases"]["2026.0501.1"]["arches"]["arm64"]
    several.write_text(json.dumps(found))
    out = run("assets", "list").out
    titles = [line for line in out.splitlines() if line.startswith("Which")]
    assert titles == [f"Which release a binary gets on {arch}" for arch in TWO]
    assert drawn(out).endswith(MATRIX.replace("arm64, ", ""))


@pytest.mark.usefixtures("several")
def test_a_wide_matrix_is_cut_to_the_terminal_and_says_what_is_left_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "54")
    out = drawn(run("assets", "list").out)
    assert out == (
        "Which release a binary gets on arm64, x86_64\n"
        "                                          2026  2026\n"
        "                                          0415  0415\n"
        "                                            10     9\n"
        "binary          state       gets           cur\n"
        "1.1.1776270000  current     2026.0415.10     *     +\n"
        "1.0.1776269479              2026.0415.9      .     *\n"
        "0.9.2                       none             .     .\n"
        "0.9.1           deprecated  none             .     .\n"
        "* gets it   + could use it   . does not fit   cur: the current release\n"
        "left out: 3 of 5 releases; --all draws them\n"
    )
    monkeypatch.setenv("COLUMNS", "10")
    narrow = drawn(run("assets", "list").out)
    assert "1.1.1776270000  current     2026.0415.10\n" in narrow
    assert narrow.endswith("left out: 5 of 5 releases; --all draws them\n")
    assert drawn(run("assets", "list", "--all").out) == MATRIX


def test_a_long_matrix_is_cut_to_the_newest_binaries(project: Path, run: Run) -> None:
    path = project / "assets" / "manifest.json"
    write(path, binaries={f"1.0.{number}": {} for number in range(1, 131)}, binary="1.0.130")
    out = drawn(run("assets", "list").out)
    assert out.count(VERSION) == 20
    assert out.endswith("left out: 110 of 130 binaries; --all draws them\n")
    assert drawn(run("assets", "list", "--all").out).count(VERSION) == 130
    (short,), (whole,) = (run("assets", "list", "--json", *words).document["matrix"] for words in ([], ["--all"]))
    assert (len(short["binaries"]), short["left_out"]) == (100, {"releases": 0, "binaries": 30})
    assert (len(whole["binaries"]), whole["left_out"]) == (130, {"releases": 0, "binaries": 0})


@pytest.mark.parametrize("fields", [{"releases": {}}, {"binaries": {}}, {}])
def test_a_matrix_that_would_say_nothing_more_is_not_drawn(project: Path, run: Run, fields: dict[str, object]) -> None:
    write(project / "assets" / "manifest.json", **fields)
    done = run("assets", "list")
    assert done.code == 0
    assert "Which" not in done.out


def test_a_current_release_that_is_deprecated_is_marked_as_both(several: Path, run: Run) -> None:
    assert run("assets", "deprecate", "2026.0415.10").code == 0
    out = drawn(run("assets", "list", several).out)
    assert "   c+d               dep\n1.1.1776270000  current     2026.0415.9     .     .     *     +     .\n" in out
    assert out.endswith("   dep: a deprecated one   c+d: the current one, and deprecated\n")


def test_a_long_version_widens_the_columns_and_is_still_told(several: Path, run: Run) -> None:
    several.write_text(several.read_text().replace('2026.0415.1": {', f'2026.0415.{"1" * 90}": {{'))
    out = drawn(run("assets", "list").out)
    assert "1.1.1776270000  current     2026.0415.10\n" in out
    assert out.endswith("left out: 5 of 5 releases; --all draws them\n")
    assert "1" * 90 in drawn(run("assets", "list", "--all").out)


def test_colours_mark_what_is_taken_only_where_they_are_wanted(
    several: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in run("assets", "list").out
    assert "\x1b[32m\x1b[1m   *\x1b[0m" in run("assets", "list", "--color", "always").out
    assert "\x1b[32m\x1b[1mtaken" in run("assets", "why", "1.1", "--assets", several.parent, "--color", "always").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("assets", "list", several).out


def test_list_as_json_is_the_manifest_itself_and_the_matrix(several: Path, run: Run) -> None:
    done = run("assets", "list", "--json")
    assert done.code == 0
    releases = ["2026.0501.1", "2026.0415.10", "2026.0415.9", "2026.0415.2", "2026.0415.1"]
    one = {
        "releases": releases,
        "binaries": [
            {"version": "1.1.1776270000", "gets": "2026.0415.10", "fits": releases[1:4]},
            {"version": "1.0.1776269479", "gets": "2026.0415.9", "fits": releases[2:4]},
            {"version": "0.9.2", "gets": None, "fits": []},
            {"version": "0.9.1", "gets": None, "fits": []},
        ],
        "left_out": {"releases": 0, "binaries": 0},
    }
    matrix = [{"arch": arch, **one} for arch in TWO]
    assert done.document == {"ok": True, "manifest": json.loads(several.read_text()), "matrix": matrix}


def test_why_says_of_every_release_why_it_is_taken_or_not(several: Path, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "manifest.json").write_bytes(several.read_bytes())

    done = run("assets", "why", "1.0.1776269479", "--arch", "amd64", "--base", store)

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "mode      installed\n"
        f"manifest  {store}/manifest.json\n"
        "binary    1.0.1776269479 on x86_64, min_assets 2026.0415.1\n"
        "rejected  2026.0501.1: needs a binary from 2.0 on\n"
        "rejected  2026.0415.10: needs a binary from 1.1.0 on\n"
        "taken     2026.0415.9: it is the newest that fits; assets.current 2026.0415.10: "
        "needs a binary from 1.1.0 on\n"
        "fits      2026.0415.2: 2026.0415.9 is newer, and fits too\n"
        "rejected  2026.0415.1: deprecated\n"
    )


def test_why_nothing_fits_is_exit_1(several: Path, run: Run) -> None:
    done = run("assets", "why", "0.9.1", "--arch", "arm64", "--assets", several.parent)
    assert (done.code, done.err) == (1, "")
    layout = several.parent
    assert done.out == (
        f"mode      dev: boots what lies in {layout}/arm64; installed, this manifest chooses as follows\n"
        f"manifest  {layout}/manifest.json\n"
        "binary    0.9.1 on arm64, min_assets any, deprecated\n"
        "rejected  2026.0501.1: needs a binary from 2.0 on\n"
        "rejected  2026.0415.10: needs a binary from 1.1.0 on\n"
        "rejected  2026.0415.9: needs a binary from 1.0.0 on\n"
        "rejected  2026.0415.2: needs a binary from 1.0.0 on\n"
        "rejected  2026.0415.1: deprecated\n"
        "result    no release fits, of 5\n"
    )


def test_why_as_json(store: Path, run: Run) -> None:
    known = {"arch": ARCH, "mode": "installed", "manifest": f"{store}/manifest.json"}
    reason = "it is assets.current, and fits"
    done = run("assets", "why", BINARY, "--json")
    assert done.code == 0
    assert done.document == {
        "ok": True,
        "asset_version": VERSION,
        "binary_version": BINARY,
        **known,
        "listed": True,
        "deprecated": False,
        "min_assets": VERSION,
        "releases": [{"version": VERSION, "standing": "taken", "reason": reason}],
    }
    other = run("assets", "why", "0.1", "--json")
    assert other.code == 1
    assert other.document == {
        "ok": False,
        "asset_version": None,
        "binary_version": "0.1",
        **known,
        "listed": False,
        "deprecated": False,
        "min_assets": None,
        "releases": [{"version": VERSION, "standing": "rejected", "reason": "needs a binary from 1.0.0 on"}],
    }


@pytest.mark.usefixtures("store")
def test_why_of_a_binary_that_is_not_listed_says_so(run: Run) -> None:
    assert f"binary    7 on {ARCH}, not listed, so without min_assets\n" in run("assets", "why", "7").out


@pytest.mark.usefixtures("project")
def test_why_without_a_manifest_says_what_to_run(run: Run, tmp_path: Path) -> None:
    done = run("assets", "why", "1.0")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith("  fix:      bitproof assets install\n")
    (tmp_path / "project" / "assets").mkdir()
    done = run("assets", "why", "1.0", "--assets", "assets")
    assert (done.code, done.out) == (3, "")
    assert "bitproof assets build" in done.err
