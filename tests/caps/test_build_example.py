import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.caps.builds.build import build, compose
from bitproof.caps.builds.environment import BuildSettings
from bitproof.errors import IntegrityError
from bitproof.model.caps_manifest import CapsManifest, parse_caps_manifest
from tests.caps.workshop import EXAMPLE, leftovers


def made(directory: Path, umask: int = 0o022, **environ: str) -> dict[str, str]:
    """Run make-siblings; returns the commits that it prints."""
    environment = {"PATH": "/usr/bin:/bin", **environ}
    out = subprocess.run(
        [EXAMPLE / "make-siblings", directory], check=True, capture_output=True, text=True, env=environment, umask=umask
    ).stdout
    return {line.split()[0]: line.split()[1] for line in out.splitlines()}


def manifest(own: Path) -> CapsManifest:
    return parse_caps_manifest((own / "caps-manifest.toml").read_bytes(), allow_local_repos=True)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> BuildSettings:
    """The example's product with all siblings checked out and built."""
    root = tmp_path_factory.mktemp("example")
    made(root)
    settings = BuildSettings(own=root / "pylon", git_root=root / "git", cache=root / "git" / ".bitproof")
    for cap in manifest(settings.own).caps:
        if cap.precomposed or cap.sha_is_placeholder:
            continue
        sibling = settings.git_root / cap.sibling
        subprocess.run(["git", "clone", "--quiet", settings.own / cap.repo, sibling], check=True)
        subprocess.run(["git", "-C", sibling, "checkout", "--quiet", "--detach", cap.sha], check=True)
        build(cap, sibling, settings, commit=cap.sha, epoch=1_700_000_000)
    return settings


def test_the_siblings_have_the_same_commits_on_every_machine(tmp_path: Path) -> None:
    (tmp_path / "config" / "git").mkdir(parents=True)
    (tmp_path / "config" / "git" / "ignore").write_text("*\n")
    strange = {"GIT_AUTHOR_DATE": "2001-01-01", "TZ": "Asia/Tokyo", "XDG_CONFIG_HOME": str(tmp_path / "config")}

    assert made(tmp_path / "one") == made(tmp_path / "another", 0o077, **strange)


def test_the_manifest_pins_what_the_siblings_have(tmp_path: Path) -> None:
    commits = made(tmp_path)

    caps = manifest(tmp_path / "pylon").caps

    assert {cap.id: cap.sha for cap in caps if not cap.sha_is_placeholder} == commits
    assert [cap.id for cap in caps if cap.sha_is_placeholder] == ["tides"]


def test_a_directory_that_has_siblings_already_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pylon").mkdir()

    done = subprocess.run([EXAMPLE / "make-siblings", tmp_path], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (2, f"make-siblings: {tmp_path}/pylon is there already\n")


def test_the_precomposed_cap_and_the_product_are_what_is_pinned(product: BuildSettings) -> None:
    whole = manifest(product.own)
    (shares,) = (cap for cap in whole.caps if cap.precomposed)

    build(shares, product.own, product, commit=shares.sha, epoch=1_700_000_000)
    record = compose(whole, product, (("scripts/compose.sh",),), commit=shares.sha, epoch=1_700_000_000)

    for path, digest in ((shares.artifact, shares.digest), (whole.composed, whole.digest)):
        assert hashlib.sha256((product.own / path).read_bytes()).hexdigest() == digest.value
    assert record.commands == (("/product/scripts/compose.sh",),)
    assert leftovers(product.own) == []


def test_a_build_leaves_a_sibling_clean(product: BuildSettings) -> None:
    for sibling in sorted(product.git_root.glob("[a-z]*")):
        done = subprocess.run(
            ["git", "-C", sibling, "status", "--porcelain"], check=True, capture_output=True, text=True
        )
        assert (sibling.name, done.stdout) == (sibling.name, "")


def test_a_product_that_cannot_be_composed_is_told(product: BuildSettings) -> None:
    with pytest.raises(IntegrityError) as caught:
        compose(manifest(product.own), product, (("sh", "-c", "exit 3"),), commit="", epoch=0)

    assert str(caught.value) == (
        "the build failed\n"
        "  where:    cap pylon: sh\n"
        "  found:    exit code 3 of /usr/bin/sh -c 'exit 3'\n"
        f"  fix:      the whole log is {product.cache}/logs/pylon.log"
    )


def test_the_composed_product_answers(product: BuildSettings) -> None:
    whole = manifest(product.own)
    (shares,) = (cap for cap in whole.caps if cap.precomposed)
    build(shares, product.own, product, commit=shares.sha, epoch=1_700_000_000)
    compose(whole, product, (("scripts/compose.sh",),), commit=shares.sha, epoch=1_700_000_000)

    done = subprocess.run(
        [sys.executable, EXAMPLE / "run", product.own / whole.composed, "100"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == (
        "prime 100 is 541; Saturn has 146 moons, 153 % of Jupiter's; "
        "100 without a quarter is 75; the digits of its mix sum up to 41\n"
    )
