"""bitproof as a process: closed pipes, full disks, Ctrl-C, shell completion, what is imported."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bitproof.cli.main import main

from .conftest import ARCH, SCRIPT, VERSION, spawn, temporaries, tree


def test_a_closed_pipe_is_no_traceback(layout: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with spawn("assets", "list", layout / "manifest.json", stdout=writer) as child:
        os.close(writer)
        assert child.communicate(timeout=60)[1] == ""
    assert child.returncode == 141


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_full_disk_behind_stdout_is_a_sentence(layout: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full, spawn("assets", "list", *words, stdout=full) as child:
        err = child.communicate(timeout=60)[1]
    assert child.returncode == 3
    assert err == ("error: the system refused\n  where:    standard output\n  found:    No space left on device\n")
    assert layout.is_dir()


def test_a_full_disk_behind_stderr_keeps_the_exit_code(layout: Path) -> None:
    with Path("/dev/full").open("w") as full, spawn("assets", "list", "nowhere", stderr=full) as child:
        assert child.communicate(timeout=60)[0] == ""
    assert child.returncode == 3
    assert layout.is_dir()


def test_without_a_stdout_the_exit_code_still_tells(layout: Path) -> None:
    command = f'{SCRIPT} assets verify --assets "$1" >&-; echo $?; {SCRIPT} assets list nowhere >&- 2>&-; echo $?'
    done = subprocess.run(["sh", "-c", command, "sh", layout], capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n3\n", "3 ok\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_changes_nothing_else(layout: Path, tmp_path: Path, closed: str) -> None:
    command = f'{SCRIPT} assets install --base "$1" {closed}; echo $?'
    done = subprocess.run(["sh", "-c", command, "sh", tmp_path / "store"], capture_output=True, check=True, text=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")
    assert (tmp_path / "store" / "manifest.json").read_bytes() == (layout / "manifest.json").read_bytes()


def test_ctrl_c_while_waiting_for_a_lock_is_130(store: Path) -> None:
    before = tree(store)
    with (store / ".bitproof.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with spawn("assets", "install") as child:
            assert child.stderr is not None
            note = child.stderr.readline()
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
    assert note == f"waiting for another bitproof to finish ({store}/.bitproof.lock)\n"
    assert (child.returncode, out, err) == (130, "", "error: interrupted\n")
    assert tree(store) == before


GIB = 1 << 30
COPYING = 64 << 20


def is_copying(store: Path) -> bool:
    """Whether a temporary has grown so large that a copy is surely under way."""
    with suppress(FileNotFoundError):
        return any(path.stat().st_size >= COPYING for path in temporaries(store))
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_copying_leaves_no_temporary_and_no_manifest(
    layout: Path, tmp_path: Path, number: signal.Signals
) -> None:
    os.truncate(layout / ARCH / "rootfs.squashfs", GIB)
    assert main(["-q", "assets", "manifest", "--json"]) == 0
    store = tmp_path / "store"
    with spawn("assets", "install", "--base", store, "--json") as child:
        while not is_copying(store):
            assert child.poll() is None
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "")
    document = json.loads(out)
    assert (document["ok"], document["exit_code"]) == (False, 130)
    assert (document["error"]["kind"], document["error"]["what"]) == ("interrupted", "interrupted")
    assert temporaries(store) == []
    assert not (store / "manifest.json").exists()


def complete(*words: str, script: bool = False) -> list[str]:
    """What bash is told to offer for the last word."""
    environment = {
        "_BITPROOF_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("bitproof", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [SCRIPT] if script else [sys.executable, "-m", "bitproof"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_the_shell_completes_commands_options_and_values() -> None:
    assert complete("assets", "re", script=True) == ["repack", "resolve"]
    assert complete("ass") == ["assets"]
    assert complete("assets", "w") == ["why"]
    assert complete("assets", "hashes", "--format", "") == ["cargo", "env", "rust", "c", "python", "json"]
    assert complete("assets", "resolve", "--ex") == ["--explain"]
    assert complete("assets", "why", "1.0", "--as") == ["--assets"]
    assert complete("-C", "/nowhere", "assets", "li") == ["list"]
    assert complete("asets", "re") == []


def test_the_completion_script_is_for_this_command() -> None:
    environment = {**os.environ, "_BITPROOF_COMPLETE": "bash_source"}
    done = subprocess.run([SCRIPT], env=environment, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    assert "_BITPROOF_COMPLETE=bash_complete" in done.stdout
    subprocess.run(["bash", "-n"], input=done.stdout, check=True, text=True)


HEAVY = (
    "asyncio",
    "bitproof.trust",
    "blake3",
    "cryptography",
    "importlib.metadata",
    "rich",
    "subprocess",
    "tomlkit",
    "tomllib",
    "zstandard",
)


def test_resolve_imports_nothing_heavy(store: Path) -> None:
    code = "import sys; from bitproof.cli.main import main; main(['assets', 'resolve']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    *result, modules = done.stdout.splitlines()
    assert result[0] == f"assets   {VERSION}"
    assert sorted(set(HEAVY) & set(modules.split())) == []
    assert store.is_dir()
