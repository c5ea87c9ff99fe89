"""The reference is complete, and names nothing that there is not: commands, options, keys, variables, public names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import bitproof
from bitproof.cli.commands import bitproof as command_line
from bitproof.model import guest_config
from tests.conftest import ROOT

REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "bitproof"
EVERYWHERE = "Options that stand everywhere"
GETTERS = {"choice", "flag", "integer", "only", "parsed", "table", "text", "texts"}


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text("utf-8")


def sections(text: str) -> dict[str, str]:
    """The bodies of the second-level headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_codes(text: str) -> str:
    """The first column of all tables."""
    return "\n".join(re.findall(r"^\| (.*?[^\\]) \|", text, re.MULTILINE))


def documented_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", table_codes(text)))


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def options(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


COMMANDS = dict(commands(command_line))


def everywhere() -> set[str]:
    return documented_options(sections(page("cli"))[EVERYWHERE])


def test_the_options_that_stand_everywhere_are_those_of_the_first_word() -> None:
    assert everywhere() == options(command_line)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_section_with_just_its_options(name: str) -> None:
    documented = documented_options(sections(page("cli")).get(name, ""))
    assert documented == options(COMMANDS[name]) - everywhere()


def test_every_section_of_a_command_is_of_one_that_there_is() -> None:
    groups = ("assets ", "caps ", "channel ", "init ", "trust ", "vm ")
    assert [name for name in sections(page("cli")) if name.startswith(groups) and name not in COMMANDS] == []


def test_the_choices_of_options_are_documented() -> None:
    text = page("cli").replace("\\|", "|")
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and isinstance(parameter.type, click.Choice):
                assert f"{parameter.opts[0]} {'|'.join(parameter.type.choices)}`" in text, f"{name} {parameter.opts[0]}"


def read_keys(path: Path) -> set[str]:
    """The keys that a module asks tables for: the texts in its calls of typed getters."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    asked = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in GETTERS]
    constants = [
        argument.value
        for call in asked
        for argument in (
            call.args if isinstance(call.func, ast.Attribute) and call.func.attr == "only" else call.args[:1]
        )
        if isinstance(argument, ast.Constant)
    ]
    return {text for text in constants if isinstance(text, str) and re.fullmatch(r"[a-z_]+", text)}


@pytest.mark.parametrize(
    ("module", "name", "some"),
    [
        ("model/guest_config.py", "guest-config", {"compression", "suite", "cpus", "min_binary"}),
        ("model/guest_kernel.py", "guest-config", {"package", "tarball", "defconfig", "modules"}),
        ("cli/settings.py", "settings", {"home", "version_from", "artifacts", "timeout"}),
        ("cli/channel/settings.py", "settings", {"place", "from", "name", "root", "keys"}),
        ("cli/caps/settings.py", "settings", {"git_root", "command", "adapter"}),
        ("model/selection.py", "selection", {"machine", "why", "from", "vms"}),
        ("model/history.py", "selection", {"entries", "when", "event"}),
        ("model/caps_manifest.py", "caps-manifest", {"repo", "sha", "local_dir", "precomposed"}),
        ("proof/inputs.py", "builds", {"commit", "driver", "host", "parts"}),
    ],
)
def test_every_key_that_is_read_is_documented(module: str, name: str, some: set[str]) -> None:
    keys = read_keys(SOURCE / module)
    assert some <= keys, "the keys are no longer found in the module"
    text = page(name)
    assert sorted(key for key in keys if not re.search(rf"[`.\[]{key}[`\].]", text)) == []


def test_the_limits_of_the_guest_config_are_documented() -> None:
    text = page("guest-config")
    cpus, memory, levels = guest_config.CPUS, guest_config.MEMORY_MIB, guest_config.LEVELS
    default = guest_config.Resources()
    assert f"| `cpus` | {cpus[0]} to {cpus[1]} | {default.cpus} |" in text
    assert f"| `memory` | {memory[0]} to {memory[1]} MiB | {default.memory} |" in text
    assert f"1 to {levels['zstd']} for zstd, 1 to {levels['xz']} for xz and gzip" in text
    assert f"lz4hc 1 to {levels['lz4hc']}" in text


def test_every_variable_that_is_read_is_documented() -> None:
    code = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    names = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Za-z_]+)\"", code))
    assert {"BITPROOF_HOME", "SOURCE_DATE_EPOCH"} <= names, "the variables are no longer found in the code"
    assert sorted(name for name in names if f"`{name}`" not in page("settings")) == []


def test_every_public_name_is_documented() -> None:
    text = page("library")
    assert sorted(name for name in bitproof.__all__ if not re.search(rf"`{name}[`(]", text)) == []
