"""pip's configuration: which files count, what they and the environment say, and the sources that follow.

The documented files are read here because `pip config list` takes as long as pip itself needs to start
(0.25 s for pip 26.3, 0.5 s for 22.3, measured), and since pip 26 no longer tells which of several files wins.
The tests hold this reading against pip's own. See https://pip.pypa.io/en/stable/topics/configuration/.
"""

from __future__ import annotations

import configparser
import locale
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from variant_index.clients.pip.arguments import PipArguments
from variant_index.errors import InputError, printable

__all__ = ["DEFAULT_INDEX", "PipConfiguration", "PipConfigurationError", "configuration_files"]
__all__ += ["read_configuration"]

DEFAULT_INDEX = "https://pypi.org/simple"

_FALSE = frozenset({"", "n", "no", "f", "false", "off", "0"})


class PipConfigurationError(InputError):
    """A configuration file or variable of pip cannot be understood."""


@dataclass(frozen=True, slots=True)
class PipConfiguration:
    """What pip's files and variables say.

    Attributes:
        files: `section.option` -> value, merged over all files that count; an empty value means unset.
        variables: option -> value, from `PIP_*`; empty when pip runs isolated.
    """

    files: Mapping[str, str]
    variables: Mapping[str, str]

    def value(self, arguments: PipArguments, option: str, *aliases: str) -> str | None:
        """Return the value in effect of an option that counts once.

        The command line comes first, then the environment, the command's section, `[global]`.
        """
        given = arguments.last(option)
        return given if given is not None else self._configured(arguments.command, (option, *aliases))

    def values(self, arguments: PipArguments, option: str) -> tuple[str, ...]:
        """Return the values in effect of a repeatable option: the configured ones, then the command line's.

        Of the configured ones the environment replaces the command's section, which replaces `[global]`.
        """
        return (*self.configured(arguments, option), *arguments.all(option))

    def configured(self, arguments: PipArguments, option: str) -> tuple[str, ...]:
        """Return the values of a repeatable option without the command line's."""
        return tuple((self._configured(arguments.command, (option,)) or "").split())

    def flag(self, arguments: PipArguments, option: str) -> bool:
        """Return whether a flag is set."""
        configured = self._configured(arguments.command, (option,)) or ""
        return arguments.given(option) or configured.strip().lower() not in _FALSE

    def index_urls(self, arguments: PipArguments) -> tuple[str, ...]:
        """Return the indexes in pip's order: the index, then the extra ones; none with `--no-index`."""
        if self.flag(arguments, "no-index"):
            return ()
        index = self.value(arguments, "index-url", "pypi-url")
        return (DEFAULT_INDEX if index is None else index, *self.values(arguments, "extra-index-url"))

    def timeout(self, arguments: PipArguments) -> float:
        """Return the seconds to wait for an answer.

        Raises:
            PipConfigurationError: it is not a positive number.
        """
        text = self.value(arguments, "timeout", "default-timeout") or "15"
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0
        if not 0 < seconds < float("inf"):
            raise PipConfigurationError(f"timeout {printable(text)!r} is not a number of seconds")
        return seconds

    def _configured(self, command: str | None, options: tuple[str, ...]) -> str | None:
        sections = ["global"] if command is None else [command, "global"]
        places = [[self.variables.get(option) for option in options]]
        places += [[self.files.get(f"{section}.{option}") for option in options] for section in sections]
        return next((value for place in places for value in place if value), None)


def configuration_files(
    environment: Mapping[str, str], prefix: str, *, isolated: bool, platform: str = sys.platform
) -> list[str]:
    """Return the files that pip reads, later ones win; they need not exist.

    Args:
        environment: the variables; `PIP_CONFIG_FILE` replaces the user's files.
        prefix: `sys.prefix` of the interpreter that runs pip.
        isolated: whether pip runs with `--isolated`, which leaves the user's files out.
        platform: as in `sys.platform`.
    """
    own = environment.get("PIP_CONFIG_FILE")
    name = "pip.ini" if platform == "win32" else "pip.conf"
    home = str(Path.home()) if "HOME" not in environment else environment["HOME"]
    if platform == "win32":
        home = environment.get("USERPROFILE", home)
        machine = [_join(environment.get("PROGRAMDATA", "C:\\ProgramData"), "pip")]
        user = [
            _join(home, "pip"),
            _join(environment.get("APPDATA", _join(home, "AppData", "Roaming")), "pip"),
        ]
    elif platform == "darwin":
        machine = ["/Library/Application Support/pip"]
        if prefix.startswith("/opt/homebrew"):
            machine.insert(0, "/opt/homebrew/share/pip")
        library = _join(home, "Library", "Application Support", "pip")
        user = [_join(home, ".pip"), library if Path(library).is_dir() else _join(home, ".config", "pip")]
    else:
        shared = environment.get("XDG_CONFIG_DIRS", "").strip() or "/etc/xdg"
        machine = [*(_join(folder, "pip") for folder in shared.split(os.pathsep)), "/etc"]
        config = environment.get("XDG_CONFIG_HOME", "").strip() or _join(home, ".config")
        user = [_join(home, ".pip"), _join(config, "pip")]
    with_user = not isolated and not (own and Path(own).exists())
    folders = [*machine, *(user if with_user else []), prefix]
    return [*(_join(folder, name) for folder in folders), *([own] if own else [])]


def read_configuration(environment: Mapping[str, str], prefix: str, *, isolated: bool) -> PipConfiguration:
    """Read pip's configuration files and variables.

    Args:
        environment: the variables.
        prefix: `sys.prefix` of the interpreter that runs pip.
        isolated: whether pip runs with `--isolated`.

    Raises:
        PipConfigurationError: a file is not in pip's format; names the file.
    """
    found: dict[str, str] = {}
    for file in configuration_files(environment, prefix, isolated=isolated):
        found.update(_read(file))
    if environment.get("PIP_CONFIG_FILE") == os.devnull:
        # pip then reads no file at all; the names are kept, for a file of ours that must undo them.
        found = dict.fromkeys(found, "")
    variables = {
        _normal(name[4:]): value
        for name, value in environment.items()
        if name.startswith("PIP_") and not isolated
    }
    return PipConfiguration(found, variables)


def _read(file: str) -> dict[str, str]:
    if file == os.devnull or not Path(file).exists():
        return {}
    parser = configparser.RawConfigParser()
    encoding = "utf-8" if sys.flags.utf8_mode else locale.getpreferredencoding(False)
    try:
        parser.read(file, encoding=encoding)
    except UnicodeDecodeError:
        raise PipConfigurationError(f"{printable(file)}: not {encoding} text") from None
    except configparser.Error as error:
        raise PipConfigurationError(
            f"{printable(file)}: not a pip configuration file: {printable(str(error))}"
        ) from None
    return {
        f"{section}.{_normal(name)}": value
        for section in parser.sections()
        for name, value in parser.items(section)
    }


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _join(*parts: str) -> str:
    return os.path.join(*parts)  # noqa: PTH118 - built for platforms other than this one too
