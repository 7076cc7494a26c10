"""Poetry's version constraints and dependency tables as ordinary requirements (PEP 508); pure.

See https://python-poetry.org/docs/dependency-specification/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

__all__ = ["added_requirement", "requirements_of_table", "specifier"]

_PART: Final = re.compile(r"(\^|~=|~|===?|!=|<=|>=|<|>)? *(\*|[0-9][0-9A-Za-z.+!*\-]{0,60})", re.ASCII)
_SEPARATOR: Final = re.compile(r" *, *| +", re.ASCII)
_MAX_CHARACTERS: Final = 500


def specifier(constraint: str) -> str | None:
    """Return a constraint as a version specifier (PEP 440); None where there is no such thing.

    Alternatives (`||`) are none, and what is no constraint is Poetry's to refuse.
    """
    text = constraint.strip()
    if len(text) > _MAX_CHARACTERS or "|" in text:
        return None
    parts = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return None
        parts.append(_part(match[1] or "", match[2]))
        position = match.end()
        separator = _SEPARATOR.match(text, position)
        position = separator.end() if separator is not None else position
    found = ",".join(part for part in parts if part)
    try:
        SpecifierSet(found)
    except InvalidSpecifier:
        return None
    return found


def _part(operator: str, version: str) -> str:
    if version == "*":
        return ""
    if operator not in ("^", "~"):
        return f"{operator or '=='}{version}"
    numbers = [int(number) for number in re.findall(r"[0-9]{1,9}", re.split(r"[A-Za-z+!\-]", version)[0])]
    if operator == "~":
        fixed = min(len(numbers), 2)
    else:
        # What must not change ends with the first number that is not 0.
        fixed = next((place for place, number in enumerate(numbers, start=1) if number), len(numbers))
    end = [*numbers[: fixed - 1], numbers[fixed - 1] + 1]
    return f">={version},<{'.'.join(map(str, end))}"


def requirements_of_table(dependencies: Mapping[str, Any]) -> list[str]:
    """Return the requirements of a table such as `[tool.poetry.dependencies]`; `python` is none of them."""
    found: list[str] = []
    for name, value in dependencies.items():
        if name.lower() != "python":
            for one in value if isinstance(value, list) else [value]:
                found += _requirements(name, one)
    return found


def _requirements(name: str, value: object) -> Iterator[str]:
    table = value if isinstance(value, dict) else {"version": value}
    if isinstance(url := table.get("url", table.get("path")), str):
        yield url  # only a wheel's name tells a version
        return
    version = table.get("version", "*")
    found = specifier(version) if isinstance(version, str) else None
    markers = " and ".join(f"({marker})" for marker in _markers(table))
    yield f"{name}{found or ''}" + (f" ; {markers}" if markers else "")


def _markers(table: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(marker := table.get("markers"), str) and marker.strip():
        yield marker
    if isinstance(system := table.get("platform"), str) and re.fullmatch(r"[a-z0-9_]{1,20}", system):
        yield f"sys_platform == '{system}'"
    if isinstance(python := table.get("python"), str) and (found := specifier(python)):
        for part in found.split(","):
            match = re.fullmatch(r"([<>=!~]+)(.+)", part)
            if match is not None:
                yield f"python_full_version {match[1]} '{match[2]}'"


def added_requirement(word: str) -> str:
    """Return what a word of `poetry add` asks for: `torch@^2.8` is `torch>=2.8,<3`."""
    name, at, constraint = word.partition("@")
    if not at or "/" in word:
        return word
    return name + (specifier(constraint) or "")
