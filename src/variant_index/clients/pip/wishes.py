"""What a pip command asks for, as far as that decides which torch there will be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.requirements import Requirements
from variant_index.clients.requirements_texts import read_texts, word_texts
from variant_index.model.wishes import Upgrade, Wishes

__all__ = ["pip_wishes"]


def pip_wishes(
    arguments: PipArguments,
    configuration: PipConfiguration,
    requirements: Requirements,
    files: Mapping[str, Iterable[str]],
    environment: Mapping[str, str],
) -> Wishes:
    """Return what a command asks for.

    Args:
        arguments: the command line.
        configuration: pip's, for the options that it sets.
        requirements: the requirements and constraints files, read.
        files: `requirement` and `constraint` -> their names.
        environment: for `${NAME}` in the files.
    """
    here = Path.cwd()
    words = arguments.positional if arguments.command != "index" else arguments.positional[1:]
    required, limits = read_texts(requirements, files["requirement"], files["constraint"], here, environment)
    named = word_texts((*words, *arguments.all("editable")), here)
    in_files = (
        option.name for file in requirements.files.values() for line in file.lines for option in line.options
    )
    upgrade: Upgrade = "none"
    if configuration.flag(arguments, "upgrade"):
        eager = configuration.value(arguments, "upgrade-strategy") == "eager"
        upgrade = "all" if eager else "named"
    if configuration.flag(arguments, "force-reinstall"):
        upgrade = "all"
    elsewhere = configuration.value(arguments, "target") or configuration.flag(arguments, "ignore-installed")
    return Wishes(
        (*named, *required),
        limits,
        upgrade,
        prereleases=configuration.flag(arguments, "pre") or "pre" in in_files,
        into_environment=arguments.command == "install" and not elsewhere,
    )
