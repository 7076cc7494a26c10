"""Which torch the user's own sources give, where it does not come from PyTorch's index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.errors import VariantIndexError
from variant_index.model.properties import Properties
from variant_index.selection.choice import Choice, TargetTags
from variant_index.selection.preference import Preference
from variant_index.shim.present import choose_release, held_back_releases
from variant_index.shim.torch_requirement import TorchRequirements
from variant_index.shim.version_choice import FileVerdict, choose_version
from variant_index.torch_index.family import TORCH
from variant_index.upstream.project import Upstream
from variant_index.upstream.recent import Recent
from variant_index.upstream.releases import Release, Releases, group_releases
from variant_index.upstream.sidecar import SidecarReader

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["TorchUpstream", "UserProject", "choose_wheel"]

_KEPT_BYTES: Final = 48 << 20
_SORTED_SHARE: Final = 3  # so much larger than its bytes a page is as objects
_MOST_RELEASES: Final = 16
"""So many releases of a companion are looked at to find one that goes with a torch that can be had."""


@dataclass(frozen=True)
class UserProject:
    """A project of the user's sources.

    Attributes:
        releases: its page, sorted.
        documents: the usable variants documents.
    """

    releases: Releases
    documents: Mapping[Version, VariantsDocument] = field(default_factory=dict)


def choose_wheel(
    requirement: Requirement,
    project: UserProject,
    supported: Properties,
    tags: TargetTags,
    *,
    prefer: Preference = "hardware",
    allow_prereleases: bool = False,
) -> FileVerdict | None:
    """Choose as pip does with the page that is presented, wheels only; None when there is none. Pure.

    Args:
        requirement: the specifier is used; extras and markers are not.
        project: where to choose from.
        supported: what the machine supports.
        tags: the target interpreter's tags.
        prefer: what comes first, a build that uses the hardware or the newest release.
        allow_prereleases: pip's `--pre`.
    """
    releases, documents = project.releases, project.documents

    def judge(release: Release) -> Choice:
        return choose_release(release, documents.get(release.version), supported, tags)

    held: Mapping[Version, str] = {}
    if prefer == "hardware" and documents:
        choices = {release.version: judge(release) for release in releases.with_variants}
        held = held_back_releases(releases.by_version, choices, documents)
    verdict = choose_version(
        requirement,
        releases.by_version.values(),
        tags,
        judge,
        allow_prereleases=allow_prereleases,
        wheels_only=True,
        held_back=held,
    )
    return None if verdict is None else verdict.selected


class TorchUpstream:
    """Knows the torch that the user's sources give, asked for every page anew; safe between threads."""

    def __init__(
        self,
        upstream: Upstream,
        sidecars: SidecarReader,
        requirements: TorchRequirements,
        prefer: Preference = "hardware",
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            upstream: the user's sources.
            sidecars: reads variants documents.
            requirements: reads which torch wheels require.
            prefer: what comes first, a build that uses the hardware or the newest release.
        """
        self._upstream = upstream
        self._sidecars = sidecars
        self._requirements = requirements
        self._prefer = prefer
        self._read: Recent[tuple[bytes, UserProject]] = Recent(_KEPT_BYTES)

    def choose(
        self, specifier: SpecifierSet, supported: Properties, tags: TargetTags, *, prereleases: bool
    ) -> FileVerdict | None:
        """Return the wheel of torch that installers take, None where there is none or it cannot be read.

        Args:
            specifier: which versions may be taken.
            supported: what the machine supports.
            tags: the target interpreter's tags.
            prereleases: pip's `--pre`.
        """
        torch = self._project(TORCH)
        if torch is None:
            return None
        return self._choose(TORCH, torch, specifier, supported, tags, prereleases=prereleases)

    def narrowed(
        self,
        specifier: SpecifierSet,
        companions: Mapping[str, SpecifierSet],
        supported: Properties,
        tags: TargetTags,
        *,
        prereleases: bool,
    ) -> SpecifierSet:
        """Return which torch may be taken beside what else of its family is asked for, the newest of each.

        Args:
            specifier: which versions of torch may be taken by themselves.
            companions: normal name -> which of its versions may be taken.
            supported: what the machine supports.
            tags: the target interpreter's tags.
            prereleases: pip's `--pre`.
        """
        torch = self._project(TORCH) if companions else None
        if torch is None:
            return specifier
        for name, may_be_taken in companions.items():
            if (project := self._project(name)) is None:
                continue
            allowed = may_be_taken
            for _ in range(_MOST_RELEASES):
                wheel = self._choose(name, project, allowed, supported, tags, prereleases=prereleases)
                if wheel is None:
                    break
                joint = specifier & (self._requirements.of(wheel.file) or SpecifierSet())
                if self._choose(TORCH, torch, joint, supported, tags, prereleases=prereleases) is not None:
                    specifier = joint
                    break
                allowed &= SpecifierSet(f"!={project.releases.of_file[wheel.file.filename].version}")
        return specifier

    def _choose(
        self,
        name: str,
        project: UserProject,
        specifier: SpecifierSet,
        supported: Properties,
        tags: TargetTags,
        *,
        prereleases: bool,
    ) -> FileVerdict | None:
        requirement = Requirement(f"{name}{specifier}")
        return choose_wheel(
            requirement, project, supported, tags, prefer=self._prefer, allow_prereleases=prereleases
        )

    def _project(self, name: str) -> UserProject | None:
        """Read a project; the same bytes are not sorted again."""
        try:
            fetched = self._upstream.project(name)
            if fetched is None:
                return None
            raw = None if fetched.found or fetched.more else fetched.raw
            known = self._read.get(name) if raw is not None else None
            if raw is not None and known is not None and known[0] is raw.body:
                return known[1]
            releases = group_releases(fetched.page)
            project = UserProject(releases, self._sidecars.read(releases.with_variants).by_version)
        except VariantIndexError:
            return None  # who installs it is told so
        if raw is not None:
            self._read.put(name, (raw.body, project), _SORTED_SHARE * len(raw.body))
        return project
