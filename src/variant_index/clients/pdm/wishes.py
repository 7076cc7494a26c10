"""What a pdm command asks for, as far as that decides which torch there will be."""

from __future__ import annotations

from pathlib import Path

from variant_index.clients.command_line import CommandLine
from variant_index.clients.project_file import locked_versions, project_requirements, texts, toml_table
from variant_index.clients.requirements_texts import project_names, word_texts
from variant_index.model.wishes import Upgrade, Wishes

__all__ = ["pdm_wishes"]


def pdm_wishes(line: CommandLine, project: Path, lock_file: Path) -> Wishes:
    """Return what a command asks for: the project, all extras and groups, and what is added.

    Args:
        line: the command line.
        project: the project's folder.
        lock_file: its lock file, which need not be there.
    """
    file = project / "pyproject.toml"
    required = project_requirements(file)
    tool = toml_table(file).get("tool")
    pdm = tool.get("pdm") if isinstance(tool, dict) else None
    groups = pdm.get("dev-dependencies") if isinstance(pdm, dict) else None
    for requirements in groups.values() if isinstance(groups, dict) else ():
        required += texts(requirements)
    command, words = line.words[0], line.words[1:]
    added = word_texts((*words, *line.all("editable")), project) if command == "add" else ()
    upgrade: Upgrade = "none"
    if (command == "update" and not words) or (command == "lock" and not line.given("update-reuse")):
        upgrade = "all"
    return Wishes(
        (*added, *required),
        upgrade=upgrade,
        upgraded=project_names(words) if command in ("add", "update") else frozenset(),
        kept=locked_versions(lock_file) if upgrade == "none" else {},
        prereleases=line.given("prerelease", "pre"),
        into_environment=False,
    )
