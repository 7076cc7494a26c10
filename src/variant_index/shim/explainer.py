"""What an installer behind the shim would take of a project, and every why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.errors import printable
from variant_index.model.filename import FilenameError, WheelFilename
from variant_index.model.properties import Properties
from variant_index.providers.untrusted import answered_by, untrusted_hints
from variant_index.selection.choice import Choice, TargetTags
from variant_index.selection.preference import Preference
from variant_index.shim.extension_builds import ExtensionBuilds
from variant_index.shim.family_choice import choose_family_release, found_goes_first, passes_over
from variant_index.shim.origin import Origin, origin_in_family, origin_of
from variant_index.shim.platforms import PlatformWheel, family_platforms, release_platforms
from variant_index.shim.present import Listed, Presented, choose_release, held_back_releases
from variant_index.shim.replacement import SettledPage, settle_page
from variant_index.shim.settle import MarkerSettler
from variant_index.shim.torch_family import FamilyProject, TorchFamily, held_back_note
from variant_index.shim.verification import WheelVerifier, choose_verified
from variant_index.shim.version_choice import (
    NO_WHEEL,
    FileVerdict,
    PassedOver,
    ReleaseVerdict,
    choose_version,
    passed_over,
)
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.project import FetchedProject, Upstream
from variant_index.upstream.releases import Release, Releases, group_releases
from variant_index.upstream.sidecar import SidecarReader

if TYPE_CHECKING:
    from variant_index.markers.metadata import MarkerDecision
    from variant_index.model.document import VariantsDocument
    from variant_index.model.machine import MachineProfile
    from variant_index.torch_index.release import ReleaseDecision

__all__ = ["Explainer", "Explanation", "HiddenWheel"]


@dataclass(frozen=True, slots=True)
class HiddenWheel:
    """A wheel that installers do not see.

    Attributes:
        version: its release.
        filename: its name.
        reason: why its variant markers cannot be decided, one line.
    """

    version: Version
    filename: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one project.

    Attributes:
        verdict: on the chosen release; when nothing of it can be installed on the newest that matches; None
            when none matches.
        origin: where it comes from, None when no source has it.
        newer: the releases that were passed over, newest first.
        platforms: the wheel for each tag set of the release.
        warnings: what was left out and why, one printable line each.
        notes: what helps to understand the choice, one printable line each.
        markers: what became of the chosen wheel's requirements with variant markers.
        hidden: the wheels that are hidden in the release and in newer ones that match.
    """

    verdict: ReleaseVerdict | None
    origin: Origin | None = None
    newer: tuple[PassedOver, ...] = ()
    platforms: tuple[PlatformWheel, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    markers: tuple[MarkerDecision, ...] = ()
    hidden: tuple[HiddenWheel, ...] = ()


class Explainer:
    """Explains projects for one machine and one interpreter; safe to share between threads."""

    def __init__(
        self,
        upstream: Upstream,
        sidecars: SidecarReader,
        verifier: WheelVerifier,
        settler: MarkerSettler,
        *,
        machine: Callable[[], MachineProfile],
        tags: TargetTags,
        family: TorchFamily | None = None,
        extensions: ExtensionBuilds | None = None,
        prefer: Preference = "hardware",
        prereleases: bool = False,
        wheels_only: Callable[[str], bool] = lambda _name: False,
        sources_only: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """Prepare; nothing is fetched or detected yet.

        Args:
            upstream: the user's sources.
            sidecars: reads variants documents.
            verifier: compares the winners with the documents that they were chosen by.
            settler: decides variant markers.
            machine: examines the machine; called once, when something depends on it.
            tags: what the target interpreter accepts.
            family: answers for the torch family; None where that comes from the user's sources as well.
            extensions: knows which builds go with the torch that there is; None where that does not count.
            prefer: what comes first, a build that uses the hardware or the newest release.
            prereleases: pip's `--pre`.
            wheels_only: tells of a project whether its source distributions must not be taken.
            sources_only: tells of a project whether its wheels must not be taken.
        """
        self._upstream = upstream
        self._sidecars = sidecars
        self._verifier = verifier
        self._settler = settler
        self._detect = machine
        self._tags = tags
        self._family = family
        self._extensions = extensions
        self._prefer = prefer
        self._prereleases = prereleases
        self._wheels_only = wheels_only
        self._sources_only = sources_only
        self._lock = threading.Lock()

    @cached_property
    def _detected(self) -> MachineProfile:
        return self._detect()

    def _profile(self) -> MachineProfile:
        with self._lock:
            return self._detected

    def _supported(self) -> Properties:
        return self._profile().supported()

    def explain(self, name: str, specifier: SpecifierSet) -> Explanation:
        """Explain what is taken of a project.

        Args:
            name: its normal name.
            specifier: which versions may be taken.

        Raises:
            UpstreamError: a source failed.
            VariantIndexError: the machine could not be asked.
        """
        requirement = Requirement(f"{name}{specifier}")
        if self._family is not None and name in self._family and not self._upstream.is_routed(name):
            return self._explain_family(requirement, self._family)
        fetched = self._upstream.project(name)
        if fetched is None:
            return Explanation(None, warnings=(f"no source has project {printable(name)}",))
        return self._explain_release(requirement, fetched)

    def _explain_family(self, requirement: Requirement, family: TorchFamily) -> Explanation:
        project = family.project(requirement.name, self._supported(), self._tags)
        found, problems = self._upstream.found(requirement.name)
        # Nobody chooses variants here, and pip does not read the name of a wheel that has a label.
        plain = tuple(file for file in found if not _is_labelled(file))
        links = FetchedProject(requirement.name, None, None, plain, problems)
        found_alone = self._explain_release(requirement, links) if plain else None
        if project is None:
            if found_alone is not None:
                return found_alone
            warning = f"PyTorch's index has no project {printable(requirement.name)}"
            return Explanation(None, warnings=(*problems, warning))
        verdict = choose_family_release(requirement, project, allow_prereleases=self._prereleases)
        if verdict is not None and self._sources_only(requirement.name):
            files = (replace(one, rank=None, reason=NO_WHEEL) for one in verdict.files)
            verdict = replace(verdict, files=tuple(files))
        note = held_back_note(project) if passes_over(requirement, project) else None
        origin = origin_in_family(project.name, family.url)
        versions = [*project.unusable, *(decision.version for decision in project.decisions)]
        decision = _decision(project, verdict.release.version) if verdict is not None else None
        explained = Explanation(
            verdict,
            origin,
            verdict.newer
            if verdict
            else passed_over(requirement.specifier, versions, None, project.unusable),
            family_platforms(decision) if decision is not None else (),
            (*problems, *project.problems, *project.warnings),
            (note,) if note is not None else (),
        )
        if found_alone is None or found_alone.verdict is None:
            return explained
        allowed = self._prereleases or bool(requirement.specifier.prereleases)
        if not found_goes_first(found_alone.verdict, verdict, project, allow_prereleases=allowed):
            return explained
        version = found_alone.verdict.release.version
        newer = {one.version: one for one in (*explained.newer, *found_alone.newer) if one.version > version}
        return replace(
            found_alone,
            newer=tuple(newer[one] for one in sorted(newer, reverse=True)),
            warnings=explained.warnings,
            notes=explained.notes,
        )

    def _explain_release(self, requirement: Requirement, fetched: FetchedProject) -> Explanation:
        releases = group_releases(fetched.page)
        grouped, coupled = self._coupled(fetched.page, releases)
        specifier = requirement.specifier
        # Newer releases than those that match decide nothing.
        matching = [
            version for version in grouped.by_version if specifier.contains(version, prereleases=True)
        ]
        relevant = [one for one in grouped.with_variants if matching and one.version <= max(matching)]
        sources_only = self._sources_only(requirement.name)
        if sources_only:
            relevant = []  # so there is nothing to choose by, and no reason to hold anything back
        documents = self._sidecars.read(releases.with_variants if relevant else ())
        used: Mapping[Version, VariantsDocument] = {}

        @cache
        def machine() -> Properties:
            if self._extensions is None:
                return self._supported()
            return self._extensions.supported(self._supported(), self._tags, documents.by_version)

        # As the shim lists it, so that both agree on what is hidden and on the markers of every wheel.
        settled = self._settle(fetched.page, releases, documents.by_version, machine()) if relevant else None
        hidden = settled.hidden if settled is not None else {}

        def choose(usable: Mapping[Version, VariantsDocument]) -> ReleaseVerdict | None:
            nonlocal used
            used = dict(usable)

            def judge(release: Release) -> Choice:
                return _judge(release, used, machine, self._tags, hidden)

            held: Mapping[Version, str] = {}
            if self._prefer == "hardware":
                choices = {release.version: judge(release) for release in relevant}
                held = held_back_releases(grouped.by_version, choices, used)
            return choose_version(
                requirement,
                grouped.by_version.values(),
                self._tags,
                judge,
                allow_prereleases=self._prereleases,
                wheels_only=self._wheels_only(requirement.name),
                sources_only=sources_only,
                held_back=held,
            )

        usable = settled.documents if settled is not None else {}
        verdict, problems = choose_verified(choose, usable, self._verifier)
        if settled is not None:
            problems = [*settled.presented.warnings, *problems]
        versions = [verdict.release.version] if verdict is not None else sorted(used)[-1:]
        named = [used[version] for version in versions if version in used]
        winner = verdict.selected if verdict is not None else None
        platforms = (
            release_platforms(
                verdict.release, lambda release, tags: _judge(release, used, machine, tags, hidden)
            )
            if verdict and not sources_only
            else ()
        )
        hints = untrusted_hints(fetched.page.name, named, answered_by(self._profile())) if named else ()
        return Explanation(
            coupled.explained(verdict),
            origin_of(fetched, winner.file if winner is not None else None),
            verdict.newer if verdict else passed_over(specifier, grouped.by_version, None, {}),
            platforms,
            (
                *(*fetched.problems, *fetched.left_out, *fetched.page.problems),
                *(*coupled.warnings, *documents.problems, *problems),
            ),
            (*coupled.notes, *hints),
            _markers(settled, winner),
            tuple(
                HiddenWheel(version, filename, reason)
                for filename, reason in hidden.items()
                if (version := releases.of_file[filename].version) in matching
                and (verdict is None or version >= verdict.release.version)
            ),
        )

    def _settle(
        self,
        page: ProjectPage,
        releases: Releases,
        documents: Mapping[Version, VariantsDocument],
        supported: Properties,
    ) -> SettledPage:
        return settle_page(
            page,
            releases,
            documents,
            supported,
            self._tags,
            prefer=self._prefer,
            verifier=self._verifier,
            settler=self._settler,
        )

    def _coupled(self, page: ProjectPage, releases: Releases) -> tuple[Releases, _Coupled]:
        """Sort a page's files into releases, those for another torch held back as the shim does it."""
        if self._extensions is None or not self._extensions.concerns(releases):
            return releases, _Coupled()
        plain = Presented(page.name, tuple(map(Listed, page.files)), ())
        matched, note = self._extensions.match(plain, releases, self._supported(), self._tags)
        reasons = {one.file.filename: one.chosen.reason for one in matched.files if one.chosen is not None}
        kept = ProjectPage(page.name, tuple(one.file for one in matched.files))
        notes = (note,) if note is not None else ()
        return group_releases(kept), _Coupled(reasons, matched.warnings, notes)


@dataclass(frozen=True, slots=True)
class _Coupled:
    """What matching builds with torch showed: file name -> why it goes with it; warnings; notes."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def explained(self, verdict: ReleaseVerdict | None) -> ReleaseVerdict | None:
        """Return a verdict whose files say why they go with torch."""
        if verdict is None or not self.reasons:
            return verdict
        files = (
            replace(one, reason=self.reasons.get(one.file.filename, one.reason))
            if one.rank is not None
            else one
            for one in verdict.files
        )
        return replace(verdict, files=tuple(files))


def _judge(
    release: Release,
    documents: Mapping[Version, VariantsDocument],
    machine: Callable[[], Properties],
    tags: TargetTags,
    hidden: Container[str],
) -> Choice:
    supported = machine() if release.has_variants else {}
    return choose_release(release, documents.get(release.version), supported, tags, hidden)


def _markers(settled: SettledPage | None, winner: FileVerdict | None) -> tuple[MarkerDecision, ...]:
    if settled is None or winner is None:
        return ()
    spliced = settled.spliced.get(winner.file.url)
    return spliced.decisions if spliced is not None else ()


def _is_labelled(file: ProjectFile) -> bool:
    try:
        return file.filename.endswith(".whl") and bool(WheelFilename.parse(file.filename).label)
    except FilenameError:
        return False


def _decision(project: FamilyProject, version: Version) -> ReleaseDecision | None:
    return next((one for one in project.decisions if one.version == version), None)
