"""The requirements that words and files of a command line ask for, as texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.pip.requirements import Requirements, RequirementsError, read_requirements
from variant_index.clients.pip.wanted import WantedError, requirement_lines
from variant_index.clients.project_file import locked_versions, project_requirements
from variant_index.model.filename import canonical_name

__all__ = ["file_texts", "pinned_versions", "project_names", "read_texts", "word_texts"]

_EXTRAS: Final = re.compile(r"(.*)\[([^\]]*)\]", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,200}", re.ASCII)
_PIN: Final = re.compile(rf"({_NAME.pattern})(?:\[[^\]]{{0,200}}\])? *== *([^ ;,]{{1,100}})", re.ASCII)
_NOT_REQUIREMENTS: Final = frozenset({".py", ".cfg", ".yml", ".yaml"})


def word_texts(words: Iterable[str], base: Path) -> tuple[str, ...]:
    """Return what words ask for; the folder of a project stands for what its pyproject.toml says.

    Args:
        words: requirements, paths or addresses.
        base: where relative paths begin.
    """
    found: list[str] = []
    for word in words:
        match = _EXTRAS.fullmatch(word)
        place, extras = (match[1], match[2].split(",")) if match else (word, [])
        file = base / place.strip() / "pyproject.toml" if place.strip() else None
        if file is not None and "\0" not in place and file.is_file():
            found += project_requirements(file, [one.strip() for one in extras], ())
        else:
            found.append(word)
    return tuple(found)


def project_names(words: Iterable[str]) -> frozenset[str]:
    """Return the normal names that requirements begin with."""
    return frozenset(canonical_name(match[0]) for word in words if (match := _NAME.match(word)))


def file_texts(
    files: Iterable[str],
    base: Path,
    environment: Mapping[str, str],
    *,
    extras: Collection[str] | None = (),
    groups: Collection[str] | None = (),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the requirements and the constraints in files; what cannot be read is the installer's to report.

    Args:
        files: requirements files, pyproject.toml or lock files.
        base: where relative paths begin.
        environment: for `${NAME}` in requirements files.
        extras: of a pyproject.toml, as `project_requirements` takes them.
        groups: likewise.
    """
    required: list[str] = []
    limits: list[str] = []
    for name in files:
        path = base / name
        if path.name == "pyproject.toml":
            required += project_requirements(path, extras, groups)
        elif path.suffix == ".toml":
            required += (f"{one}=={version}" for one, version in locked_versions(path).items())
        elif path.suffix not in _NOT_REQUIREMENTS and path.is_file():
            try:
                found = read_requirements([str(path)], environment)
            except RequirementsError:
                continue
            more, other = read_texts(found, [str(path)], (), path.parent, environment)
            required += more
            limits += other
    return tuple(required), tuple(limits)


def read_texts(
    found: Requirements,
    files: Iterable[str],
    constraints: Iterable[str],
    base: Path,
    environment: Mapping[str, str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the requirements and the constraints in requirements files that were read.

    Args:
        found: the files.
        files: the values of `-r`.
        constraints: the values of `-c`.
        base: where relative paths begin.
        environment: for `${NAME}` in the files.
    """
    required: list[str] = []
    limits: list[str] = []
    try:
        for line in requirement_lines(found, files, constraints, environment):
            text = re.sub(r"^(?:-e|--editable)[ =]*", "", line.text)
            (limits if line.constraint else required).append(text)
    except WantedError:
        pass  # the installer says what is wrong with a line
    return word_texts(required, base), tuple(limits)


def pinned_versions(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return normal name -> version of the exact pins in a requirements file, which a compiler keeps."""
    pins = {}
    for text in file_texts([str(path)], path.parent, environment)[0]:
        if (match := _PIN.match(text)) is not None:
            pins[canonical_name(match[1])] = match[2]
    return pins
