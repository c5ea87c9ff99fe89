"""``assets resolve``."""

import shlex
import subprocess
from pathlib import Path

import pytest

from .conftest import ARCH, BINARY, CONTENTS, VERSION, Run, stored, tree, write_layout


def paths(store: Path) -> dict[str, str]:
    return {
        name: str(store / stored(file)) for name, file in zip(("kernel", "initrd", "rootfs"), CONTENTS, strict=True)
    }


def test_resolve_for_people(store: Path, run: Run) -> None:
    done = run("assets", "resolve")
    assert (done.code, done.err) == (0, "")
    found = paths(store)
    assert done.out == (
        f"assets   {VERSION}\n"
        f"binary   {BINARY}\n"
        f"arch     {ARCH}\n"
        "mode     installed\n"
        f"kernel   {found['kernel']}\n"
        f"initrd   {found['initrd']}\n"
        f"rootfs   {found['rootfs']}\n"
    )


@pytest.mark.parametrize("words", [("--format", "json"), ("--json",)])
def test_resolve_as_json(store: Path, run: Run, words: tuple[str, ...]) -> None:
    assert run("assets", "resolve", *words).document == {
        "asset_version": VERSION,
        "binary_version": BINARY,
        "arch": ARCH,
        "mode": "installed",
        "manifest": str(store / "manifest.json"),
        **paths(store),
    }


def test_resolve_as_arguments_of_a_command_line(store: Path, run: Run) -> None:
    done = run("assets", "resolve", "--format", "args")
    found = paths(store)
    assert done.out == f"--kernel {found['kernel']} --initrd {found['initrd']} --rootfs {found['rootfs']}\n"


def test_resolve_quotes_paths_for_a_shell(layout: Path, run: Run, tmp_path: Path) -> None:
    base = tmp_path / "it's a $HOME"
    assert run("assets", "install", "--base", base).code == 0
    assert layout.is_dir()

    arguments = run("assets", "resolve", "--base", base, "--format", "args").out
    variables = run("assets", "resolve", "--base", base, "--format", "env").out

    assert shlex.split(arguments)[1] == paths(base)["kernel"]
    (tmp_path / "paths.env").write_text(variables)
    script = f'. {tmp_path}/paths.env && printf "%s\\n" "$ASSET_VERSION" "$KERNEL" "$INITRD" "$ROOTFS"'
    sourced = subprocess.run(["sh", "-euc", script], capture_output=True, check=True, text=True)
    assert sourced.stdout.splitlines() == [VERSION, *paths(base).values()]


def test_explain_says_why_on_stderr_and_leaves_the_result_alone(store: Path, run: Run) -> None:
    plain, explained = run("assets", "resolve"), run("assets", "resolve", "--explain")
    assert explained.out == plain.out
    assert explained.err == (
        "mode      installed\n"
        f"manifest  {store}/manifest.json\n"
        f"release   {VERSION}: it is assets.current, and fits\n"
        f"binary    {BINARY} on {ARCH}\n"
    )


def test_explain_names_what_was_rejected(layout: Path, store: Path, run: Run) -> None:
    write_layout(layout, initrd=b"another initrd")
    run("assets", "manifest", "--binary-version", "2.0.5")
    run("assets", "install")

    done = run("assets", "resolve", "--binary-version", "1.0.9", "--explain")

    assert done.code == 0
    assert done.err == (
        "mode      installed\n"
        f"manifest  {store}/manifest.json\n"
        f"release   {VERSION}: it is the newest that fits; assets.current 2026.0415.2: needs a binary from 2.0.0 on\n"
        f"binary    1.0.9 on {ARCH}\n"
        "rejected  2026.0415.2: needs a binary from 2.0.0 on\n"
    )


def test_explain_of_a_dev_layout(layout: Path, run: Run) -> None:
    done = run("assets", "resolve", "--assets", "assets", "--explain")
    assert done.code == 0
    assert done.out.startswith(f"assets   dev\nbinary   {BINARY}\narch     {ARCH}\nmode     dev\n")
    assert done.err == (
        "mode      dev\n"
        f"manifest  {layout}/manifest.json\n"
        f"release   dev: {layout}/{ARCH} has the logical names of a dev layout\n"
        f"binary    {BINARY} on {ARCH}\n"
    )


def test_resolve_without_a_store_says_what_to_run(project: Path, run: Run, tmp_path: Path) -> None:
    done = run("assets", "resolve")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the assets directory cannot be opened\n"
        f"  where:    {tmp_path}/home/.bitproof/assets\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets install\n"
    )
    assert tree(project) == {}


def test_resolve_never_falls_back(store: Path, run: Run) -> None:
    done = run("assets", "resolve", "--binary-version", "0.9.1", "--json")
    assert (done.code, done.err) == (2, "")
    assert done.document["ok"] is False
    assert done.document["exit_code"] == 2
    assert done.document["error"]["kind"] == "input"
    assert done.document["error"]["what"] == "no asset release fits this binary"
    assert done.document["error"]["expected"] == f"a release for binary 0.9.1 on {ARCH}"
    assert done.document["error"]["problems"] == [f"{VERSION}: needs a binary from 1.0.0 on"]
    assert store.is_dir()
