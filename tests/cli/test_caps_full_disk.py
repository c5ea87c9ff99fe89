"""A disk that fills up while caps sync works: the cap says so, the others go on, and room is all that heals needs."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.caps.repositories import commit, git, leftovers
from tests.caps.shelf import cap, sha256, temporaries
from tests.cli.products import ALL_OK, Product, Told
from tests.conftest import Mount

FULL = "No space left on device"
BIG = 8_000_000
ZEROS_SHA256 = sha256(bytes(BIG)).value


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def grow(place: Path) -> None:
    """Give a small file system room."""
    subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)


def sync(product: Product, git_root: Path, *argv: str) -> Told:
    return product.sync("-j", "1", "--git-root", str(git_root), *argv)


def failed(told: Told, name: str = "two") -> list[str]:
    """The lines about the one cap that failed; the caps beside it are OK."""
    one, _, rest = told.out.partition(f"FAIL {name}: ")
    assert one == "OK one\n"
    lines = rest.splitlines()
    assert lines[-1] == "OK three"
    return lines[:-1]


def test_full_during_a_clone_there_is_no_sibling_and_the_next_one_heals(product: Product, mounted: Mount) -> None:
    small = mounted("size=4m")
    commit(product.remotes["two"], {"big": os.urandom(BIG // 2).hex()})
    product.pin("two", git(product.remotes["two"], "rev-parse", "HEAD"))

    told = sync(product, small, "one", "two", "three")

    assert (told.code, told.err) == (3, "")
    lines = failed(told)
    assert lines[0] == "git could not fetch all branches and tags"
    assert any(FULL in line for line in lines)
    assert not (small / "two").exists()
    assert leftovers(small) == []
    grow(small)
    assert sync(product, small) == Told(0, ALL_OK, "")


def test_full_during_a_checkout_the_sibling_stays_as_it_was_and_the_next_one_heals(
    product: Product, mounted: Mount
) -> None:
    small = mounted("size=4m")
    assert sync(product, small, "one", "two", "three").code == 0
    before = product.shas["two"]
    commit(product.remotes["two"], {"big": "x" * BIG})
    product.pin("two", product.publish("two", "printf two >out/two.wasm # again"))

    told = sync(product, small, "one", "two", "three")

    assert (told.code, told.err) == (3, "")
    lines = failed(told)
    assert lines[0] == "git could not check out the pinned commit"
    assert "  | error: unable to write file big" in lines
    assert git(small / "two", "rev-parse", "HEAD") == before
    assert git(small / "two", "status", "--porcelain") == ""
    assert leftovers(small) == []
    grow(small)
    assert sync(product, small) == Told(0, ALL_OK, "")


def test_full_during_a_build_no_half_artifact_is_left_and_the_next_one_heals(product: Product, mounted: Mount) -> None:
    small = mounted("size=4m")
    product.pin("two", product.publish("two", f"head -c {BIG} /dev/zero >out/two.wasm"))
    text = product.manifest_path.read_text()
    product.manifest_path.write_text(text.replace(sha256(b"two").value, ZEROS_SHA256))

    told = sync(product, small, "one", "two", "three")

    assert (told.code, told.err) == (3, "")
    script = small / "two/build.sh"
    assert failed(told) == [
        "the disk is full: the build could not go on",
        "  where:    cap two: build.sh",
        f"  found:    exit code 1 of /usr/bin/sh {script}",
        f"  | head: error writing 'standard output': {FULL}",
        f"  fix:      free some disk space and try again; the whole log is {product.root}/cache/bitproof/logs/two.log",
    ]
    assert not (small / "two/out/two.wasm").exists()
    grow(small)
    assert sync(product, small, "one", "two", "three") == Told(0, "OK one\nOK two\nOK three\n", "")


def test_a_log_that_fills_the_disk_is_no_fault_of_the_build(product: Product, mounted: Mount) -> None:
    cache = mounted("size=1m")
    product.pin("two", product.publish("two", f"head -c {BIG} /dev/zero | tr '\\0' y", "printf two >out/two.wasm"))

    told = product.sync("-j", "1", "one", "two", "three", cache=cache)

    assert (told.code, told.err) == (3, "")
    assert told.out.startswith(
        "OK one\nFAIL two: the disk is full: the build could not go on\n  where:    cap two: build.sh\n"
    )
    assert told.out.endswith(  # the log of the second is kept
        f"FAIL three: the log cannot be written\n  where:    {cache}/bitproof/logs/three.log\n"
        f"  found:    {FULL}\n  fix:      free some disk space and try again\n"
    )
    assert not product.roots.artifact(cap("two")).exists()
    assert temporaries(cache) == []
    grow(cache)
    assert product.sync("-j", "1", cache=cache) == Told(0, ALL_OK, "")
