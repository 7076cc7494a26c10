"""What a Poetry command asks for, as far as that decides which torch there will be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from variant_index.clients.command_line import CommandLine
from variant_index.clients.poetry.constraint import added_requirement, requirements_of_table
from variant_index.clients.project_file import locked_versions, project_requirements, toml_table
from variant_index.clients.requirements_texts import project_names, word_texts
from variant_index.model.wishes import Upgrade, Wishes

__all__ = ["poetry_wishes"]


def poetry_wishes(line: CommandLine, project: Path) -> Wishes:
    """Return what a command asks for: the project, all extras and groups, and what is added.

    Args:
        line: the command line.
        project: its pyproject.toml.
    """
    required = project_requirements(project)
    poetry = _table(_table(toml_table(project), "tool"), "poetry")
    groups = _table(poetry, "group")
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(_table(groups, name), "dependencies") for name in groups]
    for table in tables:
        required += requirements_of_table(table)
    command, words = line.words[0], line.words[1:]
    added = word_texts(map(added_requirement, words), project.parent) if command == "add" else ()
    upgrade: Upgrade = "none"
    if (command == "update" and not words) or (command == "lock" and line.given("regenerate")):
        upgrade = "all"
    return Wishes(
        (*added, *required),
        upgrade=upgrade,
        upgraded=project_names(words) if command in ("add", "update") else frozenset(),
        kept=locked_versions(project.with_name("poetry.lock")),
        prereleases=line.given("allow-prereleases"),
        into_environment=False,
    )


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}
