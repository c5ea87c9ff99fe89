"""What all commands have in common: options, streams, exit codes, colours (FORMATS section 7)."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from .conftest import ARCH, BINARY, CONTENTS, SCRIPT, Run, digest, run_process

RED = "\x1b[31m\x1b[1m"
GREEN = "\x1b[32m\x1b[1m"


def test_version(run: Run) -> None:
    number = version("bitproof")
    assert run("--version").out == f"bitproof {number}\n"
    assert run("--version", "--json").document == {"ok": True, "version": number}
    assert run_process("--version").out == f"bitproof {number}\n"


@pytest.mark.parametrize("words", [(), ("assets",)])
def test_without_a_command_the_help_is_shown_as_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    asked, missing = run(*words, "--help"), run(*words)
    assert (asked.code, asked.err) == (0, "")
    assert (missing.code, missing.out, missing.err) == (2, "", asked.out)


@pytest.mark.parametrize("words", [(), ("assets",)])
def test_a_missing_command_with_other_options_is_a_sentence(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, "--json")
    assert (done.code, done.err) == (2, "")
    assert done.document["error"]["what"] == "missing command"
    assert done.document["error"]["fix"] == " ".join(["bitproof", *words, "--help"])


def test_the_help_of_assets_has_whole_sentences(run: Run) -> None:
    lines = run("assets", "-h").out.partition("Commands:\n")[2].splitlines()
    assert len(lines) == 13
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("asets",), "no such command 'asets': expected 'assets'\n  fix:      bitproof --help"),
        (("assets", "reslve"), "no such command 'reslve': expected 'resolve'\n  fix:      bitproof assets --help"),
        (
            ("assets", "list", "--jsn"),
            "no such option '--jsn'. Did you mean '--json'?\n  fix:      bitproof assets list --help",
        ),
        (
            ("assets", "list", "a", "b"),
            "got unexpected extra argument (b)\n  fix:      bitproof assets list --help",
        ),
        (
            ("--color", "mauve", "doctor"),
            "invalid value for '--color': 'mauve' is not one of 'auto', 'always', 'never'\n  fix:      bitproof --help",
        ),
        (("assets", "deprecate"), "missing argument 'VERSION'\n  fix:      bitproof assets deprecate --help"),
    ],
)
def test_wrong_usage_is_one_error_and_exit_2(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert (done.code, done.out, done.err) == (2, "", f"error: {message}\n")


def test_common_options_may_stand_before_between_and_after(layout: Path, run: Run) -> None:
    expected = run("assets", "check", "--json")
    assert expected.document["ok"] is True
    for words in (("--json", "assets", "check"), ("assets", "--json", "check"), ("assets", "check", "--json")):
        assert run(*words) == expected
    for words in (("-q", "assets", "verify"), ("assets", "-q", "verify"), ("assets", "verify", "--quiet")):
        assert run(*words, "--assets", layout) == type(expected)(0, "", "")
    for option in ("-v", "--verbose", "--color=never"):
        assert run("assets", "list", option).out == run(option, "assets", "list").out == run("assets", "list").out


def test_a_failure_as_json_is_one_document_on_stdout_and_nothing_else(layout: Path) -> None:
    done = run_process("assets", "resolve", "--base", layout / "nowhere", "--json")
    assert (done.code, done.err) == (3, "")
    assert done.document == {
        "ok": False,
        "exit_code": 3,
        "error": {
            "kind": "unavailable",
            "what": "the assets directory cannot be opened",
            "where": f"{layout}/nowhere",
            "expected": "",
            "found": "No such file or directory",
            "fix": "bitproof assets install",
            "problems": [],
            "details": [],
        },
    }
    usage = run_process("assets", "resolve", "--nope", "--json")
    assert (usage.code, usage.err) == (2, "")
    assert usage.document["error"]["what"] == "no such option '--nope'"


def test_results_go_to_stdout_and_notes_to_stderr(layout: Path) -> None:
    done = run_process("assets", "verify", "--assets", layout)
    assert done.code == 0
    assert done.out.count("\n") == 3
    assert done.err == "3 ok\n"


def test_each_kind_of_failure_has_its_exit_code(layout: Path) -> None:
    (layout / ARCH / "vmlinuz").write_bytes(b"A kernel")
    assert run_process("assets", "list").code == 0
    assert run_process("assets", "verify", "--assets", layout).code == 1
    assert run_process("assets", "resolve", "--assets", layout, "--base", layout).code == 2
    assert run_process("assets", "verify").code == 3


def test_the_console_script_does_what_the_module_does(layout: Path) -> None:
    words = ("assets", "list", str(layout / "manifest.json"))
    done = subprocess.run([SCRIPT, *words], capture_output=True, check=True, text=True)
    assert done.stdout == run_process(*words).out
    assert done.stderr == ""


def test_colour_only_where_it_is_wanted(layout: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("assets", "verify", "--assets", layout)
    assert "\x1b" not in run(*words).out
    assert run(*words, "--color", "always").out.startswith(f"{GREEN}OK      \x1b[0m ")
    assert run("--color=always", *words).out.startswith(f"{GREEN}OK      \x1b[0m ")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(*words).out
    assert run(*words, "--color", "always").out.startswith(GREEN)
    assert "\x1b" not in run(*words, "--color", "never").out
    failed = run("assets", "list", "nowhere", "--color", "always")
    assert failed.err.startswith(f"{RED}error:\x1b[0m the manifest cannot be opened\n")


def test_digests_are_always_printed_in_full(layout: Path, run: Run) -> None:
    for words in (("manifest",), ("check",), ("verify", "--assets", layout), ("hashes", "--format", "cargo")):
        out = run("assets", *words).out
        assert all(digest(data) in out for data in CONTENTS.values())
    assert BINARY in run("assets", "list").out
