"""What a pip-compile or pip-sync command asks for, as far as that decides which torch there will be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from variant_index.clients.command_line import CommandLine
from variant_index.clients.requirements_texts import file_texts, pinned_versions, project_names
from variant_index.model.wishes import Wishes

__all__ = ["pip_tools_wishes"]


def pip_tools_wishes(
    line: CommandLine, directory: Path, environment: Mapping[str, str], *, compiles: bool
) -> Wishes:
    """Return what a command asks for.

    Args:
        line: the command line.
        directory: the working directory.
        environment: for `${NAME}` in files.
        compiles: whether it is pip-compile, and not pip-sync.
    """
    inputs = line.words
    if not inputs and compiles:
        inputs = tuple(
            name for name in ("requirements.in", "pyproject.toml") if (directory / name).is_file()
        )[:1]
    extras = None if line.given("all-extras") else line.all("extra")
    required, limits = file_texts(inputs or ("requirements.txt",), directory, environment, extras=extras)
    more = file_texts(line.all("constraint"), directory, environment)
    again = line.all("upgrade-package")
    kept: Mapping[str, str] = {}
    output = line.last("output-file") or "requirements.txt"
    if compiles and output != "-":
        # It keeps to the pins of its last output.
        kept = pinned_versions(directory / output, environment)
    return Wishes(
        required,
        (*limits, *more[0], *more[1], *again),
        "all" if line.given("upgrade") else "none",
        project_names(again),
        kept,
        prereleases=line.given("pre", "p"),
        into_environment=False,
    )
