"""Remotes that are gone, talk nonsense, hang up or stall, as caps sync tells of them; the other caps go on."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.caps.repositories import Garbage, HangUp, Stall, leftovers, serving
from tests.caps.shelf import cap
from tests.cli.products import BITPROOF, LOCAL, NAMES, Product, Told, run

FETCH = (
    "git --git-dir=.git --work-tree=. fetch --quiet --no-tags --no-recurse-submodules --no-auto-maintenance "
    "--no-write-fetch-head --no-prune --no-prune-tags"
)
ASKED = "expected at most 5 s, found git --git-dir=.git --work-tree=. ls-remote --quiet --heads --tags -- "
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

    assert failure(product, product.sync(*NAMES)) == (
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
        told = failure(product, product.sync(*NAMES))

    assert told == (
        "git could not fetch all branches and tags\n"
        "  where:    CLONE\n"
        f"  found:    exit code 128 of {FETCH} -- {server.url('two')} {ALL}\n"
        "  | fatal: protocol error: bad line length character: HTTP\n"
    )


def test_a_remote_that_hangs_up_is_told_with_the_last_lines(product: Product, tmp_path: Path) -> None:
    with serving(tmp_path, HangUp()) as server:
        product.move("two", server.url("two"))
        told = failure(product, product.sync(*NAMES))

    assert told.startswith("git could not fetch all branches and tags\n  where:    CLONE\n")
    assert "  | fatal: Could not read from remote repository.\n" in told


def test_a_remote_that_stalls_is_left_at_the_deadline_and_its_git_with_it(product: Product, tmp_path: Path) -> None:
    (product.own / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\ntimeout = 5\n')
    began = time.monotonic()

    with serving(tmp_path, Stall()) as server:
        product.move("two", server.url("two"))
        told = failure(product, product.sync(*NAMES))
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

    told = product.sync(*NAMES)

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


def test_regen_tells_every_remote_that_does_not_answer_in_time(product: Product, tmp_path: Path) -> None:
    assert product.sync(*NAMES).code == 0
    before = product.manifest_path.read_bytes()
    (product.own / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\ntimeout = 5\n')

    with serving(tmp_path, Stall()) as server:
        for name in NAMES:
            product.move(name, server.url(name))
        moved = product.manifest_path.read_bytes()
        told = run(product.own, "regen", *NAMES, cache=product.root / "cache")

    stalled = "git could not list the branches and tags in time"
    lines = [f"  - cap {name}: {stalled}: {ASKED}{server.url(name)}\n" for name in NAMES]
    fix = "  fix:      mend these; no pin was changed\n"
    assert told == Told(3, "", "".join(["error: these cannot be pinned\n", *lines, fix]))
    assert product.manifest_path.read_bytes() == moved != before


def test_regen_that_is_interrupted_ends_its_gits_and_changes_nothing(product: Product, tmp_path: Path) -> None:
    assert product.sync("one").code == 0
    with serving(tmp_path, Stall()) as server:
        product.move("one", server.url("one"))
        before = product.manifest_path.read_bytes()
        argv = [str(BITPROOF), "caps", "regen", LOCAL, "one"]
        with subprocess.Popen(argv, cwd=product.own, env=product.environ, text=True, stderr=subprocess.PIPE) as process:
            try:
                assert server.waits.wait(30)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert server.left.wait(10)

    assert (process.returncode, err) == (130, "error: interrupted\n")
    assert product.manifest_path.read_bytes() == before
    assert leftovers(product.roots.git_root) == []
