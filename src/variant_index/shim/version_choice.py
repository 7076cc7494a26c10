"""Which release of a project an installer takes, and its verdict on every file of that release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.selection.choice import Choice, TargetTags
from variant_index.shim.present import yank_reason
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.releases import Release

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "HELD_BACK",
    "NO_WHEEL",
    "FileVerdict",
    "PassedOver",
    "ReleaseVerdict",
    "choose_version",
    "is_pinned",
    "passed_over",
]

HELD_BACK: Final = "held back: "
"""What the reason for not taking a file begins with where its release leaves hardware idle."""

NO_WHEEL: Final = "wheel, and only source distributions may be taken"
"""Why wheels are not taken under `--no-binary`."""

_NO_SOURCE: Final = "source distribution, and only wheels may be taken"


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
class PassedOver:
    """A release that is newer than the chosen one.

    Attributes:
        version: its version.
        reason: why it was not chosen, one line.
    """

    version: Version
    reason: str


@dataclass(frozen=True)
class ReleaseVerdict:
    """The verdict on a release.

    Attributes:
        release: the release.
        files: those that can be installed in order of preference, then the others.
        newer: the newer releases, newest first.
    """

    release: Release
    files: tuple[FileVerdict, ...]
    newer: tuple[PassedOver, ...] = ()

    @property
    def selected(self) -> FileVerdict | None:
        """The file to install, None when there is none."""
        return self.files[0] if self.files and self.files[0].rank is not None else None


def choose_version(
    requirement: Requirement,
    releases: Iterable[Release],
    tags: TargetTags,
    judge: Callable[[Release], Choice],
    *,
    allow_prereleases: bool = False,
    wheels_only: bool = False,
    sources_only: bool = False,
    held_back: Mapping[Version, str] | None = None,
) -> ReleaseVerdict | None:
    """Choose as pip does: the newest matching release of which anything can be installed.

    Prereleases count when the specifier names one, when they are allowed, or when nothing else matches.
    Yanked files count only when the specifier pins one version and nothing else is left of it (PEP 592).

    Args:
        requirement: the specifier is used; extras and markers are not.
        releases: all releases of the project.
        tags: what the target interpreter accepts.
        judge: judges the wheels of one release, as `choose_release` does; called for as few releases as
            possible.
        allow_prereleases: pip's `--pre`.
        wheels_only: whether source distributions must not be taken.
        sources_only: whether wheels must not be taken.
        held_back: the releases that count as yanked, and why; see `selection.preference`.

    Returns:
        The verdict on the chosen release; when nothing can be installed, that on the newest matching one;
        None when no release matches.
    """
    pinned = is_pinned(requirement.specifier)
    known = list(releases)
    judged: dict[Version, ReleaseVerdict] = {}
    for release in _in_order(requirement.specifier, known, allow_prereleases):
        judged[release.version] = _judge_release(
            release,
            tags,
            judge,
            pinned=pinned,
            wheels_only=wheels_only,
            sources_only=sources_only,
            held_back=(held_back or {}).get(release.version),
        )
        if judged[release.version].selected is not None:
            break
    if not judged:
        return None
    last = next(reversed(judged.values()))
    verdict = last if last.selected is not None else next(iter(judged.values()))
    refused = {
        version: one.files[0].reason if one.files else "it has no wheels and no source distribution"
        for version, one in judged.items()
    }
    versions = (release.version for release in known)
    newer = passed_over(requirement.specifier, versions, verdict.release.version, refused)
    return replace(verdict, newer=newer)


def passed_over(
    specifier: SpecifierSet,
    versions: Iterable[Version],
    chosen: Version | None,
    refused: Mapping[Version, str],
) -> tuple[PassedOver, ...]:
    """Return the releases that are newer than the chosen one and why not they, newest first.

    Args:
        specifier: what was asked for.
        versions: all releases.
        chosen: the chosen release, None for none.
        refused: what was considered first and why it was not taken.
    """
    return tuple(
        PassedOver(
            version,
            f"does not match {specifier}"
            if not specifier.contains(version, prereleases=True)
            else refused.get(version)
            or "a prerelease, which only --pre or a specifier that names one allows",
        )
        for version in sorted(versions, reverse=True)
        if chosen is None or version > chosen
    )


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
    release: Release,
    tags: TargetTags,
    judge: Callable[[Release], Choice],
    *,
    pinned: bool,
    wheels_only: bool,
    sources_only: bool,
    held_back: str | None,
) -> ReleaseVerdict:
    fitting: list[FileVerdict] = []
    others: list[FileVerdict] = []
    if sources_only:
        others += [FileVerdict(file, wheel.label, None, NO_WHEEL) for wheel, file in release.wheels.items()]
    for candidate in () if sources_only else judge(release).candidates:
        file = release.wheels[candidate.wheel]
        verdict = FileVerdict(file, candidate.wheel.label, candidate.rank, candidate.reason)
        (fitting if candidate.compatible else others).append(verdict)
    for sdist in release.sdists:
        refusal = _NO_SOURCE if wheels_only else tags.refusal(sdist.requires_python)
        reason = refusal or "source distribution, to be built on this machine"
        verdict = FileVerdict(sdist, "", len(fitting) + 1 if refusal is None else None, reason)
        (fitting if refusal is None else others).append(verdict)
    if held_back is not None and not pinned:
        others = [*(replace(one, rank=None, reason=f"{HELD_BACK}{held_back}") for one in fitting), *others]
        return ReleaseVerdict(release, tuple(others))
    # PEP 592: a yanked file is taken only where one version is pinned and nothing else of it fits.
    yanked = [one for one in fitting if one.file.yanked]
    if yanked and not (pinned and len(yanked) == len(fitting)):
        others = [*(replace(one, rank=None, reason=yank_reason(one.file)) for one in yanked), *others]
        kept = (one for one in fitting if not one.file.yanked)
        fitting = [replace(one, rank=rank) for rank, one in enumerate(kept, start=1)]
    return ReleaseVerdict(release, (*fitting, *others))
