"""What a publisher brings, as values: wheels, source distributions, sidecars, and the releases they make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.model.filename import (
    SIDECAR_SUFFIX,
    FilenameError,
    WheelFilename,
    canonical_name,
    escaped_version,
)

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument
    from variant_index.model.rules import Finding

__all__ = [
    "FILE_SUFFIXES",
    "PROVENANCE",
    "FoundSidecar",
    "FoundSource",
    "FoundWheel",
    "Refusal",
    "Release",
    "ReleaseKey",
    "Scan",
    "release_of",
]

_SOURCE_SUFFIX = ".tar.gz"
FILE_SUFFIXES = (".whl", _SOURCE_SUFFIX, SIDECAR_SUFFIX)
"""How the names of the files end that an index is made of."""

PROVENANCE = ".provenance"
"""What the name of a file's provenance object (PEP 740) has behind the file's name."""

_STEM = re.compile(r"([A-Za-z0-9][A-Za-z0-9._\-]*?)-([A-Za-z0-9][A-Za-z0-9._!+]*)", re.ASCII)

ReleaseKey = tuple[str, str]
"""`(normal project name, normalised version)`."""


@dataclass(frozen=True, slots=True)
class FoundWheel:
    """A wheel that was read and found good.

    Attributes:
        path: where it is.
        filename: its name, taken apart.
        size: bytes.
        sha256: hexadecimal digest of the whole file.
        metadata: the exact bytes of its METADATA.
        requires_python: METADATA's `Requires-Python`, None when not given.
        document: its `variant.json`; None exactly when the name has no label.
        findings: the rules it breaks that are no reason to refuse it.
        copy: a copy made while it was read, that may be moved to where it is published, with a file
            `NAME.metadata` beside it; None without.
        published: whether the index has it already, with these bytes; then `metadata` may be missing.
        provenance: the provenance object that lies beside it, None without.
    """

    path: Path
    filename: WheelFilename
    size: int
    sha256: str
    metadata: bytes
    requires_python: str | None
    document: VariantsDocument | None
    findings: tuple[Finding, ...] = ()
    copy: Path | None = None
    published: bool = False
    provenance: bytes | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.filename.filename


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A source distribution (`.tar.gz`); it is listed and never opened.

    Attributes:
        path: where it is.
        name: the file's name.
        size: bytes.
        sha256: hexadecimal digest of the whole file.
        copy: see `FoundWheel`.
        published: see `FoundWheel`.
        provenance: see `FoundWheel`.
    """

    path: Path
    name: str
    size: int
    sha256: str
    copy: Path | None = None
    published: bool = False
    provenance: bytes | None = None


@dataclass(frozen=True, slots=True)
class FoundSidecar:
    """A `*-variants.json` among the input; the one we publish is made from the wheels.

    Attributes:
        path: where it is.
        data: its bytes.
    """

    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something of the input is not published.

    Attributes:
        release: the whole release is refused; None when the file's name does not say which it is of.
        reason: one printable line that names the file and what is wrong.
        rule: the code of the rule that is broken; None where the cause is an option.
        path: the file; empty when it is no single one.
    """

    release: ReleaseKey | None
    reason: str
    rule: str | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of one project, complete and consistent.

    Attributes:
        key: the project's normal name and the normalised version.
        wheels: by file name.
        sources: by file name.
        document: the combined variants document; None when no wheel has a label.
    """

    key: ReleaseKey
    wheels: tuple[FoundWheel, ...]
    sources: tuple[FoundSource, ...] = ()
    document: VariantsDocument | None = None

    @property
    def title(self) -> str:
        """The release as messages call it: `torch 2.9.0`."""
        return " ".join(self.key)

    @property
    def files(self) -> tuple[FoundWheel | FoundSource, ...]:
        """The wheels, then the source distributions."""
        return (*self.wheels, *self.sources)

    @property
    def variants(self) -> tuple[FoundWheel, ...]:
        """The wheels with a label."""
        return tuple(wheel for wheel in self.wheels if wheel.filename.label)

    @property
    def plain(self) -> tuple[FoundWheel, ...]:
        """The wheels without a label, which every installer can take."""
        return tuple(wheel for wheel in self.wheels if not wheel.filename.label)


@dataclass(slots=True)
class Scan:
    """Everything that was found, each list by file name."""

    wheels: list[FoundWheel] = field(default_factory=list)
    sources: list[FoundSource] = field(default_factory=list)
    sidecars: list[FoundSidecar] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def release_of(filename: str) -> ReleaseKey | None:
    """Return the release a file belongs to by its name, even a malformed one; None when it does not say."""
    for suffix in FILE_SUFFIXES:
        if filename.endswith(suffix):
            stem = filename[: -len(suffix)]
            break
    else:
        return None
    if suffix == _SOURCE_SUFFIX:
        name, _, version = stem.rpartition("-")
    else:
        name, version = [*stem.split("-", 2), ""][:2]
    return _key(name, version)


_version = lru_cache(maxsize=4096)(escaped_version)


@lru_cache(maxsize=4096)  # the files of a release ask for the same
def _key(name: str, version: str) -> ReleaseKey | None:
    if not _STEM.fullmatch(f"{name}-{version}"):
        return None
    try:
        return canonical_name(name), _version(version)
    except FilenameError:
        return None
