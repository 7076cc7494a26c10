"""`variant-index config`: the settings in effect, and where each was said."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import coloured, say
from variant_index.configuration.effective import (
    CONFIG_VARIABLE,
    DEFAULT,
    Configuration,
    read_configuration,
)
from variant_index.configuration.files import FILENAME, settings_folders
from variant_index.configuration.settings import SETTINGS, Value, by_key
from variant_index.errors import printable

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index config
  variant-index config --json
  VARIANT_INDEX_CONFIG=off variant-index config
"""

_LOGIN: Final = re.compile(r"(?<=//)[^/\s]*@")
_QUERY: Final = re.compile(r"\?\S*")
_NOT_SETTINGS: Final = frozenset({CONFIG_VARIABLE, "VARIANT_INDEX_PLUGIN"})


@click.command(name="config", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON (see schemas/).")
def command(*, as_json: bool) -> None:
    """Show the settings in effect here, and where each was said.

    The command line comes first, then VARIANT_INDEX_* variables, then the project's variant-index.toml or
    [tool.variant-index] in pyproject.toml (the nearest from here upwards), the user's file, the site's, and
    the default. Logins are not shown.
    """
    configuration = read_configuration(os.environ, Path.cwd())
    for line in (*configuration.warnings, *_unknown_variables()):
        say("warning", line)
    if as_json:
        click.echo(_json(configuration))
    else:
        click.echo(_text(configuration), nl=False)


def _unknown_variables() -> list[str]:
    known = {setting.variable for setting in SETTINGS} | _NOT_SETTINGS
    names = sorted(name for name in os.environ if name.startswith("VARIANT_INDEX_"))
    return [f"{printable(name, 80)} is no setting" for name in names if name not in known]


def _json(configuration: Configuration) -> str:
    from variant_index.model.config_report import ConfigReport, FileReport, SettingReport

    report = ConfigReport(
        settings=[
            SettingReport(
                key=key, variable=by_key(key).variable, value=_masked(one.value), origins=list(one.origins)
            )
            for key, one in configuration.effective.items()
        ],
        files=[
            FileReport(path=str(file.path), layer=file.layer, ignored=file.ignored)
            for file in configuration.files
        ],
    )
    return json_text(report)


def _text(configuration: Configuration) -> str:
    rows = [
        (key, _shown(one.value) or by_key(key).default_text or "-", ", ".join(one.origins))
        for key, one in configuration.effective.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"{key:<{widths[0]}}  {value:<{min(widths[1], 48)}}  "
        + coloured(origin, None if origin == DEFAULT else "green")
        for key, value, origin in rows
    ]
    found = {file.layer: file for file in configuration.files}
    lines.append("")
    lines += (
        f"{file.layer} file: {printable(str(file.path))}" + (" (ignored)" if file.ignored else "")
        for file in configuration.files
    )
    if "named" not in found:
        for folder, layer in settings_folders():
            if layer not in found:
                lines.append(f"{layer} file: {printable(str(folder / FILENAME))} (there is none)")
    return "\n".join(lines) + "\n"


def _shown(value: Value | None) -> str:
    masked = _masked(value)
    if isinstance(masked, bool):
        return "yes" if masked else "no"
    if isinstance(masked, float):
        return f"{masked:g} s"
    return printable(" ".join(masked) if isinstance(masked, list) else masked or "", 400)


def _masked(value: Value | None) -> str | bool | float | list[str] | None:
    """Return a value without what opens doors: logins in URLs, and whatever stands in their queries."""
    if isinstance(value, tuple):
        return [_without_secrets(one) for one in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _without_secrets(text: str) -> str:
    # A proxy may be written without its scheme.
    text = _LOGIN.sub("****@", text if "//" in text or "@" not in text else f"//{text}")
    return _QUERY.sub("?****", text)
