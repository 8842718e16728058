"""Links and commands in the pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from tensorhub.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md"), *ROOT.joinpath("examples").glob("*/*.md")]
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_anchors(page: Path) -> set[str]:
    """List anchors of a page as GitHub makes them; a repeated title gets a number."""
    anchors: dict[str, int] = {}
    for title in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = anchors.get(anchor, -1) + 1
        anchors[anchor] = count
        if count:
            anchors[f"{anchor}-{count}"] = 0
    return set(anchors)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page: Path) -> None:
    """A link to a file or a section of ours exists."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path) if path else page
        assert other.exists(), f"{name_of(page)} links to {target}"
        if anchor:
            assert anchor in list_anchors(other), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    """A command line in a page uses a command and options that exist."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for block in re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        for line in re.findall(r"^\s*\$?\s*tensorhub ([a-z].*)$", block, re.M):
            words = line.split("#")[0].split()
            assert words[0] in commands, f"{name_of(page)}: {line}"
            command = commands[words[0]]
            while words[1:] and words[1] in getattr(command, "commands", {}):
                words = words[1:]
                command = command.commands[words[0]]
            known = {spelling for parameter in command.params for spelling in parameter.opts}
            for word in words[1:]:
                assert not word.startswith("-") or word.partition("=")[0] in known, f"{name_of(page)}: {line}"
