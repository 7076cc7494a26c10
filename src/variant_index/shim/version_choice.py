"""Which release of a project an installer takes, and its verdict on every file of that release."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from variant_index.errors import printable
from variant_index.selection.choice import Choice
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.releases import Release

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["FileVerdict", "ReleaseVerdict", "choose_version", "is_pinned"]


@dataclass(frozen=True)
class FileVerdict:
    """The verdict on one wheel or source distribution.

    Attributes:
        file: its entry on the page.
        label: its variant label, `""` when it has none.
        rank: 1 for the file to install, then 2, ...; None when it cannot be installed here.
        reason: why, one line.
    """

    file: ProjectFile
    label: str
    rank: int | None
    reason: str


@dataclass(frozen=True)
class ReleaseVerdict:
    """The verdict on a release.

    Attributes:
        release: the release.
        files: those that can be installed in order of preference, then the others.
    """

    release: Release
    files: tuple[FileVerdict, ...]

    @property
    def selected(self) -> FileVerdict | None:
        """The file to install, None when there is none."""
        return self.files[0] if self.files and self.files[0].rank is not None else None


def choose_version(
    requirement: Requirement,
    releases: Iterable[Release],
    python_version: str,
    judge: Callable[[Release], Choice],
    *,
    allow_prereleases: bool = False,
) -> ReleaseVerdict | None:
    """Choose as pip does: the newest matching release of which anything can be installed.

    Prereleases count when the specifier names one, when they are allowed, or when nothing else matches.
    Yanked files count only when the specifier pins one version and nothing else is left of it (PEP 592).

    Args:
        requirement: the specifier is used; extras and markers are not.
        releases: all releases of the project.
        python_version: the target interpreter's full version.
        judge: judges the wheels of one release; called for as few releases as possible.
        allow_prereleases: pip's `--pre`.

    Returns:
        The verdict on the chosen release; when nothing can be installed, that on the newest matching one;
        None when no release matches.
    """
    pinned = is_pinned(requirement.specifier)
    newest: ReleaseVerdict | None = None
    for release in _in_order(requirement.specifier, releases, allow_prereleases):
        verdict = _judge_release(release, Version(python_version), judge, pinned=pinned)
        if verdict.selected is not None:
            return verdict
        newest = newest or verdict
    return newest


def _in_order(specifier: SpecifierSet, releases: Iterable[Release], allow_prereleases: bool) -> list[Release]:
    matching = [release for release in releases if specifier.contains(release.version, prereleases=True)]
    as_one = allow_prereleases or bool(specifier.prereleases)
    return sorted(
        matching,
        key=lambda release: (as_one or not release.version.is_prerelease, release.version),
        reverse=True,
    )


def is_pinned(specifier: SpecifierSet) -> bool:
    """Tell whether a specifier names one version, which lets installers take a yanked file (PEP 592)."""
    return any(
        part.operator == "===" or (part.operator == "==" and not part.version.endswith(".*"))
        for part in specifier
    )


def _judge_release(
    release: Release, python_version: Version, judge: Callable[[Release], Choice], *, pinned: bool
) -> ReleaseVerdict:
    ways = [*release.wheels.values(), *release.sdists]
    take_yanked = pinned and all(file.yanked for file in ways)
    wrong = {
        file.filename: reason
        for file in ways
        if (reason := _exclusion(file, python_version, take_yanked=take_yanked)) is not None
    }
    wheels = {wheel: file for wheel, file in release.wheels.items() if file.filename not in wrong}
    choice = judge(replace(release, wheels=wheels))
    fitting: list[FileVerdict] = []
    others: list[FileVerdict] = []
    for candidate in choice.candidates:
        verdict = FileVerdict(
            wheels[candidate.wheel], candidate.wheel.label, candidate.rank, candidate.reason
        )
        (fitting if candidate.compatible else others).append(verdict)
    for sdist in release.sdists:
        if sdist.filename not in wrong:
            rank = len(fitting) + 1
            fitting.append(FileVerdict(sdist, "", rank, "source distribution, to be built on this machine"))
    labels = {wheel.filename: wheel.label for wheel in release.wheels}
    others += [
        FileVerdict(file, labels.get(file.filename, ""), None, wrong[file.filename])
        for file in ways
        if file.filename in wrong
    ]
    return ReleaseVerdict(release, (*fitting, *others))


def _exclusion(file: ProjectFile, python_version: Version, *, take_yanked: bool) -> str | None:
    if file.yanked and not take_yanked:
        return f"yanked: {printable(file.yanked)}" if isinstance(file.yanked, str) else "yanked"
    try:
        needs = SpecifierSet(file.requires_python or "")
    except InvalidSpecifier:
        return None  # as pip: what cannot be read excludes nothing
    if needs.contains(python_version, prereleases=True):
        return None
    return f"requires Python {printable(str(needs))}, the target has {python_version}"
