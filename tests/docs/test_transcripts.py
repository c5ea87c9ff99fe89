"""Every ``console`` block of the documentation, run for real in a scratch copy of the example."""

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
WITH_IMAGE = [path for path in WITH_STEPS if "built" in read_settings(path.read_text("utf-8"))]


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


def check_document(path: Path, tmp_path: Path, assets: Path | None = None) -> None:
    text = path.read_text("utf-8")
    steps, settings = read_steps(text), read_settings(text)
    home, example = tmp_path / "home", tmp_path / "examples" / "microvm"
    home.mkdir()
    shutil.copytree(ROOT / "examples" / "microvm", example, ignore=shutil.ignore_patterns("assets"), symlinks=True)
    if assets:
        shutil.copytree(assets, example / "assets")
    if "recorded" in settings:
        bash("bitproof assets repack && bitproof assets manifest", example, home)
    mark = secrets.token_hex(8)
    ran = split_output(bash(script(steps, mark), tmp_path if "root" in settings else example, home), mark)
    matcher = Matcher()
    for index, (step, (output, code)) in enumerate(zip(steps, ran, strict=True)):
        where = f"{path.relative_to(ROOT)}: $ {step.command}"
        assert matcher.matches(step, output), f"{where}\n--- shown\n{step.expected}--- printed\n{output}"
        told = index + 1 < len(steps) and steps[index + 1].asks_for_the_code
        assert code == 0 or told, f"{where}\nexit code {code}, and nothing in the document says so\n{output}"


@pytest.mark.parametrize("path", sorted({*WITH_STEPS} - {*WITH_IMAGE}), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transcript_is_what_its_commands_print(path: Path, tmp_path: Path) -> None:
    check_document(path, tmp_path)


@pytest.mark.image
@pytest.mark.xdist_group("image")
@pytest.mark.parametrize("path", WITH_IMAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transcript_with_an_image_is_what_its_commands_print(path: Path, tmp_path: Path, built_assets: Path) -> None:
    check_document(path, tmp_path, built_assets)


def test_some_transcript_uses_an_image() -> None:
    assert ROOT / "README.md" in WITH_IMAGE
