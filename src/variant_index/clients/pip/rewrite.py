"""Copies of requirements files without the options that name package sources.

Everything else stays line for line, so hashes mean the same and pip's messages name the right lines.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from variant_index.clients.pip.requirements import Requirements, RequirementsFile
from variant_index.clients.pip.requirements_line import SOURCES, Option, RequirementsLine, render_options

__all__ = ["rewritten_text", "write_copies"]


def rewritten_text(file: RequirementsFile, place_of: Callable[[str], str]) -> str:
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


def write_copies(requirements: Requirements, folder: Path) -> dict[str, str]:
    """Write copies of all files where pip needs them, readable by the user only.

    Args:
        requirements: what was read.
        folder: where to write; of this run alone.

    Returns:
        A file as named on the command line or in pip's configuration -> its copy; empty when pip can read
        the originals.
    """
    if not requirements.need_rewriting:
        return {}
    copies = {
        place: str(folder / str(number) / (Path(place).name or "requirements.txt"))
        for number, place in enumerate(requirements.files)
    }
    for place, file in requirements.files.items():
        target = Path(copies[place])
        target.parent.mkdir(mode=0o700)
        text = rewritten_text(file, lambda inner: copies.get(inner, inner))
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            # The mark comes before any `coding:` comment that the original may have.
            stream.write(codecs.BOM_UTF8 + text.encode())
    return {name: copies[place] for name, place in requirements.places.items() if place in copies}
