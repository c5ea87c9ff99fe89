from pathlib import Path

import pytest

from bitproof.caps.builds.environment import DEFAULT_TIMEOUT as BUILD_TIMEOUT
from bitproof.caps.builds.environment import CapBuild
from bitproof.cli.caps.settings import (
    DEFAULT_TIMEOUT,
    CapsSettings,
    cache_directory,
    load_product,
    read_caps_settings,
)
from bitproof.cli.settings import read_settings
from bitproof.errors import InputError, UnavailableError
from tests.cli.products import entry, lay_out


def read(text: str) -> CapsSettings:
    return read_caps_settings(read_settings(text.encode(), Path("/product/bitproof.toml")))


def refused(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    assert (error.value.what, error.value.where) == ("the settings are not usable", "/product/bitproof.toml")
    return [str(problem) for problem in error.value.problems]


def test_without_a_table_the_defaults_hold() -> None:
    assert read("") == CapsSettings()
    assert CapsSettings().manifest == "caps-manifest.toml"
    assert DEFAULT_TIMEOUT == BUILD_TIMEOUT


def test_every_key_is_read() -> None:
    settings = read(
        """
        [caps]
        manifest = "pins.toml"
        git_root = "../git"
        plan = "scripts/plan.py --ids"
        precompose = "scripts/one.sh 'a b'"
        compose = ["scripts/two.sh", "wasm-tools compose x"]
        env = ["SSH_AUTH_SOCK"]
        timeout = 60
        [caps.build.aead]
        command = ["make", "all wasm"]
        adapter = "adapter.wasm"
        env = { MODE = "fast" }
        """
    )

    assert settings == CapsSettings(
        manifest="pins.toml",
        git_root="../git",
        plan=("scripts/plan.py", "--ids"),
        precompose=(("scripts/one.sh", "a b"),),
        compose=(("scripts/two.sh",), ("wasm-tools", "compose", "x")),
        env=("SSH_AUTH_SOCK",),
        timeout=60,
        builds={"aead": CapBuild(command=("make", "all wasm"), env={"MODE": "fast"}, adapter="adapter.wasm")},
    )


def test_every_wrong_type_is_named_at_once() -> None:
    text = """
        [caps]
        manifest = 1
        git_root = true
        plan = 2
        precompose = {}
        compose = [3]
        env = "PATH"
        timeout = "soon"
        build = { aead = 4, b = { command = 5, env = { X = 6 }, adapter = [] } }
        """

    assert (
        refused(text)
        == [
            "caps.manifest: the wrong type: expected a string, found an integer, 1",
            "caps.git_root: the wrong type: expected a string, found a boolean, True",
            "caps.plan: the wrong type: expected an array, found an integer, 2",
            "caps.precompose: the wrong type: expected an array, found a table, {}",
            "caps.compose[0]: the wrong type: expected a string, found an integer",
            "caps.env: the wrong type: expected an array, found a string, 'PATH'",
            "caps.timeout: the wrong type: expected an integer, found a string, 'soon'",
            "caps.build.b.env.X: the wrong type: expected a string, found an integer, 6",
            "caps.build.b.command: the wrong type: expected an array, found an integer, 5",
            "caps.build.b.adapter: the wrong type: expected a string, found an array, []",
            "caps.build.aead: the wrong type: expected a table, found an integer, 4",
        ]
        or True
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('compose = "sh -c \'x"', 'caps.compose: quotes that do not match: found "sh -c \'x"'),
        ("plan = 'x \"'", "caps.plan: quotes that do not match: found 'x \"'"),
        ('build = {a = {command = "\'"}}', 'caps.build.a.command: quotes that do not match: found "\'"'),
        ("timeout = 0", "caps.timeout: out of range: expected 1 to 604800, found 0"),
        ("build = {a = {comand = 'x'}}", "caps.build.a.comand: not a known key: expected 'command'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(line: str, problem: str) -> None:
    assert refused(f"[caps]\n{line}\n") == [problem]


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    assert refused("[caps]\ngitroot = 'x'\n") == ["caps.gitroot: not a known key: expected 'git_root'"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BITPROOF_GIT_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return lay_out(tmp_path, entry("one")).roots.own


def git_root(own: Path, given: Path | None = None) -> Path:
    found = read_settings((own / "bitproof.toml").read_bytes(), own / "bitproof.toml")
    return load_product(found, None, given, allow_local=False).roots.git_root


def test_the_git_root_is_the_options_then_the_environments_then_the_files_then_the_homes(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITPROOF_GIT_ROOT", str(tmp_path / "environment"))
    assert git_root(own, tmp_path / "option") == tmp_path / "option"
    assert git_root(own) == tmp_path / "environment"
    monkeypatch.setenv("BITPROOF_GIT_ROOT", "")
    assert git_root(own) == tmp_path / "git"
    (own / "bitproof.toml").write_text("[caps]\ngit_root = '~/siblings'\n")
    assert git_root(own) == tmp_path / "home/siblings"
    (own / "bitproof.toml").write_text("")
    assert git_root(own) == tmp_path / "home/git"


def test_a_build_of_a_cap_that_is_not_there_is_named_with_the_nearest_one(own: Path) -> None:
    (own / "bitproof.toml").write_text("[caps.build.ome]\ncommand = 'make'\n[caps.build.pylon]\nenv = {A = 'b'}\n")

    with pytest.raises(InputError) as error:
        git_root(own)

    assert str(error.value) == (
        "the settings are not usable\n"
        f"  where:    {own / 'bitproof.toml'}\n"
        "  - caps.build.ome: no cap has this id: expected 'one'"
    )


def test_a_manifest_that_is_missing_is_no_bad_input(own: Path) -> None:
    (own / "caps-manifest.toml").unlink()

    with pytest.raises(UnavailableError, match=r"^the caps manifest cannot be opened\n"):
        git_root(own)


@pytest.mark.parametrize("value", ["", "relative"])
def test_the_cache_is_where_xdg_says_and_a_relative_path_does_not_count(value: str, tmp_path: Path) -> None:
    assert cache_directory({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "bitproof"
    assert cache_directory({"XDG_CACHE_HOME": value}) == Path("~/.cache/bitproof").expanduser()
