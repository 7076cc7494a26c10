"""Values of settings as they are written in variables, on command lines and in files; pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from variant_index.configuration.settings import Setting, Value
from variant_index.errors import InputError, printable

__all__ = ["SettingError", "parse_item", "parse_text"]

_LEAST_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 3600.0
_MAX_ITEMS: Final = 1000
_MAX_CHARACTERS: Final = 100_000
_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"0", "false", "no", "off"})


class SettingError(InputError):
    """A setting has a value that it cannot have, or there is no such setting."""


def parse_text(setting: Setting, text: str, origin: str) -> Value | None:
    """Return the value that a variable or an option has; None for an empty one, which says nothing.

    Several items are separated by blanks; in a `list` by commas too.

    Args:
        setting: the setting.
        text: as it stands there.
        origin: where, for messages.

    Raises:
        SettingError: it cannot have that value.
    """
    text = text.strip()
    if not text:
        return None
    if setting.kind == "list":
        return _items(setting, text.replace(",", " ").split(), origin)
    if setting.kind in ("places", "routes"):
        return _items(setting, text.split(), origin)
    if setting.kind == "flag":
        if text.lower() not in _ON | _OFF:
            raise SettingError(f"{origin} is {_shown(text)}; it can be 1 or 0")
        return text.lower() in _ON
    if setting.kind == "seconds":
        try:
            return _seconds(float(text), origin)
        except ValueError:
            raise _no_seconds(text, origin) from None
    return _one(setting, text, origin)


def parse_item(setting: Setting, item: object, origin: str, folder: Path) -> Value:
    """Return the value that a TOML file gives.

    Args:
        setting: the setting.
        item: what TOML has there.
        origin: file and key, for messages.
        folder: where the file is; relative paths begin there.

    Raises:
        SettingError: it cannot have that value.
    """
    if setting.kind == "flag":
        if isinstance(item, bool):
            return item
        raise SettingError(f"{origin} is {_shown(item)}; it can be true or false")
    if setting.kind == "seconds":
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            return _seconds(item, origin)
        raise _no_seconds(item, origin)
    if setting.kind == "routes":
        if isinstance(item, dict) and all(isinstance(one, str) for one in item.values()):
            return _items(
                setting, [f"{pattern}={_at(setting, url, folder)}" for pattern, url in item.items()], origin
            )
        raise SettingError(f'{origin} is no table of texts: {{ "torch*" = "https://…" }}')
    if setting.kind in ("list", "places"):
        if isinstance(item, list) and all(isinstance(one, str) for one in item):
            return _items(setting, [_at(setting, one, folder) for one in item], origin)
        raise SettingError(f'{origin} is no list of texts: ["…", "…"]')
    if not isinstance(item, str):
        raise SettingError(f"{origin} is {_shown(item)}; it must be a text in quotes")
    return _at(setting, _one(setting, item.strip(), origin), folder)


def _one(setting: Setting, text: str, origin: str) -> str:
    if setting.choices and text not in setting.choices:
        *others, last = setting.choices
        raise SettingError(f"{origin} is {_shown(text)}; it can be {', '.join(others)} or {last}")
    if not text or len(text) > _MAX_CHARACTERS or "\0" in text:
        raise SettingError(f"{origin} is empty, too long, or has a character that no name has")
    return text


def _items(setting: Setting, items: list[str], origin: str) -> tuple[str, ...]:
    if len(items) > _MAX_ITEMS:
        raise SettingError(f"{origin} has more than {_MAX_ITEMS} items")
    return tuple(_one(setting, item, origin) for item in items)


def _seconds(number: float, origin: str) -> float:
    if not _LEAST_SECONDS <= number <= _MOST_SECONDS:
        raise _no_seconds(number, origin)
    return float(number)


def _no_seconds(item: object, origin: str) -> SettingError:
    return SettingError(f"{origin} is {_shown(item)}, not a number of seconds from 0.1 to 3600")


def _at(setting: Setting, text: str, folder: Path) -> str:
    """Return what a file names, a relative path as one from the file's folder."""
    if setting.kind not in ("path", "place", "places", "routes") or "://" in text:
        return text
    is_path = os.sep in text or "/" in text or setting.kind in ("path", "places")
    if not is_path and not os.path.exists(folder / text):  # noqa: PTH110 - unlike Path's it never fails
        return text  # a machine's name, or off
    return str(folder / Path(text).expanduser())


def _shown(item: object) -> str:
    """Return a value for a message: no login in it, and short."""
    text = repr(item)
    return printable(text.rpartition("@")[2] if "@" in text else text, 60)
