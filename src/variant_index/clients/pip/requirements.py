"""Requirements and constraints files that name package sources, which would lead pip past the shim."""

from __future__ import annotations

import codecs
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

from variant_index.errors import InputError, printable

__all__ = ["RequirementsError", "SourceLine", "check_requirements", "find_source_lines"]

_SOURCE_NAMES: Final = ("index-url", "pypi-url", "extra-index-url", "find-links", "no-index")
_SOURCE_LETTERS: Final = {"i": "index-url", "f": "find-links"}
_NESTED_LETTERS: Final = {"r": "requirement", "c": "constraint"}
_OTHER_NAMES: Final = frozenset({"pre", "editable", "no-binary", "prefer-binary"})
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAX_BYTES: Final = 16 << 20
_MAX_FILES: Final = 1000


class RequirementsError(InputError):
    """A requirements file names package sources, or cannot be checked for them."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line that matters to the shim.

    Attributes:
        line: its number, from 1.
        option: `index-url`, `extra-index-url`, `find-links`, `no-index`, `requirement` or `constraint`.
        value: what follows the option; the file's name for the last two.
    """

    line: int
    option: str
    value: str


def check_requirements(files: Iterable[str], environment: Mapping[str, str]) -> None:
    """Read requirements and constraints files, and those they include, and refuse any that names sources.

    A file that is not there is pip's to report, and so is one that includes itself.

    Args:
        files: as given to `-r` and `-c`.
        environment: for `${NAME}` in the files.

    Raises:
        RequirementsError: a file names a source, or is somewhere on the network.
    """
    waiting = [file if _scheme(file) else os.path.abspath(file) for file in files if file]  # noqa: PTH100
    seen: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file in seen or _is_lock_file(file):
            continue
        seen.add(file)
        if len(seen) > _MAX_FILES:
            raise RequirementsError(f"{printable(file)}: more than {_MAX_FILES} requirements files, refused")
        for found in find_source_lines(_read(file), environment):
            if found.option in ("requirement", "constraint"):
                waiting.append(_nested(file, found.value))
                continue
            raise RequirementsError(
                f"{printable(file)}, line {found.line}: --{found.option} in a requirements file would lead"
                f" pip past the variants; put it on the command line or into pip's configuration"
            )


def find_source_lines(text: str, environment: Mapping[str, str]) -> Iterator[SourceLine]:
    """Yield the options of a requirements file that name sources or further files.

    Reads lines as pip does (continuations, comments, `${NAME}`); an abbreviation that may mean a source
    counts as one.
    """
    for number, line in _logical_lines(text):
        shown = _VARIABLE.sub(lambda match: environment.get(match[1]) or match[0], line)
        if not shown.startswith("-"):
            continue  # a requirement: pip ignores source options behind it
        try:
            words = iter(shlex.split(shown))
        except ValueError:
            continue  # pip refuses the line
        for word in words:
            option, value = _option(word)
            if option is None:
                continue
            if value is None:
                value = "" if option == "no-index" else next(words, "")
            if option not in ("requirement", "constraint") or value:
                yield SourceLine(number, option, value)


def _option(word: str) -> tuple[str | None, str | None]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        given = value if equals else None
        if name in _OTHER_NAMES or not name:
            return None, None
        for known in (*_SOURCE_NAMES, "requirement", "constraint"):
            if known.startswith(name):
                return ("index-url" if known == "pypi-url" else known), given
        return None, None
    if word.startswith("-") and len(word) > 1:
        option = _SOURCE_LETTERS.get(word[1]) or _NESTED_LETTERS.get(word[1])
        return option, word[2:] or None
    return None, None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, drop comments and empty lines; a comment ends a continuation."""
    joined: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if joined else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            joined.append(line.strip("\\"))
            continue
        joined.append(f" {line}" if comment else line)
        yield from _without_comment(first, "".join(joined))
        joined = []
    yield from _without_comment(first, "".join(joined))


def _without_comment(number: int, line: str) -> Iterator[tuple[int, str]]:
    start = line.find("#")
    while start > 0 and not line[start - 1].isspace():
        start = line.find("#", start + 1)
    line = (line if start < 0 else line[:start]).strip()
    if line:
        yield number, line


def _nested(file: str, included: str) -> str:
    """Return the place of a file that another includes: relative to that one, as pip has it."""
    if _scheme(included):
        return included
    if _scheme(file):
        return urljoin(file, included)
    return os.path.abspath(os.path.join(os.path.dirname(file), included))  # noqa: PTH100, PTH118, PTH120


def _is_lock_file(file: str) -> bool:
    """Tell pip's `pylock.toml` and `pylock.NAME.toml`, which name their own files, not sources."""
    name = os.path.basename(file.partition("[")[0])  # noqa: PTH119 - may be a URL
    return name == "pylock.toml" or (name.startswith("pylock.") and name.endswith(".toml"))


def _scheme(file: str) -> str:
    scheme = file.partition(":")[0].lower() if ":" in file else ""
    return scheme if scheme in ("http", "https", "file") else ""


def _read(file: str) -> str:
    scheme = _scheme(file)
    if scheme in ("http", "https"):
        raise RequirementsError(
            f"{printable(file)}: a requirements file on the network cannot be checked for package sources;"
            f" download it and give the file's name"
        )
    path = Path(file)
    if scheme == "file":
        from urllib.request import url2pathname

        path = Path(url2pathname(urlsplit(file).path))
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise RequirementsError(f"{printable(file)}: larger than {_MAX_BYTES >> 20} MB, refused")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    return data.decode("utf-8", errors="replace")
