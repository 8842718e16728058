"""docs/cli.md has every command, argument, option, result field and exit code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tensorhub import errors
from tensorhub.cli.app import EXIT_INTERRUPTED, app
from tensorhub.cli.output import EXIT_BROKEN_PIPE
from tensorhub.cli.rm import EXIT_DECLINED
from tensorhub.hub import values as hub_values
from tensorhub.store import values

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def list_commands(group: Any, before: str = "") -> dict[str, Any]:
    """Give every command by what is typed; those of a group with its name in front."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = list_commands(command, f"{before}{name} ") if hasattr(command, "commands") else {}
        found.update(inner or {f"{before}{name}": command})
    return found


COMMANDS = list_commands(typer.main.get_command(app))
SHARED = {"--store", "--json", "--quiet", "-q", "--help", "-h"}
VALUES = [
    value
    for module in (values, hub_values)
    for value in vars(module).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
]


def read_section(title: str) -> str:
    found = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    assert found, f"docs/cli.md has no section {title}"
    return found.group(1)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_is_documented(name: str) -> None:
    """Each command has a section that shows it, each of its options, and its result."""
    section = read_section(name)
    assert f"tensorhub {name}" in section
    assert "Result" in section
    for parameter in COMMANDS[name].params:
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            if spelling.startswith("-") and spelling not in SHARED:
                assert re.search(rf"(?<![\w-]){spelling}(?![\w-])", section), (
                    f"{name} {spelling} is not documented"
                )


def test_no_section_without_command() -> None:
    """The page describes no command that does not exist."""
    commands = PAGE[PAGE.index("## Commands") : PAGE.index("## Exit codes")]
    assert set(re.findall(r"^### ([\w ]+)$", commands, re.M)) == set(COMMANDS)


@pytest.mark.parametrize("option", sorted(SHARED - {"-h"}))
def test_shared_option_is_documented(option: str) -> None:
    """The options of every command are described once."""
    assert f"`{option}" in PAGE or f" {option}`" in PAGE or f"`-h` or `{option}`" in PAGE


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_result_is_documented(value: type) -> None:
    """Each result has a section with each of its fields, and no others."""
    if value is values.Saved:
        section = read_section("Stats")
        assert all(f"`{field.name}`" in section for field in dataclasses.fields(value))
        return
    section = read_section(value.__name__)
    documented = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    fields = {field.name for field in dataclasses.fields(value)}
    computed = {name for name, item in vars(value).items() if isinstance(item, property)}
    assert documented - computed == fields


def test_exit_codes_are_documented() -> None:
    """The table of exit codes has every branch of the tree and every code of the command line itself."""
    table = PAGE[PAGE.index("## Exit codes") : PAGE.index("## Errors")]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)}
    branches = {kind.exit_code for kind in errors.TensorHubError.__subclasses__()}
    assert documented == branches | {0, 1, EXIT_DECLINED, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_examples(name: str) -> None:
    """Each command says in one line what it does, explains every parameter, and shows how it is used."""
    command = COMMANDS[name]
    assert command.help
    assert f"tensorhub {name}" in command.epilog
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name} has no help"
