"""What `variant-index build --json` prints.

Plain dataclasses: importing pydantic takes as long as comparing 15 000 wheels with an index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["BuildReport", "RefusalReport", "ReleaseReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strict:
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReport(_Strict):
    """One release that is published.

    Attributes:
        name: the project's normal name.
        version: the normalised version.
        files: its wheels, metadata, source distributions and sidecar; paths relative to the index.
        changed: those of `files` that this run wrote; empty when the index had them already.
        sidecar: file name of its variants document, null when it has no variants.
        default_wheel: file name of the wheel that installers without variant support can take, null
            when there is none; the first by name when there are several.
        warnings: what will not work as its publisher may expect, one line each.
    """

    name: str
    version: str
    files: list[str]
    changed: list[str]
    sidecar: str | None
    default_wheel: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalReport(_Strict):
    """One reason why something is not published.

    Attributes:
        name: the project's normal name, null when the file's name does not say.
        version: the normalised version; the whole release is refused.
        reason: the file, the rule it breaks and what to do, one line.
        rule: the rule's code (`variant-index check --list-rules`), null when an option is the cause.
    """

    name: str | None
    version: str | None
    reason: str
    rule: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport(_Strict):
    """The outcome of one build.

    Attributes:
        out: the index's folder.
        releases: what is published, by name and version.
        unchanged: how many more were up to date and are not among `releases`; 0 in JSON.
        refused: what is not, and why.
        warnings: about the index as a whole, one line each.
    """

    out: str
    releases: list[ReleaseReport]
    unchanged: int
    refused: list[RefusalReport]
    warnings: list[str]
