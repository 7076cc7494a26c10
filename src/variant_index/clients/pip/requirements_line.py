"""The lines of a requirements file as pip reads them: continuations, comments, `${NAME}`, options; pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["SOURCES", "Option", "RequirementsLine", "logical_lines", "parse_lines", "render_options"]

SOURCES: Final = ("no-index", "index-url", "extra-index-url", "find-links")
"""The options that name package sources, in the order in which pip obeys those of one line."""

_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a line: its long name without dashes, and its value (`""` for a flag)."""

    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class RequirementsLine:
    """A logical line that is no requirement.

    Attributes:
        number: the first of its physical lines, from 1.
        count: how many physical lines it takes.
        options: what it says, in order.
        error: why pip's parser could not read it; `options` is empty then.
        text: the line, joined and without its comment, `${NAME}` replaced.
    """

    number: int
    count: int
    options: tuple[Option, ...]
    text: str
    error: str | None = None

    @property
    def nested(self) -> Option | None:
        """The file that it includes; pip takes the first, and ignores all else on the line."""
        for name in ("requirement", "constraint"):
            for option in self.options:
                if option.name == name and option.value:
                    return option
        return None

    @property
    def sources(self) -> tuple[Option, ...]:
        """The options that name sources in the order in which pip obeys them, those it ignores left out."""
        if self.nested is not None:
            return ()
        by_name = {name: [option for option in self.options if option.name == name] for name in SOURCES}
        # Of several indexes on one line pip takes the last, of several --find-links the first.
        by_name["index-url"] = by_name["index-url"][-1:]
        by_name["find-links"] = by_name["find-links"][:1]
        return tuple(option for name in SOURCES for option in by_name[name])

    @property
    def may_name_sources(self) -> bool:
        """Whether a line that could not be read looks as if it named a source."""
        if self.error is None:
            return False
        words = [word.partition("=")[0] for word in self.text.split()]
        names = [f"--{name}" for name in (*SOURCES, "pypi-url")]
        return any(
            word[:2] in ("-i", "-f") or (word[:3] > "--" and any(name.startswith(word) for name in names))
            for word in words
        )


def parse_lines(text: str, environment: Mapping[str, str]) -> Iterator[RequirementsLine]:
    """Yield the lines that consist of options alone; source options behind a requirement have no effect.

    Args:
        text: the file.
        environment: for `${NAME}`.
    """
    for number, count, line in _joined_lines(text):
        shown = _expanded(line, environment)
        if not shown.startswith("-"):
            continue
        try:
            options = _parse_options(shown)
        except ValueError as error:
            yield RequirementsLine(number, count, (), shown, str(error))
            continue
        if not any(option.name == "editable" for option in options):
            yield RequirementsLine(number, count, options, shown)


def logical_lines(text: str, environment: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every logical line; arguments as those of `parse_lines`."""
    for number, _, line in _joined_lines(text):
        yield number, _expanded(line, environment)


def render_options(options: tuple[Option, ...]) -> str:
    """Return a line that pip reads as these options."""
    words = []
    for option in options:
        words.append(f"--{option.name}")
        if option.value:
            # Neither a comment nor a variable may begin in what is quoted.
            words.append(re.sub(r"(?<=[\s$])(?=[#{])", "''", shlex.quote(option.value)))
    return " ".join(words)


def _expanded(line: str, environment: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: environment.get(match[1]) or match[0], line)


def _parse_options(line: str) -> tuple[Option, ...]:
    words = shlex.split(line)
    # Imported here: most files have no options, and this loads optparse.
    from variant_index.clients.pip.requirements_options import parse_words

    return tuple(Option(name, value) for name, value in parse_words(words))


def _joined_lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Join continued lines, drop comments and empty lines; a comment ends a continuation."""
    joined: list[str] = []
    first = number = 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if joined else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            joined.append(line.strip("\\"))
            continue
        joined.append(f" {line}" if comment else line)
        yield from _without_comment(first, number, "".join(joined))
        joined = []
    yield from _without_comment(first, number, "".join(joined))


def _without_comment(first: int, last: int, line: str) -> Iterator[tuple[int, int, str]]:
    start = line.find("#")
    while start > 0 and not line[start - 1].isspace():
        start = line.find("#", start + 1)
    line = (line if start < 0 else line[:start]).strip()
    if line:
        yield first, last - first + 1, line
