"""Requirements files that name package sources, led so that pip keeps to the shim.

pip obeys the last `--index-url` that it reads. So where only indexes are named pip gets the user's own files,
which its messages name, and behind them one of ours that names the shim. Nothing undoes a `--find-links` or a
`--no-index`, and files that pip's configuration names are read by its children as well, which build packages
and would not get our last file: of those it gets copies without the sources. Everything else stays line for
line, so hashes mean the same and pip's messages name the right lines.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from variant_index.clients.pip.arguments import FILES, PipArguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.requirements import Requirements, RequirementsFile
from variant_index.clients.pip.requirements_line import SOURCES, Option, RequirementsLine, render_options

__all__ = ["Led", "copied_places", "lead"]

_UNDONE: Final = frozenset({"index-url", "extra-index-url"})


@dataclass(frozen=True, slots=True)
class Led:
    """What pip gets in the place of what the user gave.

    Attributes:
        arguments: the command line.
        settings: option -> value, of those that pip's configuration must not decide.
    """

    arguments: PipArguments
    settings: Mapping[str, str] = field(default_factory=dict)


def lead(
    requirements: Requirements,
    arguments: PipArguments,
    configuration: PipConfiguration,
    index_url: str,
    folder: Callable[[], Path],
) -> Led:
    """Write what pip needs besides the user's files, readable by the user only, and name it.

    Args:
        requirements: what was read.
        arguments: the command line.
        configuration: pip's.
        index_url: the shim's address.
        folder: makes a folder to write to, of this run alone; called where there is something to write.
    """
    if not requirements.need_leading:
        return Led(arguments)
    configured = {option: configuration.configured(arguments, option) for option in FILES}
    place = folder()
    files = requirements.files
    copied = copied_places(requirements, [name for names in configured.values() for name in names])
    copies = _write_copies(requirements, copied, place)
    last = None
    if any(line.sources for name, file in files.items() if name not in copied for line in file.lines):
        # Constraints are read before requirements, so this is the last file of them all.
        has_requirements = arguments.given("requirement") or configured["requirement"]
        last = ("requirement" if has_requirements else "constraint", str(place / "index.txt"))
        _write(last[1], f"{render_options((Option('index-url', index_url),))}\n")
    settings = {
        option: " ".join(copies.get(name, name) for name in names)
        for option, names in configured.items()
        if not copies.keys().isdisjoint(names)
    }
    return Led(arguments.with_files(copies, last), settings)


def copied_places(requirements: Requirements, inherited: Iterable[str]) -> frozenset[str]:
    """Return the places of the files that pip must not read itself, and of those that include them; pure.

    Args:
        requirements: what was read.
        inherited: the names of files that pip's children read as well.
    """
    files = requirements.files
    by_children = _with_included(requirements, [requirements.places.get(name, "") for name in inherited])
    copied = set()
    for place, file in files.items():
        sources = {option.name for line in file.lines for option in line.sources}
        if file.once or sources - _UNDONE or (sources and place in by_children):
            copied.add(place)
    including = copied
    while including:
        including = {
            place
            for place, file in files.items()
            if place not in copied and not including.isdisjoint(file.nested.values())
        }
        copied = copied | including
    return frozenset(copied)


def _with_included(requirements: Requirements, places: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        if place not in found and (file := requirements.files.get(place)) is not None:
            found.add(place)
            waiting += file.nested.values()
    return found


def _write_copies(requirements: Requirements, copied: Collection[str], folder: Path) -> dict[str, str]:
    """Return a file as named on the command line or in pip's configuration -> its copy."""
    copies = {
        place: str(folder / str(number) / (Path(place).name or "requirements.txt"))
        for number, place in enumerate(requirements.files)
        if place in copied
    }
    for place, copy in copies.items():
        Path(copy).parent.mkdir(mode=0o700)
        _write(copy, _text(requirements.files[place], lambda inner: copies.get(inner, inner)))
    return {name: copies[place] for name, place in requirements.places.items() if place in copies}


def _text(file: RequirementsFile, place_of: Callable[[str], str]) -> str:
    """Return the text of a copy; pure.

    Args:
        file: the original.
        place_of: place of an included file -> the place to name instead.
    """
    physical = file.text.splitlines()
    for line in file.lines:
        new = _rewritten(line, file.nested, place_of)
        if new is not None:
            physical[line.number - 1 : line.number - 1 + line.count] = [new, *[""] * (line.count - 1)]
    return "".join(f"{line}\n" for line in physical)


def _rewritten(
    line: RequirementsLine, nested: Mapping[int, str], place_of: Callable[[str], str]
) -> str | None:
    """Return what stands for a line, None when it stays as it is."""
    if line.nested is not None:
        return render_options((Option(line.nested.name, place_of(nested[line.number])),))
    if not any(option.name in SOURCES for option in line.options):
        return None
    return render_options(tuple(option for option in line.options if option.name not in SOURCES))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        # The mark comes before any `coding:` comment that the original may have.
        stream.write(codecs.BOM_UTF8 + text.encode())
