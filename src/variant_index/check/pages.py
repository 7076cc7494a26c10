"""Compares what pages say: one form with the other, and each entry with the file it lists (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from variant_index.errors import printable
from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = ["STRONG_HASHES", "compare_forms", "listed_twice"]

STRONG_HASHES = ("sha256", "sha384", "sha512")
"""The algorithms that count as a check."""


def listed_twice(page: ProjectPage) -> list[str]:
    """Return the names that a page lists more than once."""
    counted = Counter(file.filename for file in page.files)
    return sorted(name for name, count in counted.items() if count > 1)


def compare_forms(json: ProjectPage, html: ProjectPage) -> Iterator[str]:
    """Yield what the HTML form of a page says differently, one printable line each.

    HTML has no sizes and one hash of a file; what it cannot say is no difference.
    """
    ours = {file.filename: file for file in json.files}
    theirs = {file.filename: file for file in html.files}
    for name in sorted(ours.keys() | theirs.keys()):
        shown = printable(name)
        if name not in theirs:
            yield f"{shown} is listed in JSON only"
        elif name not in ours:
            yield f"{shown} is listed in HTML only"
        else:
            yield from (
                f"{shown} has another {field} in HTML" for field in _differences(ours[name], theirs[name])
            )


def _differences(ours: ProjectFile, theirs: ProjectFile) -> Iterator[str]:
    if ours.url != theirs.url:
        yield "address"
    if bool(ours.hashes) != bool(theirs.hashes) or not _same_hashes(ours.hashes, theirs.hashes):
        yield "hash"
    if ours.requires_python != theirs.requires_python:
        yield "requires-python"
    if ours.yanked != theirs.yanked:
        yield "yanked"
    if not _same_metadata(ours.core_metadata, theirs.core_metadata):
        yield "core-metadata"
    if ours.provenance != theirs.provenance:
        yield "provenance"
    if theirs.upload_time is not None and theirs.upload_time != ours.upload_time:
        yield "upload-time"


def _same_hashes(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    return all(ours.get(name, digest).lower() == digest.lower() for name, digest in theirs.items())


def _same_metadata(ours: bool | Mapping[str, str], theirs: bool | Mapping[str, str]) -> bool:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _same_hashes(ours, theirs)
    return bool(ours) == bool(theirs)
