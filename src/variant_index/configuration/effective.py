"""The settings in effect: command line, then environment, project's file, user's, site's, default."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from variant_index.configuration.files import SettingsFile, read_files
from variant_index.configuration.settings import SETTINGS, Setting, Value, by_key
from variant_index.configuration.values import SettingError, parse_item, parse_text
from variant_index.errors import InputError, printable

__all__ = ["CONFIG_VARIABLE", "DEFAULT", "Configuration", "Effective", "read_configuration"]

CONFIG_VARIABLE: Final = "VARIANT_INDEX_CONFIG"
"""The only settings file to read, or `off` for none."""

DEFAULT: Final = "default"
"""The origin of a value that nobody set."""


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting's value.

    Attributes:
        value: what is in effect; None for nothing.
        origins: where it was said, what counts first before the others: an option, a variable, or file and
            key; `default` alone where nobody did.
        is_given: whether the command line said it.
    """

    value: Value | None
    origins: tuple[str, ...]
    is_given: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings in effect.

    Attributes:
        effective: key -> value and origin, for every setting.
        files: the files that were found.
        notes: what the user should know on each run, one printable line each.
        warnings: what was found and does not count, likewise.
    """

    effective: Mapping[str, Effective]
    files: tuple[SettingsFile, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def text(self, key: str) -> str | None:
        """Return the value of a text, place, path or choice; None for none."""
        value = self.effective[key].value
        assert value is None or isinstance(value, str)
        return value

    def flag(self, key: str) -> bool:
        """Return whether a flag is set."""
        return self.effective[key].value is True

    def seconds(self, key: str) -> float:
        """Return a number of seconds."""
        value = self.effective[key].value
        assert isinstance(value, float)
        return value

    def items(self, key: str) -> tuple[str, ...]:
        """Return the items of a list."""
        value = self.effective[key].value
        assert isinstance(value, tuple)
        return value

    def is_set(self, key: str) -> bool:
        """Tell whether anybody said anything."""
        return self.effective[key].origins != (DEFAULT,)

    def is_given(self, key: str) -> bool:
        """Tell whether the command line said it."""
        return self.effective[key].is_given

    @contextmanager
    def naming(self, key: str) -> Iterator[None]:
        """Name variable or file in an error about a value that is found later; an option explains itself.

        Raises:
            SettingError: in place of an `InputError` within.
        """
        try:
            yield
        except InputError as error:
            if self.is_given(key) or not self.is_set(key):
                raise
            raise SettingError(f"{', '.join(self.effective[key].origins)}: {error}") from None


def read_configuration(
    environment: Mapping[str, str],
    directory: Path,
    given: Mapping[str, object] | None = None,
    *,
    keys: Iterable[str] | None = None,
) -> Configuration:
    """Return the settings in effect for a command.

    Args:
        environment: the variables.
        directory: where the command runs; the project's file is searched from there upwards.
        given: key -> text, flag or several texts of the command line; None for what was not given.
        keys: the settings that the command uses, for the notes; None for all.

    Raises:
        SettingError: there is no such setting, or it cannot have that value; file and key are named.
    """
    named = environment.get(CONFIG_VARIABLE, "").strip() or None
    files = tuple(read_files(directory, named))
    tables = [(file, _table(file)) for file in files]
    effective = {}
    for setting in SETTINGS:
        said = [
            *_on_command_line(setting, (given or {}).get(setting.key)),
            *_in_environment(setting, environment),
            *(
                (table[setting.key], f"{_shown(file)}: {setting.key}")
                for file, table in tables
                if setting.key in table
            ),
        ]
        is_given = bool(said) and said[0][1] == setting.option
        effective[setting.key] = _together(setting, said, is_given=is_given)
    used = set(keys) if keys is not None else {setting.key for setting in SETTINGS}
    return Configuration(
        effective,
        files,
        tuple(_notes(tables, effective, used)),
        tuple(file.ignored for file in files if file.ignored is not None),
    )


def _together(setting: Setting, said: Sequence[tuple[Value, str]], *, is_given: bool) -> Effective:
    if not said:
        return Effective(setting.default, (DEFAULT,))
    if not setting.adds:
        return Effective(said[0][0], (said[0][1],), is_given)
    items = (item for value, _ in said if isinstance(value, tuple) for item in value)
    return Effective(tuple(dict.fromkeys(items)), tuple(origin for _, origin in said), is_given)


def _on_command_line(setting: Setting, given: object) -> Iterator[tuple[Value, str]]:
    value: Value | None = None
    if setting.is_several and isinstance(given, (tuple, list)):
        # Only names are separated by commas; a path may have any character.
        parts = given if setting.kind != "list" else " ".join(given).replace(",", " ").split()
        value = tuple(str(part) for part in parts) or None
    elif isinstance(given, bool):
        value = given
    elif given is not None:
        value = parse_text(setting, str(given), setting.option)
    if value is not None:
        yield value, setting.option


def _in_environment(setting: Setting, environment: Mapping[str, str]) -> Iterator[tuple[Value, str]]:
    value = parse_text(setting, environment.get(setting.variable, ""), setting.variable)
    if value is not None:
        yield value, setting.variable


def _table(file: SettingsFile) -> dict[str, Value]:
    """Return what a file says, checked."""
    found = {}
    for key, item in file.table.items():
        where = f"{_shown(file)}: {printable(key, 60)}"
        try:
            setting = by_key(key)
        except KeyError:
            raise SettingError(f"{where} is no setting{_meant(key)}") from None
        if setting.not_in_projects and file.layer == "project":
            raise SettingError(
                f"{where} may not stand in a project's file, whose writer could weaken what protects you"
                f" with it; use {setting.variable} or your own file (`variant-index config` names it)"
            )
        found[key] = parse_item(setting, item, where, file.path.parent.absolute())
    return found


def _meant(key: str) -> str:
    from difflib import get_close_matches

    keys = [setting.key for setting in SETTINGS]
    close = get_close_matches(key[:60], keys, 1)
    return f"; {close[0]} is" if close else f"; there are {', '.join(keys)}"


def _notes(
    tables: Sequence[tuple[SettingsFile, Mapping[str, Value]]],
    effective: Mapping[str, Effective],
    used: set[str],
) -> Iterator[str]:
    for file, table in tables:
        if file.layer != "project":
            continue
        keys = [
            key
            for key in table
            if key in used
            and by_key(key).changes_sources
            and f"{_shown(file)}: {key}" in effective[key].origins
        ]
        if keys:
            yield f"{_shown(file)} decides where packages come from: {', '.join(keys)}"


def _shown(file: SettingsFile) -> str:
    return printable(os.fspath(file.path))
