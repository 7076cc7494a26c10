"""What METADATA says that installers cannot read, so that they pass the wheel over without a word (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from variant_index.errors import printable
from variant_index.wheel.headers import parse_headers

__all__ = ["unreadable_fields"]

Broken = tuple[str, str]
"""A rule's code and what breaks it."""

_MAX_REQUIREMENTS = 10_000
_MAX_LENGTH = 1 << 16
_METADATA_VERSION = re.compile(r"[12]\.[0-9]{1,9}", re.ASCII)
# `>=3.6.*` is not PEP 440, but common in old wheels: pip goes on without it, uv without the `.*`.
_OLD_WILDCARD = re.compile(r"([<>~]=?[ \t]*[0-9][0-9.]*)\.\*", re.ASCII)


def unreadable_fields(metadata: bytes, label: str) -> list[Broken]:
    """Say which fields of METADATA no installer reads, at most one of each kind.

    pip ignores a wheel with such a requirement (and takes an older release) and uv refuses it. Variant
    markers are legal: they are decided for the wheel before its requirements are looked at.

    Args:
        metadata: the content of METADATA; `variant_index.wheel.headers.parse_headers` reads it.
        label: the wheel's label, `""` for none.
    """
    headers = parse_headers(metadata)
    return [
        *_metadata_version(headers.get("metadata-version", [])),
        *_requires_python(headers.get("requires-python", [])),
        *_requires_dist(headers.get("requires-dist", []), label),
    ]


def _metadata_version(values: list[str]) -> Iterator[Broken]:
    for value in values:
        if not _METADATA_VERSION.fullmatch(value):
            problem = f"Metadata-Version {printable(value, 40)!r} is not known (1.x and 2.x are)"
            yield "WHL210", f"METADATA: {problem}; build the wheel again with a released build tool"
            return


def _requires_python(values: list[str]) -> Iterator[Broken]:
    for value in values:
        if not _is_specifier(value):
            yield (
                "WHL209",
                f"METADATA: Requires-Python {printable(value, 80)!r} is not a version specifier (PEP 440); "
                "write one such as >=3.10",
            )


def _is_specifier(text: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if len(text) > _MAX_LENGTH:
        return False
    try:
        SpecifierSet(_OLD_WILDCARD.sub(r"\1", text))
    except InvalidSpecifier:
        return False
    return True


def _requires_dist(values: list[str], label: str) -> Iterator[Broken]:
    if len(values) > _MAX_REQUIREMENTS:
        yield "WHL209", f"METADATA: has more than {_MAX_REQUIREMENTS} Requires-Dist"
        return
    for value in values:
        if (problem := _requirement_problem(value, label)) is not None:
            yield (
                "WHL209",
                f"METADATA: Requires-Dist {printable(value, 80)!r} is not a requirement (PEP 508): {problem}",
            )
            return


@lru_cache(maxsize=4096)  # the wheels of a release require the same
def _requirement_problem(text: str, label: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    from variant_index.markers.expression import MarkerError
    from variant_index.markers.requirement import WheelVariant, settle_requirement

    if len(text) > _MAX_LENGTH:
        return f"it is longer than {_MAX_LENGTH} characters"
    try:
        plain: str | None = text.strip()
        if "variant_" in text:
            plain = settle_requirement(text.replace("\n", " ").strip(), WheelVariant(label))
        Requirement(plain if plain is not None else text.partition(";")[0].strip())
    except MarkerError as error:
        return printable(str(error), 200)
    except InvalidRequirement as error:
        return printable(str(error).partition("\n")[0], 200)
    except RecursionError:
        return "its marker is nested too deeply"
    return None
