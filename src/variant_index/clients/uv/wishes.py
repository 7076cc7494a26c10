"""What a uv command asks for, as far as that decides which torch there will be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from variant_index.clients.command_line import CommandLine
from variant_index.clients.project_file import locked_versions, project_requirements
from variant_index.clients.requirements_texts import file_texts, pinned_versions, project_names, word_texts
from variant_index.clients.toml_file import find_upwards
from variant_index.clients.uv.configuration import UvConfiguration
from variant_index.model.wishes import Upgrade, Wishes

__all__ = ["uv_wishes"]


def uv_wishes(
    words: tuple[str, ...],
    line: CommandLine,
    environment: Mapping[str, str],
    configuration: UvConfiguration,
    base: Path,
) -> Wishes:
    """Return what a command asks for.

    Args:
        words: those of the command line, `tool run` before those of uvx.
        line: the command line.
        environment: the variables.
        configuration: uv's.
        base: where uv works.
    """
    in_pip = words[:1] == ("pip",)
    reads_words = words[:2] in (("pip", "compile"), ("pip", "sync"))
    files = (*line.all("requirements", "with-requirements"), *(words[2:] if reads_words else ()))
    extras = None if line.given("all-extras") else line.all("extra")
    groups = None if line.given("all-groups") else line.all("group", "only-group")
    required, limits = file_texts(files, base, environment, extras=extras, groups=groups)
    named: tuple[str, ...] = (*line.all("editable", "from"), *_with(line))
    if words[:2] == ("pip", "install"):
        named += words[2:]
    elif words[:2] == ("tool", "run") and not line.given("from"):
        named += words[2:3]
    kept: Mapping[str, str] = {}
    project = None if in_pip or words[:1] == ("tool",) else find_upwards(base, "pyproject.toml")
    if project is not None and not line.given("no-project"):
        required += tuple(project_requirements(project))
        kept = locked_versions(project.with_name("uv.lock"))
    output = line.last("output-file")
    if words[:2] == ("pip", "compile") and output is not None:
        kept = pinned_versions(base / output, environment)
    more = (*line.all("constraints"), *_listed(environment, "UV_CONSTRAINT"))
    overrides = (*line.all("overrides"), *_listed(environment, "UV_OVERRIDE"))
    for read in (file_texts(more, base, environment), file_texts(overrides, base, environment)):
        limits += (*read[0], *read[1])
    limits += (*configuration.all("constraint-dependencies"), *configuration.all("override-dependencies"))
    asked_again = line.all("upgrade-package", "reinstall-package")
    again: Upgrade = "all" if line.given("upgrade", "U", "reinstall", "force-reinstall") else "none"
    return Wishes(
        (*word_texts(named, base), *required),
        (*limits, *line.all("upgrade-package")),
        again,
        project_names(asked_again),
        kept,
        prereleases=line.given("pre") or line.last("prerelease") == "allow",
        into_environment=words[:2] == ("pip", "install") and not line.given("target", "prefix"),
    )


def _with(line: CommandLine) -> list[str]:
    return [one for text in line.all("with") for one in _split(text)]


def _split(text: str) -> list[str]:
    """Split at commas, but for those within a requirement: `torch>=2.8,<2.10`."""
    return re.split(r",\s*(?=[A-Za-z0-9./])", text)


def _listed(environment: Mapping[str, str], name: str) -> list[str]:
    return environment.get(name, "").split()
