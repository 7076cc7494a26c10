"""uv's configuration files, merged: which sources they name, and what else they say.

See https://docs.astral.sh/uv/concepts/configuration-files/.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from variant_index.clients.toml_file import read_toml

__all__ = ["UvConfiguration", "read_configuration", "toml_text"]

_SOURCES: Final = frozenset({"index", "index-url", "extra-index-url", "find-links", "no-index"})
_TAKEN: Final = _SOURCES | {"torch-backend"}


@dataclass(frozen=True, slots=True)
class UvConfiguration:
    """What the files say.

    Attributes:
        tables: the `[tool.uv]` tables and uv.toml files that count, the first one wins.
    """

    tables: tuple[Mapping[str, Any], ...]

    def indexes(self) -> list[Mapping[str, Any]]:
        """Return the `[[index]]` entries in uv's order."""
        return [one for table in self._layers() for one in table.get("index", []) if isinstance(one, dict)]

    def first(self, name: str) -> Any:
        """Return a setting's value: `[pip]` comes before the general one, the first table before others."""
        return next((table[name] for table in self._layers() if name in table), None)

    def all(self, name: str) -> list[str]:
        """Return the items of a setting that is a list, over all tables."""
        found = [table[name] for table in self._layers() if isinstance(table.get(name), list)]
        return [str(item) for items in found for item in items]

    @property
    def names_sources(self) -> bool:
        """Whether anything must be undone for uv to see the shim only."""
        return any(_TAKEN & table.keys() for table in self._layers())

    def text_without_sources(self) -> str:
        """Return a uv.toml that says the same, but for sources."""
        merged: dict[str, Any] = {}
        for table in reversed(self.tables):
            _merge(merged, table)
        pip = {name: value for name, value in merged.get("pip", {}).items() if name not in _TAKEN}
        kept = {name: value for name, value in merged.items() if name not in _TAKEN | _PROJECT_ONLY}
        return toml_text({**kept, "pip": pip} if pip else {k: v for k, v in kept.items() if k != "pip"})

    def _layers(self) -> Iterator[Mapping[str, Any]]:
        for table in self.tables:
            if isinstance(table.get("pip"), dict):
                yield table["pip"]
            yield table


# Meaningful in pyproject.toml only; uv refuses them in a uv.toml.
_PROJECT_ONLY: Final = frozenset(
    {"build-backend", "conflicts", "default-groups", "dependency-groups", "dev-dependencies", "environments"}
    | {"managed", "package", "required-environments", "sources", "workspace"}
)


def read_configuration(
    environment: Mapping[str, str],
    directory: Path,
    *,
    config_file: str | None = None,
    no_config: bool = False,
    platform: str = sys.platform,
) -> UvConfiguration:
    """Read the files that count: one that is named, else the project's, the user's and the system's.

    Args:
        environment: the variables.
        directory: where uv works.
        config_file: as given to `--config-file` or `UV_CONFIG_FILE`, which replaces all others.
        no_config: whether uv reads none.
        platform: as in `sys.platform`.

    Raises:
        TomlFileError: a file is not TOML.
    """
    if no_config:
        return UvConfiguration(())
    if config_file:
        return UvConfiguration((read_toml(directory / config_file),))
    found = [_project_table(directory)]
    found += [read_toml(path) for path in _machine_files(environment, platform)]
    return UvConfiguration(tuple(table for table in found if table))


def _project_table(directory: Path) -> Mapping[str, Any]:
    for folder in (directory, *directory.parents):
        if (folder / "uv.toml").is_file():
            return read_toml(folder / "uv.toml")
        tool = read_toml(folder / "pyproject.toml").get("tool", {})
        if isinstance(tool, dict) and isinstance(tool.get("uv"), dict):
            table: Mapping[str, Any] = tool["uv"]
            return table
    return {}


def _machine_files(environment: Mapping[str, str], platform: str) -> list[Path]:
    home = Path(environment.get("HOME") or Path.home())
    if platform == "win32":
        roaming = environment.get("APPDATA") or home / "AppData" / "Roaming"
        user, system = Path(roaming), [Path(environment.get("PROGRAMDATA", "C:\\ProgramData"))]
    else:
        user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        shared = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        system = [*(Path(folder) for folder in shared.split(os.pathsep) if folder), Path("/etc")]
    places = [folder / "uv" / "uv.toml" for folder in system]
    first = next((path for path in places if path.is_file()), None)
    return [user / "uv" / "uv.toml", *([first] if first is not None else [])]


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    """Put a table over another as uv does: lists of both one after the other, the new one's first."""
    for name, value in table.items():
        former = into.get(name)
        if isinstance(value, dict) and isinstance(former, dict):
            merged = dict(former)
            _merge(merged, value)
            into[name] = merged
        elif isinstance(value, list) and isinstance(former, list):
            into[name] = [*value, *former]
        else:
            into[name] = value


def toml_text(table: Mapping[str, Any]) -> str:
    """Write a table as TOML, its values inline."""
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, (date, time)):  # a datetime is a date too
        return value.isoformat()
    if isinstance(value, str):
        return _key(value)
    return json.dumps(value) if not isinstance(value, float) else repr(value)


def _key(text: str) -> str:
    # JSON's escapes are TOML's, but for the one character that JSON need not escape.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
