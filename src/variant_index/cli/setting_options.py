"""Command-line options made from the table of settings, and the configuration of a command."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from variant_index.cli.messages import say
from variant_index.configuration.effective import Configuration, read_configuration
from variant_index.configuration.settings import Setting, by_key

__all__ = ["DETECTION", "configured", "setting_options"]

_F = TypeVar("_F", bound=Callable[..., Any])

DETECTION: Final = (
    "machine",
    "detection-timeout",
    "on-detection-failure",
    "providers",
    "provider-timeout",
)
"""The settings of `DetectionSettings`."""


def setting_options(*keys: str) -> Callable[[_F], _F]:
    """Add the options of settings to a command.

    Their values are texts (flags: True, repeatable ones: tuples) as `configured` takes them; None where they
    were not given, so that the environment and files count.
    """

    def add(command: _F) -> _F:
        for key in reversed(keys):
            command = _option(by_key(key))(command)
        return command

    return add


def configured(given: Mapping[str, Any], *keys: str) -> Configuration:
    """Return the settings in effect, and say what of them the user should know.

    Args:
        given: parameter -> value of the options, as click hands them over.
        keys: the settings that matter to the command.

    Raises:
        SettingError: a setting has a value that it cannot have.
    """
    said = {key: given.get(by_key(key).parameter) for key in keys}
    configuration = read_configuration(os.environ, Path.cwd(), said, keys=keys)
    for line in configuration.warnings:
        say("warning", line)
    for line in configuration.notes:
        say("note", line)
    return configuration


def _option(setting: Setting) -> Callable[[_F], _F]:
    names = [name for name in (setting.short, setting.option) if name]
    default = setting.default_text or _shown(setting)
    help_text = setting.meaning + (" May be repeated." if setting.is_several else "")
    help_text += f"  [env var: {setting.variable}" + (f"; default: {default}]" if default else "]")
    if setting.kind == "flag":
        return click.option(*names, setting.parameter, is_flag=True, default=None, help=help_text)
    metavar = setting.metavar or f"[{'|'.join(setting.choices)}]"
    return click.option(
        *names,
        setting.parameter,
        multiple=setting.is_several,
        metavar=metavar,
        help=help_text,
        shell_complete=_completion(setting),
    )


def _completion(
    setting: Setting,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes a value for a shell: its words, or the names of files."""

    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        if setting.kind in ("place", "path", "places"):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(word) for word in setting.choices if word.startswith(incomplete)]

    return complete


def _shown(setting: Setting) -> str:
    if isinstance(setting.default, float):
        return f"{setting.default:g}"
    return setting.default if isinstance(setting.default, str) else ""
