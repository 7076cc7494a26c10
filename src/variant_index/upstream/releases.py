"""The files of a project page, sorted into releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from packaging.version import InvalidVersion, Version

from variant_index.errors import printable
from variant_index.model.filename import FilenameError, WheelFilename, canonical_name, parse_sidecar_filename
from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = ["Release", "Releases", "group_releases"]

_SDIST_SUFFIXES: Final = (".tar.gz", ".zip")


@dataclass
class Release:
    """All files of one version.

    Attributes:
        name: the project's normal name.
        version: the release's version, local part included.
        wheels: each wheel's name taken apart -> its entry; one entry a file name, the page's first.
        sdists: the source distributions' entries.
        sidecars: the entries of variants documents; a sane page lists at most one.
    """

    name: str
    version: Version
    wheels: dict[WheelFilename, ProjectFile] = field(default_factory=dict)
    sdists: list[ProjectFile] = field(default_factory=list)
    sidecars: list[ProjectFile] = field(default_factory=list)

    @property
    def has_variants(self) -> bool:
        """Whether any wheel carries a label."""
        return any(wheel.label for wheel in self.wheels)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Releases:
    """A page, sorted.

    Attributes:
        by_version: the releases, in the order in which the page first names them.
        of_file: file name -> its release; files that belong to none are missing.
        problems: which wheels were left out and why, one printable line each.
    """

    by_version: Mapping[Version, Release]
    of_file: Mapping[str, Release]
    problems: tuple[str, ...]

    @cached_property
    def with_variants(self) -> tuple[Release, ...]:
        """The releases that have labelled wheels."""
        return tuple(release for release in self.by_version.values() if release.has_variants)


def group_releases(page: ProjectPage) -> Releases:
    """Sort a page's files into releases.

    Wheels whose name breaks a rule or names another project are problems; other files that are
    neither sdists nor variants documents belong to no release.
    """
    by_version: dict[Version, Release] = {}
    of_file: dict[str, Release] = {}
    versions: dict[str, Version | None] = {}
    problems = []

    def release_of(text: str) -> Release | None:
        if text not in versions:
            versions[text] = _version(text)
        version = versions[text]
        if version is None:
            return None
        if version not in by_version:
            by_version[version] = Release(page.name, version)
        return by_version[version]

    for file in page.files:
        filename = file.filename
        if filename.endswith(".whl"):
            try:
                wheel = WheelFilename.parse(filename)
            except FilenameError as error:
                problems.append(str(error))
                continue
            release = release_of(wheel.version) if wheel.name == page.name else None
            if release is None:
                problems.append(f"{printable(filename)}: not a wheel of project {page.name}")
                continue
            release.wheels.setdefault(wheel, file)
        elif (sidecar := parse_sidecar_filename(filename)) is not None and sidecar[0] == page.name:
            release = release_of(sidecar[1])
            if release is None:
                continue
            release.sidecars.append(file)
        else:
            text = _sdist_version(filename, page.name)
            release = release_of(text) if text is not None else None
            if release is None:
                continue
            release.sdists.append(file)
        of_file[filename] = release
    return Releases(by_version, of_file, tuple(problems))


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _sdist_version(filename: str, name: str) -> str | None:
    """Return the version in an sdist's name; names of before PEP 625 may have dashes in the project."""
    for suffix in _SDIST_SUFFIXES:
        if filename.endswith(suffix):
            stem = filename[: -len(suffix)]
            dashes = [position for position, character in enumerate(stem[:200]) if character == "-"]
            return next((stem[dash + 1 :] for dash in dashes if canonical_name(stem[:dash]) == name), None)
    return None
