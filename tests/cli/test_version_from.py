"""``product.version_from``: the version in a ``Cargo.toml`` or ``pyproject.toml`` (FORMATS section 8)."""

from pathlib import Path

import pytest

from bitproof.cli.settings import read_version
from bitproof.errors import InputError
from bitproof.model.version import Version

from .conftest import Run


def cargo(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_version_of_a_package(tmp_path: Path) -> None:
    path = cargo(tmp_path / "Cargo.toml", '[package]\nversion = "1.0.7"\n')
    assert read_version(path) == Version("1.0.7")


def test_the_version_of_a_workspace_is_followed_from_a_member(tmp_path: Path) -> None:
    cargo(tmp_path / "Cargo.toml", '[workspace]\nmembers = ["crates/*"]\n[workspace.package]\nversion = "1.2.3"\n')
    member = cargo(tmp_path / "crates" / "core" / "Cargo.toml", '[package]\nname = "core"\nversion.workspace = true\n')
    assert read_version(member) == Version("1.2.3")
    assert read_version(tmp_path / "Cargo.toml") == Version("1.2.3")


def test_a_package_that_is_its_own_workspace_is_followed_too(tmp_path: Path) -> None:
    text = (
        '[workspace]\n[workspace.package]\nversion = "4.5.6"\n[package]\nname = "x"\nversion = { workspace = true }\n'
    )
    assert read_version(cargo(tmp_path / "Cargo.toml", text)) == Version("4.5.6")


def test_a_member_that_names_its_workspace_is_believed(tmp_path: Path) -> None:
    cargo(tmp_path / "root" / "Cargo.toml", '[workspace]\n[workspace.package]\nversion = "2.0.0"\n')
    text = '[package]\nname = "x"\nworkspace = "../root"\nversion.workspace = true\n'
    assert read_version(cargo(tmp_path / "member" / "Cargo.toml", text)) == Version("2.0.0")


def test_the_version_of_a_pyproject(tmp_path: Path) -> None:
    assert read_version(cargo(tmp_path / "pyproject.toml", '[project]\nversion = "3.1"\n')) == Version("3.1")


NONE = "no version to be had"
NO_WORKSPACE = "a Cargo.toml with [workspace], here or above, or where package.workspace points"


@pytest.mark.parametrize(
    ("name", "text", "what", "expected", "found"),
    [
        ("pyproject.toml", '[project]\ndynamic = ["version"]\n', NONE, "a string at project.version", "nothing"),
        ("Cargo.toml", '[package]\nname = "x"\n', NONE, "a string at package.version", "nothing"),
        ("Cargo.toml", "[package]\nversion = 1\n", NONE, "a string at package.version", "1"),
        ("Cargo.toml", "[workspace]\n", NONE, "a string at workspace.package.version", "nothing"),
        (
            "Cargo.toml",
            "[package]\nversion.workspace = true\n[workspace]\n",
            NONE,
            "a string at workspace.package.version",
            "nothing",
        ),
        (
            "Cargo.toml",
            "[package]\nversion.workspace = true\n",
            "the workspace's version cannot be found",
            NO_WORKSPACE,
            "",
        ),
    ],
)
def test_a_file_without_a_version_says_where_it_was_looked_for(
    tmp_path: Path, name: str, text: str, what: str, expected: str, found: str
) -> None:
    path = cargo(tmp_path / "p" / name, text)
    with pytest.raises(InputError) as caught:
        read_version(path)
    assert str(caught.value) == str(InputError(what, where=path, expected=expected, found=found))


def test_a_version_in_a_file_must_be_one(tmp_path: Path) -> None:
    path = cargo(tmp_path / "Cargo.toml", '[package]\nversion = "a b"\n')
    with pytest.raises(InputError) as caught:
        read_version(path)
    rule = "1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*"
    assert str(caught.value) == f"not a name: expected {rule}, found 'a b'\n  where:    {path}"


def test_version_from_is_what_resolve_asks_for(layout: Path, run: Run) -> None:
    (layout.parent / "bitproof.toml").write_text('[product]\nversion_from = "Cargo.toml"\n')
    (layout.parent / "Cargo.toml").write_text('[package]\nversion = "7.8.9"\n')
    done = run("assets", "resolve", "--assets", layout, "--json")
    assert done.document["binary_version"] == "7.8.9"
    given = run("assets", "resolve", "--assets", layout, "--binary-version", "1.5.0", "--json")
    assert given.document["binary_version"] == "1.5.0"


def test_a_missing_version_from_is_a_sentence(layout: Path, run: Run) -> None:
    (layout.parent / "bitproof.toml").write_text('[product]\nversion_from = "Cargo.toml"\n')
    done = run("assets", "resolve", "--assets", layout)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the file of product.version_from cannot be opened\n"
        f"  where:    {layout.parent}/Cargo.toml\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path\n"
    )
