"""A pip command line as a value: what pip gets, and the sources and network settings we take from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from variant_index.clients.pip.options import COMMANDS, GENERAL, SHORT, VALUED, resolve
from variant_index.errors import InputError, printable

__all__ = ["FILES", "PipArguments", "PipArgumentsError", "parse_arguments"]

_ALIASES: Final = {
    "pypi-url": "index-url",
    "default-timeout": "timeout",
    **dict.fromkeys(("destination-dir", "destination-directory"), "dest"),
}

# A proxy cannot stay: pip would ask it for the shim on loopback. It comes back as an environment variable.
# Nor a time limit, which is for one answer of an index; a page of the shim is made of several.
_TAKEN: Final = frozenset({"index-url", "extra-index-url", "find-links", "no-index", "proxy", "timeout"})

FILES: Final = ("build-constraint", "constraint", "requirement")
"""The options that name requirements files, in the order in which pip reads these."""

_READ: Final = _TAKEN | {
    *("client-cert", "keyring-provider", "no-input"),
    *("cert", "help", "no-cache-dir", "no-proxy-env", "python", "quiet", "report", "timeout", "trusted-host"),
    *("verbose", "requirement", "constraint", "build-constraint", "ignore-requires-python"),
    *("dest", "dry-run", "output", "prefix", "root", "target", "user", "wheel-dir"),
    *("platform", "python-version", "implementation", "abi", "only-binary", "no-binary"),
    *("editable", "force-reinstall", "ignore-installed", "pre", "upgrade", "upgrade-strategy"),
}


class PipArgumentsError(InputError):
    """The command line can be read in two ways, or uses pip in a way that the shim cannot follow."""


@dataclass(frozen=True, slots=True)
class PipArguments:
    """What a pip command line says.

    Attributes:
        original: all arguments, as given.
        passed: the arguments for a pip behind the shim: as given and in order, without source and proxy
            options.
        command: pip's command, None when there is none.
        options: long name -> the values given, in order (a flag's value is `""`), for every option that
            matters to us; the alias `--pypi-url` counts as `index-url`, `--default-timeout` as `timeout`.
        position: where in `passed` the command stands, None when there is none.
        positional: what is no option behind the command: requirements, mostly.
    """

    original: tuple[str, ...]
    passed: tuple[str, ...]
    command: str | None
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    position: int | None = None
    positional: tuple[str, ...] = ()

    def passed_with(self, *words: str) -> tuple[str, ...]:
        """Return `passed` with an option behind the command, which there must be."""
        assert self.position is not None
        return (*self.passed[: self.position + 1], *words, *self.passed[self.position + 1 :])

    def with_files(self, copies: Mapping[str, str], last: tuple[str, str] | None = None) -> PipArguments:
        """Return the command line with other requirements and constraints files, behind the command.

        Args:
            copies: a file as given -> the one to pass instead.
            last: the name of an option, and the file to pass with it after all others.
        """
        parsed = parse_arguments(self.original, taken=_TAKEN.union(FILES))
        given = [(name, copies.get(file, file)) for name in FILES for file in self.all(name)]
        words = [f"--{name}={file}" for name, file in (*given, *([last] if last else []))]
        return replace(parsed, passed=parsed.passed_with(*words))

    @property
    def needs_index(self) -> bool:
        """Whether pip will look for packages, and so needs the shim."""
        return self.command in COMMANDS and "help" not in self.options

    @property
    def isolated(self) -> bool:
        """Whether pip ignores `PIP_*` variables and the user's file; like pip, looks for the exact word."""
        return "--isolated" in self.original

    def given(self, name: str) -> bool:
        """Return whether the option was given."""
        return name in self.options

    def last(self, name: str) -> str | None:
        """Return the value of an option that counts once: the last one given."""
        values = self.options.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of an option that may be repeated."""
        return self.options.get(name, ())


def parse_arguments(arguments: Sequence[str], *, taken: frozenset[str] = _TAKEN) -> PipArguments:
    """Read a pip command line the way pip's own parser does.

    What pip will refuse (an unknown option, a missing value) is passed on, for pip to say so.

    Args:
        arguments: without the program's name.
        taken: the options that pip does not get.

    Raises:
        PipArgumentsError: an abbreviated option could be one that we must take over.
    """
    command: str | None = None
    position: int | None = None
    positional: list[str] = []
    passed: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            passed.append(argument)
            if command is None:
                command = next(rest, None)
                if command is not None:
                    position = len(passed)
                    passed.append(command)
            behind = list(rest)
            positional += behind
            passed += behind
        elif argument.startswith("--"):
            _long(argument, rest, passed, options, taken, general=command is None)
        elif argument.startswith("-") and argument != "-":
            _short(argument, rest, passed, options, taken, general=command is None)
        else:
            if command is None:
                command, position = argument, len(passed)
            else:
                positional.append(argument)
            passed.append(argument)
    frozen = {name: tuple(values) for name, values in options.items()}
    return PipArguments(tuple(arguments), tuple(passed), command, frozen, position, tuple(positional))


def _long(
    argument: str,
    rest: Iterator[str],
    passed: list[str],
    options: dict[str, list[str]],
    taken: frozenset[str],
    *,
    general: bool,
) -> None:
    text, equals, value = argument[2:].partition("=")
    meanings = resolve(text, general=general)
    if len(meanings) > 1:
        # pip decides by the options of this very command and version; only what we need must be clear.
        doubtful = [f"--{name}" for name in meanings if _ALIASES.get(name, name) in _READ]
        if doubtful:
            raise PipArgumentsError(
                f"{printable(argument)}: write the option in full ({' or '.join(doubtful)})"
            )
    name = meanings[0] if len(meanings) == 1 else None
    words = [argument]
    if name in VALUED:
        if not equals:
            following = next(rest, None)
            if following is None:
                passed.append(argument)
                return
            words.append(following)
            value = following
    elif equals:
        name = None  # pip refuses a flag with a value
    _record(name, value, words, passed, options, taken=taken)


def _short(
    argument: str,
    rest: Iterator[str],
    passed: list[str],
    options: dict[str, list[str]],
    taken: frozenset[str],
    *,
    general: bool,
) -> None:
    """Read a cluster such as `-qiURL`: flags, then at most one option with its value."""
    kept = "-"
    for position, letter in enumerate(argument[1:], start=1):
        name = SHORT.get(letter)
        if general and name not in GENERAL:
            name = None  # pip refuses it before the command
        if name not in VALUED:
            kept += letter
            _record(name, "", [], passed, options, taken=taken)
            continue
        assert name is not None
        value = argument[position + 1 :]
        words = [f"-{letter}{value}"]
        if not value:
            following = next(rest, None)
            if following is None:
                passed.append(argument)
                return
            words.append(following)
            value = following
        if name in taken:
            passed += [kept] if kept != "-" else []
        else:
            words[0] = argument
        _record(name, value, words, passed, options, taken=taken)
        return
    passed.append(argument)


def _record(
    name: str | None,
    value: str,
    words: list[str],
    passed: list[str],
    options: dict[str, list[str]],
    *,
    taken: frozenset[str],
) -> None:
    name = _ALIASES.get(name, name) if name is not None else None
    if name in _READ:
        options.setdefault(name, []).append(value)
    if name not in taken:
        passed += words
