"""Remotes that are gone, talk nonsense, hang up or stall, as caps sync tells of them; the other caps go on."""

import re
import time
from pathlib import Path

import pytest

from tests.caps.repositories import Garbage, HangUp, Stall, leftovers, serving
from tests.caps.shelf import cap
from tests.cli.products import Product, Told

FETCH = (
    "git --git-dir=.git --work-tree=. fetch --quiet --no-tags --no-recurse-submodules --no-auto-maintenance "
    "--no-write-fetch-head --no-prune --no-prune-tags"
)
ALL = "+refs/heads/*:refs/bitproof/heads/* +refs/tags/*:refs/bitproof/tags/*"


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def failure(product: Product, told: Told) -> str:
    """What is said of the one cap that failed, the clone's unguessable name left out."""
    assert (told.code, told.err) == (3, "")
    assert told.out.startswith("OK one\nFAIL two: ")
    assert told.out.endswith("\nOK three\n")
    assert not (product.roots.git_root / "two").exists()
    assert leftovers(product.roots.git_root) == []
    clones = product.roots.git_root / ".bitproof/clones/two"
    told_of_two = told.out.removeprefix("OK one\nFAIL two: ").removesuffix("OK three\n")
    return re.sub(rf"{re.escape(str(clones))}/[0-9a-f]{{16}}\b", "CLONE", told_of_two)


def test_a_remote_that_is_gone_is_told_with_step_command_and_last_lines(product: Product, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        url = server.url("two")
    product.move("two", url)

    assert failure(product, product.sync("one", "two", "three")) == (
        "git could not fetch all branches and tags\n"
        "  where:    CLONE\n"
        f"  found:    exit code 128 of {FETCH} -- {url} {ALL}\n"
        "  | fatal: unable to connect to 127.0.0.1:\n"
        "  | 127.0.0.1[0: 127.0.0.1]: errno=Connection refused\n"
        "  | \n"
    )


def test_a_remote_that_talks_nonsense_is_told_in_words_safe_to_print(product: Product, tmp_path: Path) -> None:
    with serving(tmp_path, Garbage()) as server:
        product.move("two", server.url("two"))
        told = failure(product, product.sync("one", "two", "three"))

    assert told == (
        "git could not fetch all branches and tags\n"
        "  where:    CLONE\n"
        f"  found:    exit code 128 of {FETCH} -- {server.url('two')} {ALL}\n"
        "  | fatal: protocol error: bad line length character: HTTP\n"
    )


def test_a_remote_that_hangs_up_is_told_with_the_last_lines(product: Product, tmp_path: Path) -> None:
    with serving(tmp_path, HangUp()) as server:
        product.move("two", server.url("two"))
        told = failure(product, product.sync("one", "two", "three"))

    assert told.startswith("git could not fetch all branches and tags\n  where:    CLONE\n")
    assert "  | fatal: Could not read from remote repository.\n" in told


def test_a_remote_that_stalls_is_left_at_the_deadline_and_its_git_with_it(product: Product, tmp_path: Path) -> None:
    (product.own / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\ntimeout = 5\n')
    began = time.monotonic()

    with serving(tmp_path, Stall()) as server:
        product.move("two", server.url("two"))
        told = failure(product, product.sync("one", "two", "three"))
        assert server.left.wait(10)

    assert 5 <= time.monotonic() - began < 60
    assert server.asked == ["two"]
    assert told == (
        "git could not fetch the pinned commit in time\n"
        "  where:    CLONE\n"
        "  expected: at most 5 s\n"
        f"  found:    {FETCH} --depth=1 -- {server.url('two')} {product.shas['two']}\n"
        "  fix:      see whether the server answers, or raise caps.timeout in bitproof.toml\n"
    )


def test_a_build_that_stalls_is_ended_at_the_deadline_with_the_last_lines(product: Product) -> None:
    (product.own / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\ntimeout = 5\n')
    child = product.root / "child"
    stall = f"echo waiting; printf tw >out/two.wasm; echo $$ >{child}; exec sleep 1000"
    product.pin("two", product.publish("two", stall))

    told = product.sync("one", "two", "three")

    log = product.root / "cache/bitproof/logs/two.log"
    assert told == Told(
        3,
        "OK one\n"
        "FAIL two: sh did not end in time\n"
        "  where:    cap two: build.sh\n"
        "  expected: at most 5 s\n"
        f"  found:    /usr/bin/sh {product.roots.git_root}/two/build.sh\n"
        "  | waiting\n"
        f"  fix:      the whole log is {log}; caps.timeout sets the seconds for a step\n"
        "OK three\n",
        "",
    )
    assert not Path(f"/proc/{child.read_text().strip()}").exists()
    assert not product.roots.artifact(cap("two")).exists()
