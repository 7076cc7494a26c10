"""What `explain` is asked for: requirements of the command line and of files, with the files' options."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from variant_index.cli.messages import say
from variant_index.clients.pip.formats import FORMAT_OPTIONS, Formats, read_formats
from variant_index.clients.pip.requirements_line import Option
from variant_index.clients.pip.wanted import RequirementLine, Wanted, merge, requirement_lines
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.clients.pip.requirements import Requirements
    from variant_index.shim.target import TargetPython

__all__ = ["Asked", "read_asked"]

_NOT_FOLLOWED: Final = frozenset({"prefer-binary", "all-releases", "only-final"})


@dataclass(frozen=True)
class Asked:
    """Everything that was read.

    Attributes:
        lines: requirements and constraints.
        sources: what the files say of sources, in pip's order.
        pre: whether a file allows prereleases.
        formats: of which projects only wheels, or only source distributions, may be taken.
    """

    lines: tuple[RequirementLine, ...]
    sources: tuple[Option, ...] = ()
    pre: bool = False
    formats: Formats = field(default_factory=Formats)

    def wanted(self, target: TargetPython) -> tuple[Wanted, ...]:
        """Return what is wanted of each project, and say which lines leave nothing to choose.

        Raises:
            WantedError: a line is no requirement.
        """
        wanted, left_out = merge(self.lines, target.environment)
        for line in left_out:
            say("warning", line)
        if not wanted:
            say("note", "no project is asked for")
        return wanted


def read_asked(
    requirements: Sequence[str],
    files: Sequence[str],
    constraints: Sequence[str],
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
) -> Asked:
    """Read the files, and say which of their options are not followed.

    Args:
        requirements: those of the command line.
        files: the values of `-r`.
        constraints: the values of `-c`.
        only_binary: the values of `--only-binary`.
        no_binary: the values of `--no-binary`, which come after those.

    Raises:
        InputError: there is nothing to read, or a file or line cannot be read; it is named.
    """
    if not requirements and not files:
        raise InputError("nothing to explain: name a requirement, or a file with -r")
    lines = [RequirementLine(text) for text in requirements]
    formats = [Option("only-binary", value) for value in only_binary]
    formats += [Option("no-binary", value) for value in no_binary]
    if not files and not constraints:
        return Asked(tuple(lines), formats=read_formats(formats))
    from variant_index.clients.pip.requirements import read_requirements

    found = read_requirements((*constraints, *files), os.environ)
    for name in (*files, *constraints):
        if found.places.get(name) not in found.files:
            raise InputError(f"{printable(name)}: {_unreadable(name)}")
    pre = False
    for where, option in _options(found):
        pre = pre or option.name == "pre"
        if option.name in FORMAT_OPTIONS:
            formats.append(option)
        if option.name in _NOT_FOLLOWED:
            say("warning", f"{where}: --{option.name} is not taken into account")
    lines += requirement_lines(found, files, constraints, os.environ)
    return Asked(tuple(lines), tuple(found.sources), pre, read_formats(formats))


def _unreadable(name: str) -> str:
    return "cannot be read as a requirements file" if Path(name).exists() else "no such file"


def _options(found: Requirements) -> Iterator[tuple[str, Option]]:
    """Yield the options of all files, and where each stands.

    Raises:
        InputError: a line cannot be read, or names a file that cannot.
    """
    for place, file in found.files.items():
        for line in file.lines:
            where = f"{printable(place)}, line {line.number}"
            if line.error is not None:
                raise InputError(f"{where}: {printable(line.error)}")
            if (inner := file.nested.get(line.number)) is not None and inner not in found.files:
                raise InputError(f"{where}: {printable(inner)}: {_unreadable(inner)}")
            yield from ((where, option) for option in line.options)
