"""``bitproof init vm | caps``: what is written works, from an editable install and from a wheel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.cli.init import NewFile, write_project
from bitproof.errors import UnavailableError
from bitproof.images.config import load_guest_config
from bitproof.system import process

from .conftest import Run, temporaries, tree

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "microvm"
CAPS_FILES = (
    ".gitignore",
    "Makefile",
    "README.md",
    "bitproof.toml",
    "caps-manifest.toml",
    "scripts/compose.sh",
)


def built(directory: Path, target: str, source: Path) -> Path:
    """A wheel or a source distribution, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(directory.iterdir())


def test_a_caps_project_works_at_once(project: Path, run: Run) -> None:
    done = run("init", "caps", "thing")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "".join(f"wrote thing/{name}\n" for name in CAPS_FILES) + "\n"
        "Next:\n"
        "  cd thing\n"
        "  bitproof caps check\n"
        "  bitproof caps sync\n"
        "  bitproof caps compose\n"
        "  bitproof caps verify\n"
    )
    assert run("-C", "thing", "caps", "check").code == 0
    synced = run("caps", "sync")
    assert (synced.code, synced.out) == (0, "SKIP first: no commit is pinned yet\n")
    assert run("caps", "compose").code == 0
    verified = run("caps", "verify")
    assert verified.code == 0
    assert verified.out == (
        "caps OK: 0\ncaps placeholder: 1\ncaps missing: 0\ncaps drifted: 0\nthing_sha256 status: OK\n"
    )
    assert run("caps", "verify", "--strict").code == 1
    assert temporaries(project) == []


def test_the_makefile_of_a_caps_project_runs_its_commands(project: Path, run: Run) -> None:
    assert run("init", "caps").code == 0
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for target in ("caps-sync", "compose", "verify"):
        done = subprocess.run(["make", target], env={**os.environ, "PATH": path}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (project / "build" / "project.wasm").read_bytes() == b"\0asm\1\0\0\0"


def test_a_vm_project_has_the_guest_of_the_example(project: Path, run: Run) -> None:
    done = run("init", "vm", "--json", "box")
    assert done.code == 0
    assert done.document["next"] == ["cd box", "bitproof doctor", "bitproof assets build", "bitproof vm shell"]
    assert sorted(done.document["written"]) == [f"box/{name}" for name in tree(project / "box")]
    assert tree(project / "box" / "guest") == tree(EXAMPLE / "guest")
    for path in (EXAMPLE / "guest").rglob("*"):
        assert (project / "box" / path.relative_to(EXAMPLE)).stat().st_mode & 0o111 == path.stat().st_mode & 0o111
    assert load_guest_config(project / "box" / "guest" / "config") == load_guest_config(EXAMPLE / "guest" / "config")


def test_a_vm_project_is_refused_only_for_what_the_machine_lacks(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("init", "vm").code == 0
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(project))
    done = run("assets", "build", "--driver", "rootless")
    assert done.code == 3
    assert "is not installed" in done.err


def test_the_working_directory_needs_no_cd(project: Path, run: Run) -> None:
    assert project.is_dir()
    assert "\n  cd " not in run("init", "caps").out


@pytest.mark.parametrize("kind", ["vm", "caps"])
def test_files_that_are_there_are_all_named_and_nothing_is_written(kind: str, project: Path, run: Run) -> None:
    (project / "README.md").write_text("mine")
    (project / "bitproof.toml").symlink_to("nowhere")
    before = tree(project)
    done = run("init", kind)
    assert done.code == 2
    assert done.err == (
        "error: nothing was written\n"
        "  where:    .\n"
        "  - README.md: is there already\n"
        "  - bitproof.toml: is there already\n"
        "  fix:      name an empty directory, or move these away\n"
    )
    assert tree(project) == before
    assert sorted(path.name for path in project.iterdir()) == ["README.md", "bitproof.toml"]


def test_a_symlink_on_the_way_is_not_followed(project: Path, tmp_path: Path, run: Run) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "scripts").symlink_to(outside)
    done = run("init", "caps", "--json")
    assert done.code == 2
    assert done.document["error"]["problems"] == ["scripts: is there already"]
    assert list(outside.iterdir()) == []


def test_a_project_where_a_file_is_is_refused(project: Path, run: Run) -> None:
    (project / "taken").write_text("mine")
    done = run("init", "caps", "taken")
    assert done.code == 2
    assert done.err == (
        "error: nothing was written\n"
        "  where:    taken\n"
        "  expected: a directory, or nothing yet\n"
        "  found:    something else\n"
    )
    assert tree(project) == {"taken": b"mine"}


def test_what_was_written_goes_away_when_the_rest_cannot_be(project: Path) -> None:
    files = (NewFile("a", b"a", 0o644), NewFile("b" * 300, b"b", 0o644))
    with pytest.raises(UnavailableError):
        write_project(project, files)
    assert list(project.iterdir()) == []


def test_the_wheel_of_a_source_distribution_holds_the_templates(tmp_path: Path, project: Path) -> None:
    source = built(tmp_path / "sdist", "sdist", ROOT)
    (tmp_path / "source").mkdir()
    subprocess.run(["tar", "-xf", str(source), "-C", str(tmp_path / "source")], check=True)
    wheel = built(tmp_path / "wheel", "wheel", next((tmp_path / "source").iterdir()))
    # Drops every permission, as an installer may.
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "installed")], check=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    told = "import bitproof.cli.init as init; print(init.TEMPLATES)"
    printed = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == str(tmp_path / "installed" / "bitproof" / "templates")
    for kind in ("vm", "caps"):
        subprocess.run([sys.executable, "-m", "bitproof", "-q", "init", kind, kind], env=environment, check=True)
    assert tree(project / "vm" / "guest") == tree(EXAMPLE / "guest")
    assert (project / "vm" / "guest" / "artifacts" / "init").stat().st_mode & 0o777 == 0o755
    assert sorted(tree(project / "caps")) == sorted(CAPS_FILES)
