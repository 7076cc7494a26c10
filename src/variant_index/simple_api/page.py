"""A project page of the simple API as a value, wherever it was read (PEP 503, 592, 658, 691, 700, 740)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ProjectFile", "ProjectPage"]


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One file of a project page.

    Attributes:
        filename: the file's name as the page gives it (PEP 691 `filename`, HTML anchor text).
        url: where it is. Absolute once read from an index; may be relative on a page we write.
        hashes: algorithm -> hexadecimal digest, as published; never changed on the way through.
        requires_python: the `Requires-Python` specifier, None when not given.
        yanked: False, True, or the reason (PEP 592).
        core_metadata: False, True, or the hashes of `{url}.metadata` (PEP 658, PEP 714).
        size: bytes, None when not given (PEP 700).
        upload_time: as published (PEP 700), None when not given.
        provenance: the full https address of its provenance object (PEP 740), None when not given.
        listed_by: the page it was read from; says whose word the address is. Not part of the value.
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str | None = None
    yanked: bool | str = False
    core_metadata: bool | Mapping[str, str] = False
    size: int | None = None
    upload_time: str | None = None
    provenance: str | None = None
    listed_by: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """All files of one project.

    Attributes:
        name: the project's normal name (PEP 503).
        files: in the page's order.
        problems: what reading the page left out and why, one printable line each.
    """

    name: str
    files: tuple[ProjectFile, ...]
    problems: tuple[str, ...] = ()
