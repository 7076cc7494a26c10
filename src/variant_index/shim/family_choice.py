"""Which release of a project of the torch family an installer takes, with the verdict on its wheels; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from variant_index.shim.torch_family import FamilyProject
from variant_index.shim.version_choice import HELD_BACK, FileVerdict, ReleaseVerdict, is_pinned, passed_over
from variant_index.torch_index.builds import Build
from variant_index.torch_index.release import ANYWHERE, ReleaseDecision
from variant_index.upstream.releases import Release

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["choose_family_release", "found_goes_first", "passes_over"]


def choose_family_release(
    requirement: Requirement, project: FamilyProject, *, allow_prereleases: bool = False
) -> ReleaseVerdict | None:
    """Choose as pip does with the page that is presented: the newest match that is not yanked, or the pin.

    Args:
        requirement: the specifier is used; it may name a local version, as in `==2.9.0+cpu`.
        project: the project, decided.
        allow_prereleases: pip's `--pre`.

    Returns:
        The verdict on the release; when every match is held back, that on the newest; None without a match.
    """
    specifier = requirement.specifier
    newest: ReleaseVerdict | None = None
    refused = dict(project.unusable)
    versions = [*refused, *(decision.version for decision in project.decisions)]
    for decision, verdict in _matching(requirement, project, allow_prereleases=allow_prereleases):
        if verdict.selected is not None:
            newer = passed_over(specifier, versions, decision.version, refused)
            return replace(verdict, newer=newer)
        newest = newest or verdict
        held = decision.held_back
        refused[decision.version] = "only other builds match" if held is None else f"{HELD_BACK}{held}"
    return newest


def usable_releases(
    requirement: Requirement, project: FamilyProject, *, allow_prereleases: bool = False
) -> Iterator[ReleaseVerdict]:
    """Yield the releases that an installer may take, in the order in which it tries them.

    Arguments are those of `choose_family_release`, which returns the first.
    """
    for _, verdict in _matching(requirement, project, allow_prereleases=allow_prereleases):
        if verdict.selected is not None:
            yield verdict


def _matching(
    requirement: Requirement, project: FamilyProject, *, allow_prereleases: bool
) -> Iterator[tuple[ReleaseDecision, ReleaseVerdict]]:
    specifier = requirement.specifier

    def matches(build: Build) -> bool:
        return specifier.contains(build.version, prereleases=True)

    pinned = is_pinned(specifier)
    as_one = allow_prereleases or bool(specifier.prereleases)
    for decision in sorted(
        project.decisions,
        key=lambda one: (as_one or not one.version.is_prerelease, one.version),
        reverse=True,
    ):
        builds = (*decision.chosen, *(verdict.build for verdict in decision.pinnable))
        if any(map(matches, builds)):
            free = any(map(matches, decision.chosen)) and not decision.held_back
            yield decision, _verdict(project.name, decision, matches, usable=free or pinned)


def passes_over(requirement: Requirement, project: FamilyProject) -> bool:
    """Tell whether a release that matches was held back, so that another choice was open to the user."""
    return not is_pinned(requirement.specifier) and any(
        decision.held_back is not None and requirement.specifier.contains(decision.version, prereleases=True)
        for decision in project.decisions
    )


def found_goes_first(
    found: ReleaseVerdict,
    verdict: ReleaseVerdict | None,
    project: FamilyProject,
    *,
    allow_prereleases: bool = False,
) -> bool:
    """Tell whether pip takes what find-links locations have of a project of the family.

    It compares all files of both: those that are not yanked first, then finals, then the highest version.

    Args:
        found: what would be taken of the find-links locations alone.
        verdict: what would be taken of PyTorch's index alone.
        project: the project of PyTorch's index, decided.
        allow_prereleases: whether these count like finals.
    """
    if found.selected is None:
        return False
    if verdict is None or verdict.selected is None:
        return True
    file = verdict.selected.file
    for decision in project.decisions:
        for build in (*decision.chosen, *(one.build for one in decision.pinnable)):
            if build.file is file:
                free = build in decision.chosen and decision.held_back is None and not file.yanked
                order = (free, allow_prereleases or not build.version.is_prerelease, build.version)
                version = found.release.version
                final = allow_prereleases or not version.is_prerelease
                return (not found.selected.file.yanked, final, version) >= order
    raise ValueError(f"{file.filename} is no build of {project.name}")


def _verdict(
    name: str, decision: ReleaseDecision, matches: Callable[[Build], bool], *, usable: bool
) -> ReleaseVerdict:
    fitting: list[tuple[Build, str]] = []
    others: list[tuple[Build, str]] = []
    for build in decision.chosen:
        if usable and matches(build):
            fitting.append((build, decision.reason))
        else:
            held = decision.held_back
            why = f"not asked for; {decision.reason}" if held is None else f"{HELD_BACK}{held}"
            others.append((build, why))
    for one in decision.pinnable:
        here = one.rank is not None
        # Why nothing better fits belongs to a build that is taken for itself.
        reason = ANYWHERE if one.reason.startswith(ANYWHERE) else one.reason
        if usable and matches(one.build) and (here or not fitting):
            fitting.append((one.build, reason if here else f"pinned; {one.yanked or reason}"))
        else:
            others.append((one.build, f"not asked for; {reason}" if here else reason))
    others += [(one.build, one.reason) for one in decision.refused]
    ranked = [_file(build, rank, reason) for rank, (build, reason) in enumerate(fitting, start=1)]
    return ReleaseVerdict(Release(name, decision.version), (*ranked, *_unranked(others)))


def _unranked(builds: Iterable[tuple[Build, str]]) -> Iterable[FileVerdict]:
    return (_file(build, None, reason) for build, reason in builds)


def _file(build: Build, rank: int | None, reason: str) -> FileVerdict:
    return FileVerdict(build.file, build.folder, rank, reason)
