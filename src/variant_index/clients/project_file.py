"""What pyproject.toml files ask for, and which versions lock files name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from variant_index.clients.toml_file import TomlFileError, read_toml
from variant_index.model.filename import canonical_name

__all__ = ["locked_versions", "project_requirements", "texts", "toml_table"]


def project_requirements(
    file: Path, extras: Collection[str] | None = None, groups: Collection[str] | None = None
) -> list[str]:
    """Return the requirements of a pyproject.toml (PEP 621, PEP 735); what is wrong there is left out.

    Args:
        file: its path.
        extras: the extras whose requirements count too; None for all.
        groups: the dependency groups, likewise; what they include does not count by itself.
    """
    content = toml_table(file)
    project = _table(content, "project")
    found = texts(project.get("dependencies"))
    for kind, wanted in (
        (_table(project, "optional-dependencies"), extras),
        (_table(content, "dependency-groups"), groups),
    ):
        for name, requirements in kind.items():
            if wanted is None or canonical_name(name) in {canonical_name(one) for one in wanted}:
                found += texts(requirements)
    return found


def locked_versions(file: Path) -> dict[str, str]:
    """Return normal name -> version, where a lock file has one version of a project; nothing without a file.

    poetry.lock, pdm.lock and uv.lock have an array `package`, pylock.toml (PEP 751) one named `packages`.
    """
    content = toml_table(file)
    found: dict[str, set[str]] = {}
    for one in (*_tables(content.get("package")), *_tables(content.get("packages"))):
        name, version = one.get("name"), one.get("version")
        if isinstance(name, str) and isinstance(version, str):
            found.setdefault(canonical_name(name), set()).add(version)
    return {name: versions.pop() for name, versions in found.items() if len(versions) == 1}


def toml_table(file: Path) -> dict[str, Any]:
    """Return a file's content; nothing where it cannot be read, which is the installer's to report."""
    try:
        return read_toml(file)
    except (TomlFileError, OSError):
        return {}


def texts(value: object) -> list[str]:
    """Return the texts in an array."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            yield one
