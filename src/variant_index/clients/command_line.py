"""A command line of an installer as a value: words, options, and what of it the installer still gets.

For clap, click, cleo and argparse. pip's own rules are in `clients.pip`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

__all__ = ["CommandLine", "Syntax", "names", "read_command_line"]


def names(text: str) -> frozenset[str]:
    """Return the long names in a text, without the dashes."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Syntax:
    """What must be known of a parser to tell options, their values and words apart.

    Attributes:
        valued: long names, without the dashes, of the options that take a value.
        short: letter -> long name.
        taken: long names of the options that the installer does not get.
        prefixes: whether an unambiguous beginning of a long name stands for it (argparse).
    """

    valued: Set[str]
    short: Mapping[str, str] = field(default_factory=dict)
    taken: Set[str] = frozenset()
    prefixes: bool = False


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line says.

    Attributes:
        words: what is neither an option nor the value of one, in order.
        options: long name -> the values given, in order; `""` for a flag.
        passed: all arguments but the options that are taken over, in order.
        rest: what follows the word after which the arguments belong to another program.
    """

    words: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    passed: tuple[str, ...]
    rest: tuple[str, ...] = ()

    def given(self, *names: str) -> bool:
        """Return whether one of the options was given."""
        return any(name in self.options for name in names)

    def last(self, *names: str) -> str | None:
        """Return the last value of the first of these options that was given."""
        return next((self.options[name][-1] for name in names if name in self.options), None)

    def all(self, *names: str) -> tuple[str, ...]:
        """Return every value of these options."""
        return tuple(value for name in names for value in self.options.get(name, ()))


def read_command_line(
    arguments: tuple[str, ...], syntax: Syntax, *, last_word: int | None = None
) -> CommandLine:
    """Tell options, values and words apart.

    What the installer will refuse (an unknown option, a missing value) is passed on, for it to say so.

    Args:
        arguments: without the program's name.
        syntax: the parser's.
        last_word: the number of words after which everything belongs to another program.
    """
    words: list[str] = []
    passed: list[str] = []
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and (last_word is None or len(words) < last_word):
        argument = rest.pop(0)
        if argument == "--":
            end = len(rest) if last_word is None else last_word - len(words)
            words += rest[:end]
            passed += [argument, *rest[:end]]
            del rest[:end]
        elif argument == "-" or not argument.startswith("-"):
            words.append(argument)
            passed.append(argument)
        else:
            flags, name, value = _option(argument, syntax)
            for flag in flags:
                options.setdefault(flag, []).append("")
            own_words = [argument]
            if name in syntax.valued and value is None and rest:
                value = rest.pop(0)
                own_words.append(value)
            if name is not None:
                options.setdefault(name, []).append(value or "")
            if name not in syntax.taken:
                passed += own_words
            elif flags:
                passed.append(argument[: len(flags) + 1])
    frozen = {name: tuple(values) for name, values in options.items()}
    return CommandLine(tuple(words), frozen, (*passed, *rest), tuple(rest))


def _option(argument: str, syntax: Syntax) -> tuple[list[str], str | None, str | None]:
    """Return the flags in a word, the option that ends it, and that one's value where it is in the word."""
    if argument.startswith("--"):
        name, equals, value = argument[2:].partition("=")
        if syntax.prefixes and name and name not in syntax.valued | syntax.taken:
            meant = [known for known in syntax.valued | syntax.taken if known.startswith(name)]
            name = meant[0] if len(meant) == 1 else name
        return [], name, value if equals else None
    flags: list[str] = []
    for position, letter in enumerate(argument[1:], start=1):
        name = syntax.short.get(letter, letter)
        if name in syntax.valued:
            return flags, name, argument[position + 1 :].removeprefix("=") or None
        flags.append(name)
    return flags[:-1], flags[-1], None
