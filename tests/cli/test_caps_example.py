"""The example, from the command line, with real compilers: built, composed, verified, changed, and told why."""

import shutil
from pathlib import Path

import pytest

from tests.caps.repositories import git
from tests.cli.products import LOCAL, Terminal, Told, run, siblings

LINES = "caps OK: 9\ncaps placeholder: 1\ncaps missing: 0\ncaps drifted: 0\npylon_sha256 status: OK\n"
NAMES = ("digits", "primes", "moons", "division", "mixer", "scale", "ratio", "tower", "shares")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, synced and composed; whoever changes it makes a copy first."""
    root = tmp_path_factory.mktemp("built")
    own = siblings(root)
    told = run(own, "sync", LOCAL)
    assert told == Told(0, "".join(f"OK {name}\n" for name in NAMES) + "SKIP tides: no commit is pinned yet\n", "")
    told = run(own, "compose", LOCAL)
    assert told == Told(0, f"{own}/caps-manifest.toml: unchanged\n", "")
    return root


@pytest.fixture
def bitproof(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    shutil.copytree(built, tmp_path / "all", symlinks=True)
    return Terminal(tmp_path / "all" / "pylon", capsys, monkeypatch)


def change(root: Path, name: str, file: str, old: str, new: str) -> str:
    """Change a sibling at its remote, and pin the change but not what it makes."""
    git(root, "clone", "--quiet", str(root / "remotes" / f"{name}.git"), f"work-{name}")
    work = root / f"work-{name}"
    pinned = git(root / "git" / name, "rev-parse", "HEAD")
    source = work / file
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    git(work, "commit", "--quiet", "--all", "--message=change")
    git(work, "push", "--quiet", "origin", "HEAD:main")
    sha = git(work, "rev-parse", "HEAD")
    manifest = root / "pylon" / "caps-manifest.toml"
    manifest.write_text(manifest.read_text().replace(pinned, sha))
    return sha


def why(told: Told) -> str:
    return next(line for line in told.out.splitlines() if line.startswith("  why: ")).removeprefix("  why:      ")


def test_the_whole_product_verifies_and_a_second_sync_changes_nothing(bitproof: Terminal) -> None:
    assert bitproof("verify", LOCAL) == Told(0, LINES, "")
    before = {path: path.stat().st_mtime_ns for path in bitproof.directory.parent.rglob("*.wasm")}
    assert bitproof("sync", LOCAL).code == 0
    assert before == {path: path.stat().st_mtime_ns for path in bitproof.directory.parent.rglob("*.wasm")}


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "functions"),
    [
        ("digits", "src/lib.rs", "% 10", "% 9", "1 of 1 functions differs ('pylon:digits/digits#sum')"),
        ("mixer", "mixer.c", "16777619u", "16777621u", "1 of 1 functions differs ('mix')"),
        (
            "primes",
            "crates/primes/src/lib.rs",
            "= 8192",
            "= 4096",
            "1 of 24 functions differs ('pylon:primes/primes#nth')",
        ),
    ],
)
def test_a_changed_constant_is_a_code_change_in_that_many_functions(
    bitproof: Terminal, name: str, file: str, old: str, new: str, functions: str
) -> None:
    root = bitproof.directory.parent
    pinned = git(root / "git" / name, "rev-parse", "HEAD")
    sha = change(root, name, file, old, new)

    told = bitproof("sync", LOCAL, name)

    assert (told.code, told.out.splitlines()[0]) == (1, f"MISMATCH {name}")
    assert why(told).startswith(f"Different code: {functions} in module 0. Expected ")
    assert why(told).endswith(f"Recorded inputs that differ: commit: differs: expected {pinned}, found {sha}.")
    drift = bitproof("verify", LOCAL, name)
    assert (drift.code, why(drift)) == (1, why(told))


def test_a_stripped_name_section_is_custom_sections_only(bitproof: Terminal) -> None:
    change(bitproof.directory.parent, "digits", "Cargo.toml", 'strip = "debuginfo"', 'strip = "symbols"')

    told = bitproof("sync", LOCAL, "digits")

    assert told.code == 1
    assert why(told).startswith(
        "Identical code, different custom sections: 'name' removed in module 0; 'producers' changed in module 0. "
    )


def test_a_drifted_product_is_explained_by_what_was_composed(bitproof: Terminal) -> None:
    path = bitproof.directory / "build" / "pylon.wasm"
    path.write_bytes(path.read_bytes() + b"\0\x02\x01x")

    told = bitproof("verify", LOCAL)

    assert told.code == 1
    assert told.out.startswith(f"DRIFT pylon_sha256: {path}\n")
    assert why(told).startswith("Identical code, different custom sections: 'x' added. ")
