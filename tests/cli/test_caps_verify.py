import os
from pathlib import Path

import pytest

from tests.caps.shelf import Shelf, cap, sha256
from tests.cli.products import BITPROOF, ZEROS, Terminal, Told, entry, lay_out, run

SHELF = [entry("one"), entry("two"), entry("later", sha="0" * 40, digest=ZEROS)]


def lines(ok: int, placeholder: int, missing: int, drifted: int, status: str) -> str:
    return (
        f"caps OK: {ok}\ncaps placeholder: {placeholder}\ncaps missing: {missing}\ncaps drifted: {drifted}\n"
        f"pylon_sha256 status: {status}\n"
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = lay_out(tmp_path, *SHELF)
    shelf.put(cap("one"), cap("two"))
    return shelf


@pytest.fixture
def bitproof(shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(shelf.roots.own, capsys, monkeypatch)


def test_when_all_is_well_exactly_the_seeds_five_lines_are_printed(bitproof: Terminal) -> None:
    assert bitproof("verify") == Told(0, lines(2, 1, 0, 0, "OK"), "")


def test_a_placeholder_fails_only_a_strict_verify(bitproof: Terminal) -> None:
    assert bitproof("verify", "--strict") == Told(1, lines(2, 1, 0, 0, "OK"), "")
    assert bitproof("verify", "--strict", "one", "two") == Told(0, lines(2, 0, 0, 0, "OK"), "")


def test_a_missing_artifact_has_a_line_before_the_five(bitproof: Terminal, shelf: Shelf) -> None:
    path = shelf.roots.artifact(cap("two"))
    path.unlink()

    told = f"MISSING two: {path}\n  expected: {sha256(b'two')}\n  fix:      bitproof caps sync two\n"
    assert bitproof("verify") == Told(1, told + lines(1, 1, 1, 0, "OK"), "")


def test_a_drifted_artifact_has_both_digests_in_full_and_an_explanation(bitproof: Terminal, shelf: Shelf) -> None:
    path = shelf.roots.artifact(cap("one"))
    path.write_bytes(b"onf")

    told = (
        f"DRIFT one: {path}\n"
        f"  expected: {sha256(b'one')}\n"
        f"  found:    {sha256(b'onf')}\n"
        "  why:      The expected bytes are not at hand to compare with. Found is a file that is not wasm of 3 bytes. "
        "What the expected and the found artifact was built from is not recorded.\n"
        "  fix:      bitproof caps sync one\n"
    )
    assert bitproof("verify") == Told(1, told + lines(1, 1, 0, 1, "OK"), "")


def test_an_artifact_that_is_a_symlink_counts_as_drifted(bitproof: Terminal, shelf: Shelf) -> None:
    path = shelf.roots.artifact(cap("one"))
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")

    told = f"DRIFT one: {path}\n  expected: {sha256(b'one')}\n  why:      the artifact is a symlink\n"
    assert bitproof("verify") == Told(1, told + lines(1, 1, 0, 1, "OK"), "")


@pytest.mark.parametrize(("form", "status"), [("drifted", "DRIFTED"), ("missing", "MISSING"), ("symlink", "DRIFTED")])
def test_the_composed_artifact_has_a_status_and_a_line(
    bitproof: Terminal, shelf: Shelf, form: str, status: str
) -> None:
    path = shelf.roots.own / "build/pylon.wasm"
    if form == "drifted":
        path.write_bytes(b"other")
    else:
        path.unlink()
    if form == "symlink":
        path.symlink_to("/etc/hostname")

    told = bitproof("verify")

    assert told.code == 1
    assert told.out.startswith(f"{status.removesuffix('ED')} pylon_sha256: {path}\n")
    assert told.out.endswith(lines(2, 1, 0, 0, status))


def test_a_composed_placeholder_fails_only_a_strict_verify(bitproof: Terminal, shelf: Shelf) -> None:
    manifest = shelf.roots.own / "caps-manifest.toml"
    manifest.write_text(manifest.read_text().replace(sha256(b"pylon").value, ZEROS))

    assert bitproof("verify") == Told(0, lines(2, 1, 0, 0, "PLACEHOLDER"), "")
    assert bitproof("verify", "--strict").code == 1


def bound(command: str, shelf: Shelf) -> Told:
    """Run a command as one whom file modes bind, root too."""
    within = ["/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return run(shelf.roots.own, command, program=[*within, str(BITPROOF)])


def test_a_bad_manifest_is_exit_2_with_every_problem(bitproof: Terminal, shelf: Shelf) -> None:
    manifest = shelf.roots.own / "caps-manifest.toml"
    manifest.write_text(manifest.read_text().replace('id = "one"', 'id = "-1"').replace('"out/two', '"/out/two'))

    assert bitproof("verify") == Told(
        2,
        "",
        "error: the caps manifest is not usable\n"
        f"  where:    {manifest}\n"
        "  - cap 1 (line 3): id: expected [A-Za-z0-9][A-Za-z0-9._-]*, found '-1'\n"
        "  - cap two (line 11): artifact: not a path inside the repository: found '/out/two.wasm'\n",
    )


def test_an_unknown_id_is_exit_2(bitproof: Terminal) -> None:
    assert bitproof("verify", "three") == Told(
        2,
        "",
        "error: the manifest does not know these caps\n  - three: no cap has this id\n  fix:      bitproof caps list\n",
    )


def test_a_manifest_that_is_not_there_is_exit_3(bitproof: Terminal, shelf: Shelf) -> None:
    (shelf.roots.own / "caps-manifest.toml").unlink()

    told = bitproof("verify")

    assert (told.code, told.out) == (3, "")
    assert told.err.startswith("error: the caps manifest cannot be opened\n")


def test_an_artifact_that_cannot_be_read_is_exit_3_unless_something_differs_too(shelf: Shelf) -> None:
    path = shelf.roots.artifact(cap("two"))
    path.chmod(0)

    assert bound("verify", shelf) == Told(
        3,
        f"DRIFT two: {path}\n"
        f"  expected: {sha256(b'two')}\n"
        "  why:      the artifact cannot be opened: Permission denied\n"
        "  fix:      check the permissions\n" + lines(1, 1, 0, 1, "OK"),
        "",
    )
    shelf.roots.artifact(cap("one")).unlink()
    assert bound("verify", shelf).code == 1


def test_json_has_the_same_verdicts(bitproof: Terminal, shelf: Shelf) -> None:
    shelf.roots.artifact(cap("two")).unlink()

    told = bitproof("verify", "--json")

    assert (told.code, told.err, told.document["ok"]) == (1, "", False)
    assert told.document["summary"] == {"ok": 2, "placeholder": 1, "missing": 1, "drifted": 0, "failed": 0}
    assert [finding["name"] for finding in told.document["findings"]] == ["one", "two", "later", "pylon_sha256"]
    assert bitproof("verify", "--json", "one").document["ok"]
    assert not bitproof("verify", "--json", "--strict", "later").document["ok"]


def test_neither_git_nor_any_other_program_is_needed(shelf: Shelf) -> None:
    assert run(shelf.roots.own, "verify", PATH="/nonexistent") == Told(0, lines(2, 1, 0, 0, "OK"), "")


def test_a_git_root_that_is_not_there_makes_every_cap_missing(bitproof: Terminal, tmp_path: Path) -> None:
    told = bitproof("verify", "--git-root", str(tmp_path / "nowhere"))

    assert (told.code, told.out.splitlines()[-5:]) == (1, lines(0, 1, 2, 0, "OK").splitlines())
    assert not (tmp_path / "nowhere").exists()


def test_the_manifest_may_be_elsewhere(bitproof: Terminal, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    manifest = str(shelf.roots.own / "caps-manifest.toml")
    assert bitproof("verify", "--manifest", manifest, "--git-root", str(shelf.roots.git_root)).code == 0
