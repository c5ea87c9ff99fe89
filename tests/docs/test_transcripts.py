"""Every ``console`` block of the documentation, run for real in a scratch copy of the examples.

Where it runs: in the copy of examples/microvm; with the setting ``root`` in the directory above ``examples``; with
``pylon`` in the product that examples/pylon/make-siblings made, synced and composed.
"""

import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.console import Matcher, documents, read_settings, read_steps, script, split_output

EPOCH = "1776211200"
"""2026-04-15, so that releases have the version that the documents show."""
SECONDS = 240

WITH_STEPS = [path for path in documents(ROOT) if read_steps(path.read_text("utf-8"))]
WITH_PYLON = [path for path in WITH_STEPS if "pylon" in read_settings(path.read_text("utf-8"))]
WITH_IMAGE = [path for path in WITH_STEPS if "built" in read_settings(path.read_text("utf-8"))]
WITHOUT = [path for path in WITH_STEPS if path not in {*WITH_IMAGE, *WITH_PYLON}]


def environment(home: Path) -> dict[str, str]:
    """What the commands see: this bitproof first, a home of their own, the documents' day."""
    return {
        "BITPROOF_ACCEL": "tcg",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SOURCE_DATE_EPOCH": EPOCH,
        "TZ": "UTC",
    }


def bash(text: str, directory: Path, home: Path) -> str:
    """Run a script and return all it prints."""
    done = subprocess.run(
        ["/bin/bash", "-c", text],
        cwd=directory,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def copy_examples(target: Path) -> Path:
    """Copy the examples, without what was built of them, and make a HOME; returns HOME."""
    shutil.copytree(ROOT / "examples", target / "examples", ignore=shutil.ignore_patterns("assets"), symlinks=True)
    home = target / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = bitproof example\n\temail = example@example.org\n", "utf-8")
    return home


def check_document(path: Path, tmp_path: Path, assets: Path | None = None) -> None:
    home = copy_examples(tmp_path)
    example = tmp_path / "examples" / "microvm"
    if assets:
        shutil.copytree(assets, example / "assets")
    settings = read_settings(path.read_text("utf-8"))
    if "recorded" in settings:
        bash("bitproof assets repack && bitproof assets manifest", example, home)
    check_steps(path, tmp_path if "root" in settings else example, home)


def check_steps(path: Path, directory: Path, home: Path) -> None:
    """Run a document's commands in a directory and compare all they print."""
    steps, mark = read_steps(path.read_text("utf-8")), secrets.token_hex(8)
    ran = split_output(bash(script(steps, mark), directory, home), mark)
    matcher = Matcher()
    for index, (step, (output, code)) in enumerate(zip(steps, ran, strict=True)):
        where = f"{path.relative_to(ROOT)}: $ {step.command}"
        assert matcher.matches(step, output), f"{where}\n--- shown\n{step.expected}--- printed\n{output}"
        told = index + 1 < len(steps) and steps[index + 1].asks_for_the_code
        assert code == 0 or told, f"{where}\nexit code {code}, and nothing in the document says so\n{output}"


@pytest.fixture(scope="session")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the examples, a HOME with its cache, and below ``work`` the product pylon, as pinned."""
    top = tmp_path_factory.mktemp("synced")
    home = copy_examples(top)
    make = "../examples/pylon/make-siblings . && cd pylon"
    (top / "work").mkdir()
    printed = bash(f"{make} && make caps-sync compose verify", top / "work", home)
    assert "pylon_sha256 status: OK" in printed, printed
    return top


@pytest.mark.xdist_group("pylon")
@pytest.mark.parametrize("path", WITH_PYLON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transcript_of_the_pinned_product_is_what_its_commands_print(
    path: Path, tmp_path: Path, synced: Path
) -> None:
    scratch = tmp_path / "scratch"
    shutil.copytree(synced, scratch, symlinks=True)
    check_steps(path, scratch / "work" / "pylon", scratch / "home")


@pytest.mark.parametrize("path", WITHOUT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transcript_is_what_its_commands_print(path: Path, tmp_path: Path) -> None:
    check_document(path, tmp_path)


@pytest.mark.image
@pytest.mark.xdist_group("image")
@pytest.mark.parametrize("path", WITH_IMAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transcript_with_an_image_is_what_its_commands_print(path: Path, tmp_path: Path, built_assets: Path) -> None:
    check_document(path, tmp_path, built_assets)


def test_some_transcript_uses_an_image_and_some_other_the_product() -> None:
    assert ROOT / "README.md" in WITH_IMAGE
    assert ROOT / "docs" / "reference" / "caps-manifest.md" in WITH_PYLON
