"""Sync, from the command line, of siblings that a script builds in no time."""

import os
import re
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from bitproof.system.process import find_program
from tests.caps.repositories import commit, git
from tests.caps.shelf import cap, sha256, temporaries
from tests.cli.products import ALL_OK, LOCAL, NAMES, ROOT, ZEROS, Product, Terminal, Told, run

STRACE = find_program("strace", "strace")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


@pytest.fixture
def bitproof(product: Product, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(product.own, capsys, monkeypatch)


def test_every_cap_has_a_line_in_the_order_of_the_manifest(bitproof: Terminal, product: Product) -> None:
    assert bitproof("sync", LOCAL) == Told(0, ALL_OK, "")
    assert product.roots.artifact(cap("one")).read_bytes() == b"one"
    assert (product.own / "out/all.wasm").read_bytes() == b"onetwothree"
    assert temporaries(product.root) == []


def test_only_the_caps_that_are_named_are_made(bitproof: Terminal, product: Product) -> None:
    assert bitproof("sync", LOCAL, "three", "one").out == "OK one\nOK three\n"
    assert not (product.roots.git_root / "two").exists()


def test_a_dry_run_says_what_and_why_and_does_nothing(bitproof: Terminal, product: Product) -> None:
    product.roots.git_root.rmdir()
    plan = (
        "precompose all: the artifact is missing\n"
        "build      one: there is no checkout yet\n"
        "build      two: there is no checkout yet\n"
        "build      three: there is no checkout yet\n"
        "skip       later: no commit is pinned yet\n"
    )

    assert bitproof("sync", LOCAL, "--dry-run") == Told(0, plan, "")
    assert not product.roots.git_root.exists()
    assert bitproof("sync", LOCAL, "--dry-run", "--json", "one").document == {
        "ok": True,
        "plan": [{"id": "one", "action": "build", "reason": "there is no checkout yet"}],
    }


def test_a_local_repo_needs_leave(bitproof: Terminal) -> None:
    told = bitproof("sync")

    assert (told.code, told.out) == (2, "")
    assert "cap one (line " in told.err
    assert "repo: a local repo needs --allow-local-repos: found '../remotes/one'" in told.err


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_are_a_number_from_one_on(bitproof: Terminal, jobs: str) -> None:
    assert bitproof("sync", LOCAL, "-j", jobs).code == 2


def test_one_job_is_enough(bitproof: Terminal) -> None:
    assert bitproof("sync", LOCAL, "-j", "1") == Told(0, ALL_OK, "")


def test_a_failing_build_is_told_with_its_step_and_log_and_the_others_go_on(
    bitproof: Terminal, product: Product
) -> None:
    product.pin("two", product.publish("two", "echo no such thing >&2", "exit 7"))

    told = bitproof("sync", LOCAL)

    log = product.root / "cache/bitproof/logs/two.log"
    assert told.code == 1
    one, failed, rest = re.fullmatch(r"(?s)(.*?)(FAIL two: .*?)(OK three\n.*)", told.out).groups()  # type: ignore[union-attr] # asserted by what follows
    assert "OK one\n" in one
    assert failed.startswith("FAIL two: the build failed\n  where:    cap two: ")
    assert "  found:    exit code 7 of " in failed
    assert failed.endswith(f"  | no such thing\n  fix:      the whole log is {log}\n")
    assert rest == "OK three\nSKIP later: no commit is pinned yet\n"
    assert log.read_text().endswith("no such thing\n")


def test_a_remote_that_is_gone_fails_its_cap_alone(bitproof: Terminal, product: Product) -> None:
    product.remotes["two"].rename(product.root / "away")

    told = bitproof("sync", LOCAL, "one", "two", "three")

    assert told.code == 3
    assert told.out.startswith("OK one\nFAIL two: git could not ")
    assert told.out.endswith("OK three\n")
    assert not (product.roots.git_root / "two").exists()


def test_uncommitted_work_is_never_touched(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL, "one")
    mine = product.roots.git_root / "one" / "build.sh"
    mine.write_text("mine")
    product.pin("one", product.publish("one", "printf one >out/one.wasm # again"))

    told = bitproof("sync", LOCAL, "one")

    assert told.code == 1
    assert told.out.startswith("FAIL one: would overwrite 1 file\n")
    assert mine.read_text() == "mine"


def test_a_mismatch_has_both_digests_and_what_differs(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL, "one")
    old = product.shas["one"]
    product.pin("one", product.publish("one", "printf onf >out/one.wasm"))

    told = bitproof("sync", LOCAL, "--keep", "one")

    path = product.roots.artifact(cap("one"))
    assert told == Told(
        1,
        "MISMATCH one\n"
        f"  where:    {path}\n"
        f"  expected: {sha256(b'one')}\n"
        f"  found:    {sha256(b'onf')}\n"
        "  why:      Different bytes. Expected 3 bytes, found 3, and the first difference is at offset 2. "
        f"Recorded inputs that differ: commit: differs: expected {old}, found {product.shas['one']}.\n"
        f"  pinned:   {path}.expected\n",
        "",
    )
    assert path.with_name("one.wasm.expected").read_bytes() == b"one"


def test_a_sync_keeps_the_cache_of_proved_artifacts_small(bitproof: Terminal, product: Product) -> None:
    kept = product.root / "cache/bitproof/artifacts"
    kept.mkdir(parents=True)
    old = kept / ("1" * 64)
    old.touch()
    os.truncate(old, 1 << 30)
    os.utime(old, (0, 0))

    assert bitproof("sync", LOCAL, "one").code == 0
    assert {path.name for path in kept.iterdir()} == {
        sha256(b"one").value,
        f"{sha256(b'one').value}.inputs.json",
    }


def test_without_keep_nothing_is_laid_beside(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL, "one")
    product.pin("one", product.publish("one", "printf onf >out/one.wasm"))

    assert "pinned:" not in bitproof("sync", LOCAL, "one").out
    assert not product.roots.artifact(cap("one")).with_name("one.wasm.expected").exists()


def test_a_placeholder_digest_is_skipped_with_the_one_to_pin(bitproof: Terminal, product: Product) -> None:
    text = product.manifest_path.read_text()
    product.manifest_path.write_text(text.replace(sha256(b"one").value, ZEROS))

    assert bitproof("sync", LOCAL, "one") == Told(
        0, f"SKIP one: no digest is pinned yet; this is the one that was built: {sha256(b'one')}\n", ""
    )


def test_json_has_a_verdict_for_each_cap(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL, "one")
    product.pin("one", product.publish("one", "printf onf >out/one.wasm"))
    product.pin("two", product.publish("two", "exit 7"))

    told = bitproof("sync", LOCAL, "--json", "one", "two", "three", "later")

    assert (told.code, told.err, told.document["ok"]) == (1, "", False)
    assert told.document["summary"] == {"ok": 1, "placeholder": 1, "missing": 0, "drifted": 1, "failed": 1}
    one, two, three, later = told.document["findings"]
    assert (one["name"], one["verdict"], one["found"]) == ("one", "drifted", str(sha256(b"onf")))
    assert one["detail"].startswith("Different bytes. ")
    assert (two["verdict"], two["detail"].splitlines()[0]) == ("failed", "the build failed")
    assert three["expected"] == three["found"] == str(sha256(b"three"))
    assert later["verdict"] == "placeholder"
    assert bitproof("sync", LOCAL, "--json", "three", "later").document["ok"]


def test_a_drifted_artifact_is_made_again(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL)
    product.roots.artifact(cap("one")).write_bytes(b"drifted")
    (product.own / "out/all.wasm").unlink()

    plan = bitproof("sync", LOCAL, "--dry-run").out
    assert "build      one: the artifact is not the pinned one\n" in plan
    assert bitproof("sync", LOCAL) == Told(0, ALL_OK, "")
    assert product.roots.artifact(cap("one")).read_bytes() == b"one"


def test_without_the_cache_a_lie_in_it_is_not_believed(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL, "one")
    path = product.roots.artifact(cap("one"))
    path.write_bytes(b"onf")
    state = path.stat()
    identity = [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
    lie = str([*identity, "", sha256(b"one").value]).replace("'", '"')
    (product.roots.git_root / ".bitproof-digests.json").write_text(f'{{"{path}": {lie}}}')

    assert bitproof("sync", LOCAL, "--dry-run", "one").out == "keep       one: as it is pinned\n"
    told = bitproof("sync", LOCAL, "--dry-run", "--no-cache", "one").out
    assert told == "build      one: the artifact is not the pinned one\n"


def test_a_sync_with_nothing_to_do_needs_no_program_and_reads_no_artifact(product: Product) -> None:
    assert product.sync().code == 0
    run(product.own, "sync", LOCAL, cache=product.root / "cache")
    trace = product.root / "trace"
    options = ["-f", "-y", "-e", "trace=execve,vfork,fork,read,pread64,mmap,sendfile,copy_file_range"]

    done = subprocess.run(
        [STRACE, "-o", trace, *options, *product.argv()],
        cwd=product.own,
        env={**product.environ, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, ALL_OK)
    lines = trace.read_text().splitlines()
    assert sum(" execve(" in line for line in lines) == 1
    assert not [line for line in lines if "fork(" in line or ".wasm>" in line]
    heads = [line for line in lines if "/.git/" in line]
    assert {match[1] for line in heads if (match := re.search(r"/git/(\w+)/\.git/HEAD>", line))} == set(NAMES)
    assert not [line for line in heads if "/.git/HEAD>" not in line]


@pytest.mark.parametrize("when", ["while it builds", "with half an artifact", "while it precomposes"])
def test_killed_while_it_works_the_next_one_heals(product: Product, when: str) -> None:
    kill = f"if mkdir {product.root}/killed; then kill -9 $PPID; exit 9; fi"
    if when == "while it precomposes":
        script = product.own / "scripts/precompose-all.sh"
        script.write_text(script.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\nprintf ha >out/all.wasm\n{kill}\n"))
        (product.own / "out").mkdir()
    else:
        half = "printf tw >out/two.wasm" if "half" in when else ":"
        product.pin("two", product.publish("two", half, kill, "printf two >out/two.wasm"))

    assert product.sync().code == -signal.SIGKILL
    before = product.manifest_path.read_bytes()
    assert product.sync() == Told(0, ALL_OK, "")
    assert product.manifest_path.read_bytes() == before
    assert [path for path in temporaries(product.root) if "clones" in path.parts] == []


@pytest.mark.parametrize("number", [1, 2, 4, 6])
@pytest.mark.parametrize("call", ["rename,renameat,renameat2", "fsync,fdatasync"])
def test_killed_at_any_write_the_next_one_heals(product: Product, call: str, number: int) -> None:
    inject = ["-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]

    done = subprocess.run(
        [STRACE, *inject, *product.argv(), "-j", "1"],
        cwd=product.own,
        env=product.environ,
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert done.returncode in {-signal.SIGKILL, 1}
    assert product.sync() == Told(0, ALL_OK, "")


def test_two_syncs_of_one_git_root_at_once_both_end_well_and_build_once(product: Product) -> None:
    for name in NAMES:
        builds = f"echo {name} >>{product.root}/builds"
        product.pin(name, product.publish(name, builds, f"printf {name} >out/{name}.wasm"))
    script = product.own / "scripts/precompose-all.sh"
    script.write_text(script.read_text() + f"echo all >>{product.root}/builds\n")

    running = [
        subprocess.Popen(
            product.argv(),
            cwd=product.own,
            env=product.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0, 0], ended
    assert [out for out, _ in ended] == [ALL_OK, ALL_OK]
    assert sorted((product.root / "builds").read_text().split()) == sorted([*NAMES, "all"])
    assert temporaries(product.root) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_ends_what_it_started_and_the_next_one_heals(product: Product, number: signal.Signals) -> None:
    started, go = product.root / "started", product.root / "go"
    os.mkfifo(started)
    wait = f"[ -e {go} ] || {{ echo $$ >{started}; exec sleep 1000; }}"
    product.pin("two", product.publish("two", wait, "printf two >out/two.wasm"))
    with subprocess.Popen(
        product.argv(), cwd=product.own, env=product.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            child = int(started.read_text())
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()

    assert (process.returncode, err) == (130, "error: interrupted\n")
    assert not Path(f"/proc/{child}").exists()
    go.touch()
    assert product.sync() == Told(0, ALL_OK, "")


def wait_until_it_watches_its_build(process: "subprocess.Popen[bytes]") -> None:
    """Until a process holds a build's pidfd: it takes one when it has told its warden about the build."""
    while process.poll() is None:
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                if "[pidfd]" in str(link.readlink()):
                    return
    pytest.fail("the sync ended by itself")


def test_killed_it_takes_its_builds_with_it(product: Product) -> None:
    started = product.root / "started"
    os.mkfifo(started)
    wait = f"[ -e {product.root}/go ] || {{ sleep 1000 & echo $$ $! >{started}; wait; }}"
    product.pin("two", product.publish("two", wait, "printf two >out/two.wasm"))
    with subprocess.Popen(product.argv(), cwd=product.own, env=product.environ, stdout=subprocess.DEVNULL) as process:
        try:
            running = [os.pidfd_open(int(number)) for number in started.read_text().split()]
            wait_until_it_watches_its_build(process)
        finally:
            process.kill()

    for child in running:
        assert select.select([child], [], [], 30)[0], "the build still runs"
        os.close(child)
    (product.root / "go").touch()
    assert product.sync() == Told(0, ALL_OK, "")


def test_a_command_is_run_from_below_the_product_too(product: Product) -> None:
    (product.own / "inner").mkdir()

    assert run(product.own / "inner", "sync", LOCAL, "one", cache=product.root / "cache").out == "OK one\n"
    assert ROOT not in product.root.parents


def test_regen_after_a_deliberate_update_changes_digits_alone(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL)
    before = product.manifest_path.read_text()
    sha = product.publish("one", "printf two >out/one.wasm")
    git(product.roots.git_root / "one", "fetch", "--quiet", str(product.remotes["one"]), "main")
    git(product.roots.git_root / "one", "checkout", "--quiet", "--detach", sha)
    (product.roots.git_root / "one/out/one.wasm").write_bytes(b"new")

    dry = bitproof("regen", LOCAL, "--dry-run", "one")
    assert (dry.code, product.manifest_path.read_text()) == (0, before)
    wet = bitproof("regen", LOCAL, "one")

    assert wet == dry
    expected = before.replace(product.shas["one"], sha).replace(sha256(b"one").value, sha256(b"new").value)
    assert product.manifest_path.read_text() == expected
    assert f'-sha = "{product.shas["one"]}"\n+sha = "{sha}"\n' in wet.out
    assert bitproof("regen", LOCAL, "one").out == f"{product.manifest_path}: unchanged\n"
    assert bitproof("regen", LOCAL, "--json", "one").document == {"ok": True, "changed": False, "diff": ""}


def test_regen_refuses_what_is_not_fit_and_writes_nothing(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL)
    before = product.manifest_path.read_text()
    (product.roots.git_root / "one/build.sh").write_text("mine")
    mine = commit(product.roots.git_root / "two", {"mine": "1"})
    product.roots.artifact(cap("three")).unlink()

    assert bitproof("regen", LOCAL) == Told(
        1,
        "",
        "error: these cannot be pinned\n"
        "  - cap one: the sibling has uncommitted changes: found 'build.sh'\n"
        "  - cap two: no branch or tag of the remote holds HEAD: "
        f"expected a commit of ../remotes/two, found {mine}\n"
        "  - cap three: out/three.wasm: the artifact is missing\n"
        "  fix:      mend these; no pin was changed\n",
    )
    assert product.manifest_path.read_text() == before
    assert temporaries(product.root) == []


def test_compose_runs_the_commands_and_pins_their_result(bitproof: Terminal, product: Product) -> None:
    bitproof("sync", LOCAL)
    before = product.manifest_path.read_text()
    compose = "sh -c 'test -e first; cat out/all.wasm >build/pylon.wasm'"
    (product.own / "bitproof.toml").write_text(
        f'[caps]\ngit_root = "../git"\nprecompose = "touch first"\ncompose = ["{compose}"]\n'
    )

    told = bitproof("compose", LOCAL)

    assert told.code == 0
    changed = before.replace(sha256(b"pylon").value, sha256(b"onetwothree").value, 1)
    assert product.manifest_path.read_text() == changed
    assert bitproof("verify", LOCAL).out.endswith("pylon_sha256 status: OK\n")
    assert bitproof("compose", LOCAL).out == f"{product.manifest_path}: unchanged\n"


@pytest.mark.parametrize(
    ("compose", "code", "sentence"),
    [
        ("[]", 2, "no compose command is configured"),
        ("'sh -c \"exit 3\"'", 1, "the build failed"),
        ("'true'", 1, "the build did not make the artifact"),
        ("'no-such-program'", 3, "the program no-such-program is not installed"),
    ],
)
def test_a_compose_that_fails_pins_nothing(
    bitproof: Terminal, product: Product, compose: str, code: int, sentence: str
) -> None:
    before = product.manifest_path.read_text()
    (product.own / "bitproof.toml").write_text(f"[caps]\ngit_root = '../git'\ncompose = {compose}\n")

    told = bitproof("compose", LOCAL)

    assert (told.code, told.err.splitlines()[0]) == (code, f"error: {sentence}")
    assert product.manifest_path.read_text() == before
