"""What the everyday caps commands must not import: start-up time is a promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run

BUILDS = ("bitproof.caps.builds.build", "bitproof.caps.work", "bitproof.caps.evidence", "bitproof.caps.regen")
GIT = ("bitproof.system.git.repository", "subprocess")


@pytest.mark.parametrize(
    ("command", "never"),
    [("verify", (*BUILDS, *GIT)), ("sync", (*BUILDS, *GIT, "concurrent.futures", "blake3"))],
)
def test_with_nothing_to_do_neither_git_nor_builds_are_imported(
    command: str, never: tuple[str, ...], project: Path, run: Run
) -> None:
    assert run("init", "caps").code == 0
    assert (project / "caps-manifest.toml").is_file()
    told = (
        "import sys; from bitproof.cli.main import main; code = main(['-q', 'caps', sys.argv[1]]);"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-c", told, command]
    done = subprocess.run(argv, env=dict(os.environ), capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    assert code == "0"
    assert set(never).isdisjoint(modules)
