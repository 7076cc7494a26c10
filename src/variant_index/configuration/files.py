"""Finds and reads the files that hold settings; what another user may have written is not read.

A project's file is found by where a command is run, so nobody asked for it by name: in a shared folder such
as `/tmp` it may be anybody's.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from variant_index.configuration.values import SettingError
from variant_index.errors import printable

__all__ = ["FILENAME", "Layer", "SettingsFile", "read_files", "settings_folders"]

FILENAME: Final = "variant-index.toml"
"""The file, in a project and in the folders of the user and the site."""

_PYPROJECT: Final = "pyproject.toml"
_TABLE: Final = "variant-index"
_FOLDER: Final = "variant-index"
_MAX_BYTES: Final = 1 << 20
_MAX_FOLDERS: Final = 256

Layer = Literal["named", "project", "user", "site"]


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file and what it says.

    Attributes:
        path: where it is.
        layer: whose it is.
        table: key -> what TOML has there; empty for a file that was not read.
        ignored: why it does not count, one printable line; None where it does.
    """

    path: Path
    layer: Layer
    table: Mapping[str, Any]
    ignored: str | None = None


def read_files(directory: Path, named: str | None = None) -> list[SettingsFile]:
    """Return the files that may count, those that come first before the others.

    That is the project's (the nearest `variant-index.toml`, or `pyproject.toml` with `[tool.variant-index]`,
    from `directory` upwards), the user's and the site's.

    Args:
        directory: where the command runs.
        named: the only file to read instead, or `off` for none.

    Raises:
        SettingError: a file is not TOML, too large, or the named one is missing.
    """
    if named is not None and named.lower() == "off":
        return []
    if named is not None:
        found = _read(Path(named).expanduser(), "named")
        if found is None:
            raise SettingError(f"VARIANT_INDEX_CONFIG is {printable(named)}: no such file")
        return [found]
    files = [_project(directory), *(_read(path / FILENAME, layer) for path, layer in settings_folders())]
    return [file for file in files if file is not None]


def settings_folders() -> Iterator[tuple[Path, Layer]]:
    """Yield the folders of the user and the site, and whose they are."""
    if sys.platform == "linux":
        # What platformdirs says as well; loading it would hold up every variant-pip by 4 ms.
        home = os.environ.get("XDG_CONFIG_HOME", "").strip() or os.path.expanduser("~/.config")  # noqa: PTH111
        site = os.environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep)[0].strip() or "/etc/xdg"
        yield Path(home, _FOLDER), "user"
        yield Path(site, _FOLDER), "site"
        return
    from platformdirs import site_config_path, user_config_path

    yield user_config_path(_FOLDER, appauthor=False), "user"
    yield site_config_path(_FOLDER, appauthor=False), "site"


def _project(directory: Path) -> SettingsFile | None:
    for folder in (directory, *directory.parents)[:_MAX_FOLDERS]:
        for name in (FILENAME, _PYPROJECT):
            if (found := _read(folder / name, "project")) is not None:
                return found
    return None


def _read(path: Path, layer: Layer) -> SettingsFile | None:
    """Return a file; None where there is none, or a pyproject.toml that says nothing of ours."""
    shown = printable(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if layer == "project":  # somebody else's, in a folder above
            return None
        raise SettingError(f"{shown}: {error.strerror}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        # A named file is the user's own choice; the user's and the site's folders are only theirs.
        doubt = _doubt(path, status) if layer == "project" else None
        data = file.read(_MAX_BYTES + 1)
    is_pyproject = path.name == _PYPROJECT and layer == "project"
    if is_pyproject and _TABLE.encode() not in data:
        return None
    if doubt is not None:
        return SettingsFile(path, layer, {}, f"{shown} is ignored: {doubt}")
    if len(data) > _MAX_BYTES:
        raise SettingError(f"{shown}: larger than {_MAX_BYTES >> 20} MB, refused")
    table: Any = _parse(data, shown)
    if is_pyproject or (layer == "named" and path.name == _PYPROJECT):
        tool = table.get("tool")
        table = tool.get(_TABLE) if isinstance(tool, dict) else None
        if table is None and is_pyproject:
            return None
    if not isinstance(table, dict):
        raise SettingError(f"{shown}: [tool.{_TABLE}] is no table")
    return SettingsFile(path, layer, table)


def _doubt(path: Path, status: os.stat_result) -> str | None:
    """Say why a file may not be by the one who runs this command, None where it is or is root's."""
    if os.name != "posix":
        return None
    trusted = {0, os.getuid()}
    # Through another user's link even a file of one's own is his choice.
    if status.st_uid not in trusted or os.lstat(path).st_uid not in trusted:
        return "it belongs to another user"
    if status.st_mode & stat.S_IWOTH:
        return f"every user may write it; chmod o-w {printable(str(path))}"
    return None


def _parse(data: bytes, shown: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingError(f"{shown}: not TOML: {printable(str(error))}") from None
