"""Configuration files in TOML, as the installers read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from variant_index.errors import InputError, printable

__all__ = ["TomlFileError", "find_upwards", "read_toml", "tool_table"]

_MAX_BYTES: Final = 16 << 20


class TomlFileError(InputError):
    """A configuration file is not TOML, or larger than any such file."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return a file's content; nothing when there is no such file.

    Raises:
        TomlFileError: it is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    if not path.is_file():
        return {}
    shown = printable(str(path))
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise TomlFileError(f"{shown}: larger than {_MAX_BYTES >> 20} MB, refused")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TomlFileError(f"{shown}: not TOML: {printable(str(error))}") from None


def tool_table(path: Path, name: str) -> dict[str, Any]:
    """Return the table `[tool.NAME]` of a pyproject.toml; nothing when there is none."""
    tool = read_toml(path).get("tool")
    table = tool.get(name) if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def find_upwards(directory: Path, name: str) -> Path | None:
    """Return the file of this name in a folder or the nearest one above it."""
    for folder in (directory, *directory.parents):
        if (folder / name).is_file():
            return folder / name
    return None
