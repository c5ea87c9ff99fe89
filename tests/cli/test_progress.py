"""Progress: a bar on a terminal, nothing anywhere else."""

import os
from pathlib import Path

import pytest

from bitproof.cli.progress import WORTH_SHOWING

from .conftest import ARCH, Outcome, run_process, spawn


def on_a_terminal(*argv: str | Path) -> Outcome:
    """Run a command whose stderr is a terminal; what it drew there is ``err``."""
    ours, theirs = os.openpty()
    with spawn(*argv, stderr=theirs, environment={"TERM": "xterm", "COLUMNS": "100"}) as child:
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                drawn += chunk
        except OSError:  # the last one closed the terminal
            pass
        finally:
            os.close(ours)
        out, _ = child.communicate(timeout=60)
    return Outcome(child.returncode, out, drawn.decode())


@pytest.fixture
def large(layout: Path) -> Path:
    os.truncate(layout / ARCH / "rootfs.squashfs", WORTH_SHOWING)
    return layout


def test_a_large_file_shows_a_bar_on_a_terminal_and_only_there(large: Path, tmp_path: Path) -> None:
    recorded = on_a_terminal("assets", "manifest")
    assert recorded.code == 0
    assert "recording" in recorded.err
    assert "━" in recorded.err
    assert recorded.out.startswith("assets/manifest.json: assets 2026.0415.2\n")

    installed = on_a_terminal("assets", "install", "--base", tmp_path / "store")
    assert installed.code == 0
    assert "installing" in installed.err
    assert "268.4/268.4 MB" in installed.err

    verified = on_a_terminal("assets", "verify", "--base", tmp_path / "store")
    assert "verifying" in verified.err

    assert run_process("assets", "verify", "--base", tmp_path / "store").err == "3 ok\n"
    assert on_a_terminal("-q", "assets", "verify", "--base", tmp_path / "store").err == ""
    assert on_a_terminal("assets", "verify", "--base", tmp_path / "store", "--json").err == ""
    assert large.is_dir()


def test_a_small_file_shows_no_bar(layout: Path) -> None:
    assert on_a_terminal("assets", "verify", "--assets", layout).err == "3 ok\r\n"


def test_no_colour_counts_for_bars_too(large: Path) -> None:
    assert "━" in on_a_terminal("assets", "manifest", "--color=never").err
    assert "\x1b[38" not in on_a_terminal("assets", "verify", "--assets", large, "--color=never").err
