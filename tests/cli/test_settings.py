"""Where settings come from: FORMATS sections 2 (the order of bases) and 8 (``bitproof.toml``)."""

import os
import pwd
from pathlib import Path

import pytest

from bitproof.cli.settings import find_settings, read_settings
from bitproof.errors import InputError

from .conftest import ARCH, BINARY, Run, run_process, write_layout


def base(run: Run) -> str:
    """The store, as `doctor --json` tells it, and where that comes from."""
    return " from ".join(run("doctor", "--json").document["settings"]["store"].values())


def test_the_order_of_bases(project: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert base(run) == f"{tmp_path}/home/.bitproof/assets from default"

    (project / "bitproof.toml").write_text('[product]\nhome = "~/.capsem"\n')
    assert base(run) == f"{tmp_path}/home/.capsem/assets from product.home of {project}/bitproof.toml"

    monkeypatch.setenv("BITPROOF_HOME", "/srv/home")
    assert base(run) == "/srv/home/assets from BITPROOF_HOME"

    monkeypatch.setenv("BITPROOF_ASSETS_DIR", "/srv/assets")
    assert base(run) == "/srv/assets from BITPROOF_ASSETS_DIR"

    monkeypatch.setenv("BITPROOF_ASSETS_DIR", "")
    assert base(run) == "/srv/home/assets from BITPROOF_HOME"

    monkeypatch.setenv("BITPROOF_HOME", "")
    assert base(run) == f"{tmp_path}/home/.capsem/assets from product.home of {project}/bitproof.toml"


def test_without_home_the_password_database_is_asked(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = f"{pwd.getpwuid(os.getuid()).pw_dir}/.bitproof/assets from default"
    monkeypatch.setenv("HOME", "")
    assert base(run) == expected
    monkeypatch.delenv("HOME")
    assert base(run) == expected
    assert project.is_dir()


def test_a_user_without_any_home_is_told_what_to_set(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)  # as in a container that runs as an arbitrary user
    done = run("assets", "resolve")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the home directory is not known\n"
        "  where:    ~/.bitproof\n"
        "  found:    no HOME, and no password entry of user 4000000000\n"
        "  fix:      set HOME or BITPROOF_HOME, or name the store with --base\n"
    )
    assert list(project.iterdir()) == []


def test_the_command_line_beats_the_environment(
    layout: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITPROOF_ASSETS_DIR", str(tmp_path / "from the environment"))
    done = run("assets", "install", "--base", tmp_path / "given", "--json")
    assert done.document["base"] == str(tmp_path / "given")
    assert not (tmp_path / "from the environment").exists()
    assert layout.is_dir()


def test_the_file_is_found_upwards_and_its_paths_are_relative_to_it(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bitproof.toml").write_text(f'[product]\nversion = "{BINARY}"\n[assets]\ndir = "images"\n')
    write_layout(project / "images")
    (project / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(project / "a" / "b")

    done = run("assets", "manifest")

    assert done.code == 0
    assert done.out.startswith(f"{project}/images/manifest.json: assets 2026.0415.1\n")


def test_minus_c_works_in_another_directory(layout: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(layout)
    assert run("-C", layout.parent, "assets", "list").out.startswith("Assets in assets/manifest.json\n")
    monkeypatch.chdir(layout)
    assert run("assets", "list", "-C", "..").out.startswith("Assets in assets/manifest.json\n")


def test_minus_c_of_a_directory_that_is_not_there(project: Path, run: Run) -> None:
    done = run("-C", "nowhere", "assets", "list")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the directory of -C cannot be entered\n  where:    nowhere\n  found:    No such file or directory\n"
    )
    assert project.is_dir()


def test_a_working_directory_that_is_gone_is_a_sentence(project: Path) -> None:
    gone = project / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    done = run_process("assets", "list")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the settings cannot be looked for\n"
        "  where:    the working directory\n"
        "  found:    No such file or directory\n"
        "  fix:      check the path\n"
    )


def test_an_unknown_key_is_named_with_the_nearest_known_one(project: Path, run: Run) -> None:
    text = '[prodct]\nx = 1\n[product]\nverson = "1"\n[assets]\ndirectory = "x"\n[caps]\nplann = 1\n[trust]\nkey = 1\n'
    (project / "bitproof.toml").write_text(text)
    done = run("assets", "list")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the settings are not usable\n"
        f"  where:    {project}/bitproof.toml\n"
        "  - prodct: not a known key: expected 'product'\n"
        "  - product.verson: not a known key: expected 'version'\n"
        "  - assets.directory: not a known key: expected one of artifacts, config, dir\n"
        "  - caps.plann: not a known key: expected 'plan'\n"
        "  - trust.key: not a known key: expected 'keys'\n"
    )


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_settings(text.encode(), Path("/p/bitproof.toml"))
    assert caught.value.what == "the settings are not usable"
    return [str(problem) for problem in caught.value.problems]


def test_bad_values_are_all_told_at_once() -> None:
    assert problems('[product]\nname = 1\nhome = "capsem"\nversion = "1 2"\n[assets]\ndir = ["x"]\n') == [
        "product.name: the wrong type: expected a string, found an integer, 1",
        "product.home: not a home: expected ~/.name or an absolute path, found 'capsem'",
        "product.version: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found '1 2'",
        "assets.dir: the wrong type: expected a string, found an array, ['x']",
    ]


def test_two_sources_of_the_version_are_one_too_many() -> None:
    assert problems('[product]\nversion = "1"\nversion_from = "Cargo.toml"\n') == [
        "product.version_from: product.version is set too: expected one of the two",
    ]


def test_every_key_of_the_contract_is_known() -> None:
    text = """
    [product]
    name = "capsem"
    home = "~/.capsem"
    version_from = "Cargo.toml"
    [assets]
    dir = "a"
    config = "b"
    artifacts = "c"
    [caps]
    manifest = "caps-manifest.toml"
    git_root = ".."
    plan = ["x"]
    precompose = ["x"]
    compose = ["x"]
    env = ["HOME"]
    timeout = 60
    [caps.build.one]
    command = ["make"]
    env = ["CC"]
    [trust]
    keys = ["k"]
    """
    settings = read_settings(text.encode(), Path("/p/bitproof.toml"))
    assert (settings.name, settings.home, settings.version_from) == ("capsem", "~/.capsem", "Cargo.toml")
    assert settings.directory("assets") == (Path("/p/a"), "/p/bitproof.toml")
    assert settings.directory("config") == (Path("/p/b"), "/p/bitproof.toml")
    assert settings.directory("artifacts") == (Path("/p/c"), "/p/bitproof.toml")


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    settings = find_settings(tmp_path)
    assert settings.path is None
    assert settings.directory("config") == (tmp_path / "guest" / "config", "default")
    assert settings.binary_version() is None


def test_doctor_says_where_every_setting_comes_from(project: Path, tmp_path: Path, run: Run) -> None:
    file = project / "bitproof.toml"
    file.write_text('[product]\nversion = "1.0.1"\n[assets]\ndir = "images"\n[trust]\nkeys = ["a.pub"]\n')
    done = run("doctor")
    assert done.out.endswith(
        f"settings         {file}  (found upwards from the working directory)\n"
        f"assets           images  ({file})\n"
        "config           guest/config  (default)\n"
        "artifacts        guest/artifacts  (default)\n"
        f"store            {tmp_path}/home/.bitproof/assets  (default)\n"
        f"binary version   1.0.1  (product.version of {file})\n"
        f"trust keys       a.pub  ({file})\n"
    )


def test_the_host_is_the_default_arch(layout: Path, run: Run) -> None:
    assert run("assets", "resolve", "--assets", layout, "--json").document["arch"] == ARCH
    alias = {"x86_64": "amd64", "arm64": "aarch64"}[ARCH]
    assert run("assets", "resolve", "--assets", layout, "--arch", alias, "--json").document["arch"] == ARCH
