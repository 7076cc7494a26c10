"""The tags that pip's `--platform`, `--python-version`, `--implementation` and `--abi` ask for."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.errors import UpstreamError, printable
from variant_index.selection.choice import TargetTags

__all__ = ["TargetTagsError", "parse_python_version", "tags_in_debug_output", "target_options"]
__all__ += ["target_platforms", "target_tags", "target_version"]

# The commands that have the options, and so read them from the configuration as well; whether an option
# may be repeated.
_COMMANDS: Final = frozenset({"download", "index", "install"})
_OPTIONS: Final = {"platform": True, "python-version": False, "implementation": False, "abi": True}
_TAG: Final = re.compile(r"[a-z0-9_.]+-[a-z0-9_.]+-[a-z0-9_.]+", re.IGNORECASE)


class TargetTagsError(UpstreamError):
    """pip did not say which tags its target has."""


def target_options(arguments: PipArguments, configuration: PipConfiguration) -> tuple[str, ...]:
    """Return the options by which the user chose a target other than the running interpreter, if any."""
    return tuple(
        f"--{name}={value}" for name in _OPTIONS for value in _values(arguments, configuration, name)
    )


def target_platforms(arguments: PipArguments, configuration: PipConfiguration) -> tuple[str, ...]:
    """Return the platforms that the user chose, if any."""
    return _values(arguments, configuration, "platform")


def _values(arguments: PipArguments, configuration: PipConfiguration, name: str) -> tuple[str, ...]:
    if arguments.command not in _COMMANDS:
        return arguments.all(name)
    if _OPTIONS[name]:
        return configuration.values(arguments, name)
    value = configuration.value(arguments, name)
    return () if value is None else (value,)


def target_version(arguments: PipArguments, configuration: PipConfiguration) -> str | None:
    """Return the version that `--python-version` means, None where it was not given or pip refuses it."""
    return parse_python_version(next(iter(_values(arguments, configuration, "python-version")), ""))


def parse_python_version(given: str) -> str | None:
    """Return the version that a value of `--python-version` means, None for what pip refuses.

    pip reads `3` as 3.0.0, `3.12` and `312` as 3.12.0.
    """
    parts = [given[0], given[1:]] if "." not in given and len(given) > 1 else given.split(".")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return ".".join([*parts, "0", "0"][:3])


def target_tags(
    pip: Sequence[str], options: Sequence[str], environment: Mapping[str, str], python_version: str | None
) -> TargetTags:
    """Ask pip which tags it takes for a target: `pip debug --verbose` with the same options.

    Takes as long as pip needs to start. `packaging` would be faster, but how a platform stands for older
    ones differs between pip versions, and pip's own answer is what decides afterwards.

    Args:
        pip: the command that runs pip, with `--python` where the user gave it.
        options: from `target_options`.
        environment: variables for pip.
        python_version: as `TargetTags` takes it.

    Raises:
        TargetTagsError: pip fails, or lists no tags.
    """
    command = [*pip, "debug", "--verbose", "--disable-pip-version-check", *options]
    shown = printable(" ".join(options))
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TargetTagsError(f"pip debug did not tell the tags of {shown}: {_failure(error)}") from None
    tags = tags_in_debug_output(os.fsdecode(done.stdout))
    if not tags:
        raise TargetTagsError(f"pip debug lists no tags for {shown}")
    return TargetTags(tags, python_version)


def _failure(error: Exception) -> str:
    """Say in a few words why pip could not be asked; the errors' own texts name the whole command."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took more than {error.timeout:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with status {error.returncode}"
    return printable(str(error))


def tags_in_debug_output(text: str) -> list[str]:
    """Return the tags in the list "Compatible tags" of `pip debug --verbose`, best first."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("Compatible tags:"):
            break
    tags = []
    for line in lines:
        if not line.startswith(" ") or not _TAG.fullmatch(line.strip()):
            break
        tags.append(line.strip())
    return tags
