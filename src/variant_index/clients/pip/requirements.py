"""Requirements and constraints files, and those they include: read once, before pip does.

Files that name package sources would lead pip past the shim: an `--index-url` in a file counts more than one
on the command line. The sources are taken over, and `led` keeps pip from following them.
"""

from __future__ import annotations

import codecs
import locale
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from variant_index.clients.pip.requirements_line import Option, RequirementsLine, parse_lines
from variant_index.errors import InputError, printable

__all__ = ["Requirements", "RequirementsError", "RequirementsFile", "read_requirements"]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING: Final = re.compile(rb"coding[:=]\s*([-\w.]+)")
_MAX_BYTES: Final = 16 << 20
_MAX_FILES: Final = 1000
_MAX_DEPTH: Final = 100


class RequirementsError(InputError):
    """A requirements file cannot be read, or names package sources where they cannot be taken over."""


@dataclass(frozen=True)
class RequirementsFile:
    """A file that is there.

    Attributes:
        text: its content.
        lines: its lines of options.
        nested: the number of a line -> the place of the file that it includes.
        once: whether it can be read only once (a pipe), so that pip needs a copy.
    """

    text: str
    lines: tuple[RequirementsLine, ...]
    nested: Mapping[int, str]
    once: bool = False


@dataclass
class Requirements:
    """All files of a command.

    Attributes:
        places: a file as named on the command line or in pip's configuration -> its place.
        files: a place (an absolute path) -> the file; those that are missing are left out.
        sources: the options that name sources or trusted hosts, in the order in which pip obeys them;
            a folder in `find-links` is absolute.
    """

    places: dict[str, str] = field(default_factory=dict)
    files: dict[str, RequirementsFile] = field(default_factory=dict)
    sources: list[Option] = field(default_factory=list)

    @property
    def need_leading(self) -> bool:
        """Whether pip must not simply read the files: they name sources, or can be read only once."""
        return any(file.once or any(line.sources for line in file.lines) for file in self.files.values())


def read_requirements(
    files: Iterable[str], environment: Mapping[str, str], build_constraints: Iterable[str] = ()
) -> Requirements:
    """Read files, and those they include, in pip's order.

    A file that is not there is pip's to report, and so is one that includes itself.

    Args:
        files: the values of `-c`, then those of `-r`.
        environment: for `${NAME}` in the files.
        build_constraints: the values of `--build-constraint`. They count for builds only, so a source there
            is refused.

    Raises:
        RequirementsError: a file is somewhere on the network, too large, not in its encoding, or has a line
            that may name a source and cannot be read.
    """
    found = Requirements()
    reader = _Reader(found, environment)
    for name in files:
        reader.read(name)
    before = len(found.sources)
    for name in build_constraints:
        reader.read(name)
    if len(found.sources) > before:
        named = found.sources[before].name
        raise RequirementsError(
            f"--{named} in a build constraints file is refused: put it on the command line or into pip's"
            f" configuration"
        )
    return found


class _Reader:
    def __init__(self, found: Requirements, environment: Mapping[str, str]) -> None:
        self._found = found
        self._environment = environment
        self._visits = 0

    def read(self, name: str) -> None:
        """Read a file as named on the command line."""
        if not name:
            return
        place = _place(name)
        self._found.places[name] = place
        self._visit(place, ())

    def _visit(self, place: str, above: tuple[str, ...]) -> None:
        if place in above or _is_lock_file(place):
            return
        self._visits += 1
        if self._visits > _MAX_FILES or len(above) > _MAX_DEPTH:
            raise RequirementsError(
                f"{printable(place)}: more than {_MAX_FILES} requirements files, or {_MAX_DEPTH} deep"
            )
        file = self._file(place)
        for line in file.lines if file is not None else ():
            if file is not None and (inner := file.nested.get(line.number)) is not None:
                self._visit(inner, (*above, place))
                continue
            hosts = tuple(option for option in line.options if option.name == "trusted-host")
            for option in (*line.sources, *hosts):
                self._found.sources.append(_resolved(option, place))

    def _file(self, place: str) -> RequirementsFile | None:
        if place not in self._found.files:
            read = _read(place)
            if read is None:
                return None
            text, once = read
            lines = tuple(parse_lines(text, self._environment))
            for line in lines:
                if line.may_name_sources:
                    raise RequirementsError(
                        f"{printable(place)}, line {line.number}: {printable(line.error or '')}; it may name"
                        f" a package source, so it is not passed on"
                    )
            nested = {
                line.number: _nested(place, line.nested.value) for line in lines if line.nested is not None
            }
            self._found.files[place] = RequirementsFile(text, lines, nested, once)
        return self._found.files[place]


def _resolved(option: Option, place: str) -> Option:
    """Return find-links as pip takes it: a folder beside the requirements file, if it is there."""
    if option.name == "find-links":
        beside = Path(place).parent / option.value
        if beside.exists():
            return Option(option.name, str(beside))
    return option


def _place(name: str) -> str:
    """Return the absolute path of a file that is named by a path or a file URL."""
    scheme = _scheme(name)
    if scheme in ("http", "https"):
        raise RequirementsError(
            f"{printable(name.rpartition('@')[2])}: a requirements file on the network cannot be checked for"
            f" package sources; download it and give the file's name"
        )
    if scheme == "file":
        from urllib.request import url2pathname

        return os.path.abspath(url2pathname(urlsplit(name).path))  # noqa: PTH100 - no links resolved
    return os.path.abspath(name)  # noqa: PTH100


def _nested(place: str, included: str) -> str:
    """Return the place of a file that another includes: relative to that one, as pip has it."""
    if _scheme(included):
        return _place(included)
    return _place(os.path.join(os.path.dirname(place), included))  # noqa: PTH118, PTH120


def _is_lock_file(place: str) -> bool:
    """Tell pip's `pylock.toml` and `pylock.NAME.toml`, which name their own files, not sources."""
    name = os.path.basename(place)  # noqa: PTH119
    return name == "pylock.toml" or (name.startswith("pylock.") and name.endswith(".toml"))


def _scheme(name: str) -> str:
    scheme = name.partition(":")[0].lower() if ":" in name else ""
    return scheme if scheme in ("http", "https", "file") else ""


def _read(place: str) -> tuple[str, bool] | None:
    """Return a file's text and whether it could be read once only; None when it cannot be opened."""
    path = Path(place)
    if path.is_dir() or not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > _MAX_BYTES:
        raise RequirementsError(f"{printable(place)}: larger than {_MAX_BYTES >> 20} MB, refused")
    try:
        return _decode(data), not path.is_file()
    except (UnicodeDecodeError, LookupError) as error:
        raise RequirementsError(f"{printable(place)}: not text in its encoding: {error}") from None


def _decode(data: bytes) -> str:
    """Decode as pip does: byte order mark, `coding:` comment, UTF-8, the locale's encoding."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        if line.startswith(b"#") and (match := _CODING.search(line)):
            return data.decode(match[1].decode("ascii", "replace"))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(locale.getpreferredencoding(False))
