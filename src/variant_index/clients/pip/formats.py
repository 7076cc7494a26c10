"""pip's `--only-binary` and `--no-binary`: of which projects only wheels, or only sources, count; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.requirements import Requirements
from variant_index.clients.pip.requirements_line import Option
from variant_index.model.filename import canonical_name

__all__ = ["FORMAT_OPTIONS", "Formats", "pip_formats", "read_formats"]

FORMAT_OPTIONS: Final = ("only-binary", "no-binary")

_ALL: Final = ":all:"
_NONE: Final = ":none:"


@dataclass(frozen=True, slots=True)
class Formats:
    """What the options say together; each holds normal names, and `:all:` for the projects not named.

    Attributes:
        only_binary: of these no source distributions.
        no_binary: of these no wheels.
    """

    only_binary: frozenset[str] = frozenset()
    no_binary: frozenset[str] = frozenset()

    def wheels_only(self, name: str) -> bool:
        """Tell whether no source distribution of a project may be taken; `name` is in normal form."""
        return name in self.only_binary or (_ALL in self.only_binary and name not in self.no_binary)

    def sources_only(self, name: str) -> bool:
        """Tell whether no wheel of a project may be taken; `name` is in normal form."""
        return name in self.no_binary or (_ALL in self.no_binary and name not in self.only_binary)


def read_formats(options: Iterable[Option]) -> Formats:
    """Read the options in the order in which they are given, those of the command line first.

    Other options are passed over. As in pip, an option replaces what earlier ones said of the same projects,
    and what stands in front of `:all:` or `:none:` in a value means nothing.
    """
    sets: dict[str, set[str]] = {name: set() for name in FORMAT_OPTIONS}
    for option in options:
        if option.name not in sets:
            continue
        target = sets[option.name]
        other = sets[next(name for name in FORMAT_OPTIONS if name != option.name)]
        words = option.value.split(",")
        if _ALL in words:
            other.clear()
            target.clear()
            target.add(_ALL)
            words = words[len(words) - words[::-1].index(_ALL) :]
            if _NONE not in words:
                continue
        for word in words:
            if word == _NONE:
                target.clear()
            else:
                other.discard(canonical_name(word))
                target.add(canonical_name(word))
    return Formats(frozenset(sets["only-binary"]), frozenset(sets["no-binary"]))


def pip_formats(arguments: PipArguments, configuration: PipConfiguration, files: Requirements) -> Formats:
    """Return what a pip command's configuration, command line and files say."""
    # The order between the two options of the command line is not kept; what they say together mostly is.
    options = [
        Option(name, value)
        for source in (configuration.configured, PipArguments.all)
        for name in FORMAT_OPTIONS
        for value in source(arguments, name)
    ]
    in_files = (option for file in files.files.values() for line in file.lines for option in line.options)
    return read_formats((*options, *in_files))
