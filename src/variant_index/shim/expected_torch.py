"""The torch that there will be once a command is done: installed, or to be installed by it.

Extensions are chosen for it, and what of the torch family does not tell its torch by its own version.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.errors import UpstreamError
from variant_index.extensions.asked import Asked
from variant_index.extensions.settings import ExtensionSettings
from variant_index.extensions.torch_build import TorchBuild
from variant_index.model.filename import WheelFilename
from variant_index.model.properties import Properties
from variant_index.selection.choice import TargetTags
from variant_index.shim.family_choice import choose_family_release, usable_releases
from variant_index.shim.torch_family import FamilyProject, TorchFamily
from variant_index.shim.torch_requirement import TorchRequirements
from variant_index.shim.torch_upstream import TorchUpstream
from variant_index.shim.version_choice import FileVerdict, ReleaseVerdict, is_pinned
from variant_index.torch_index.backends import parse_backend
from variant_index.torch_index.family import FAMILY, TORCH, is_backend_free, torch_release

__all__ = ["OF_SOURCES", "ExpectedTorch"]

OF_SOURCES: Final = "of your index"
"""The `origin` of a torch that the user's own sources will give."""

_MOST_RELEASES: Final = 64
_MOST_STEPS: Final = 200
"""So many releases are looked at to find those of all members that go with one torch."""


class ExpectedTorch:
    """Knows the torch that there will be, asked for every page anew; safe between threads."""

    def __init__(
        self,
        settings: ExtensionSettings,
        family: TorchFamily | None = None,
        requirements: TorchRequirements | None = None,
        upstream: TorchUpstream | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            settings: what is known of the packages that there are or will be.
            family: decides which torch will be installed; None where it comes from the user's sources.
            requirements: reads which torch others of the family require; None where that does not count.
            upstream: knows the torch of the user's sources, where there is no `family`; None for unknown.
        """
        self.settings = settings
        self._family = family
        self._upstream = upstream if family is None else None
        self._requirements = requirements
        self._lock = threading.Lock()
        self._last: tuple[tuple[object, ...], SpecifierSet] | None = None

    def build(self, supported: Properties, tags: TargetTags) -> TorchBuild | None:
        """Return the torch, None where it cannot be known.

        What the user states comes first; then the installed one, unless the command upgrades it or asks for
        another; then the newest that everything the command says of torch allows, and that the members of
        the family which it names go with.

        Args:
            supported: what the machine supports.
            tags: the target interpreter's tags.
        """
        asked = self.settings.asked()
        if (stated := self.settings.stated.get(TORCH)) is not None:
            return TorchBuild.of(stated, "stated")
        installed, moving = self.staying(), self._moving()
        project = partial(self._project, supported, tags)
        specifier = said = asked.specifier(TORCH)
        if moving and self._requirements is not None and (torch := project(TORCH)) is not None:
            members = {name: found for name in moving if (found := project(name)) is not None}
            specifier = self._narrowed(asked, torch, installed, members)
        elif moving and self._upstream is not None:
            beside = {name: asked.specifier(name) for name in moving}
            specifier = self._upstream.narrowed(
                specifier, beside, supported, tags, prereleases=asked.prereleases
            )
        if installed is not None and specifier.contains(installed.version, prereleases=True):
            return installed
        kept = asked.kept.get(TORCH)
        if kept is not None and not asked.is_upgraded(TORCH) and specifier.contains(kept, prereleases=True):
            said &= SpecifierSet(f"=={kept}")
            specifier &= said
        if (build := _pinned(specifier, in_full=True)) is not None:
            return build
        if self._family is not None:
            torch = project(TORCH)
            return None if torch is None else _to_be_installed(specifier, _chosen(specifier, asked, torch))
        pinned = _pinned(said, in_full=False)
        if self._upstream is not None:
            file = self._upstream.choose(specifier, supported, tags, prereleases=asked.prereleases)
            build = _to_be_installed(specifier, file)
            if build is not None and (build.kind is not None or pinned is None):
                return replace(build, origin=OF_SOURCES)
        return pinned

    def _narrowed(
        self,
        asked: Asked,
        torch: FamilyProject,
        installed: TorchBuild | None,
        members: Mapping[str, FamilyProject],
    ) -> SpecifierSet:
        """Return what the command says of torch; found out again only when anything of it changes."""
        assert self._requirements is not None
        inputs = (asked, torch, installed, members)
        with self._lock:
            last = self._last
        if last is not None and last[0] == inputs:
            return last[1]
        specifier = _Narrowing(asked, torch, installed, self._requirements).with_members(members)
        with self._lock:
            self._last = inputs, specifier
        return specifier

    def staying(self) -> TorchBuild | None:
        """Return the installed torch, if it stays unless something that is installed needs another."""
        asked, environment = self.settings.asked(), self.settings.environment
        installed = environment.torch() if environment is not None else None
        if installed is None or asked.is_upgraded(TORCH) or (asked.upgrade == "all" and self._moving()):
            return None
        fits = asked.specifier(TORCH).contains(installed.version, prereleases=True)
        return installed if fits else None

    def _moving(self) -> list[str]:
        """Return the companions that are not there already, or not as they should be."""
        asked, environment = self.settings.asked(), self.settings.environment
        there = {**asked.kept, **environment.versions()} if environment is not None else asked.kept
        return [name for name in self.companions() if not _stays(name, asked, there)]

    def companions(self) -> dict[str, SpecifierSet]:
        """Return what of the torch family is asked for beside torch: name -> the versions that may be taken.

        Those that do not differ by backend are left out.
        """
        asked = self.settings.asked()
        return {
            name: asked.specifier(name)
            for name in asked.named
            if name in FAMILY and name != TORCH and not is_backend_free(name)
        }

    def _project(self, supported: Properties, tags: TargetTags, name: str) -> FamilyProject | None:
        if self._family is None:
            return None
        try:
            return self._family.beside_installed(name, supported, tags)
        except UpstreamError:
            return None  # who installs it is told so


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of the family that is asked for, and the releases that may be taken, the newest first."""

    project: FamilyProject
    releases: Sequence[ReleaseVerdict]


class _Narrowing:
    """Which torch goes with what else of the family is asked for."""

    def __init__(
        self,
        asked: Asked,
        torch: FamilyProject,
        installed: TorchBuild | None,
        requirements: TorchRequirements,
    ) -> None:
        self._asked = asked
        self._torch = torch
        self._installed = installed
        self._requirements = requirements
        self._steps = 0

    def with_members(self, members: Mapping[str, FamilyProject]) -> SpecifierSet:
        """Return what the command says of torch, directly and by those members; the newest of each first."""
        specifier = self._asked.specifier(TORCH)
        return self._joint(specifier, self._in_order(members)) or specifier

    def _in_order(self, members: Mapping[str, FamilyProject]) -> list[_Member | None]:
        """Sort what is asked for as installers do: what is pinned first, then in the order of the command.

        None stands for torch.
        """
        named = [name for name in self._asked.named if name in members or name == TORCH]
        named.sort(key=lambda name: not is_pinned(self._asked.specifier(name)))
        return [
            None if name == TORCH else _Member(members[name], self._releases(name, members[name]))
            for name in named
        ]

    def _joint(self, specifier: SpecifierSet, order: Sequence[_Member | None]) -> SpecifierSet | None:
        """Return what can be had together with a release of each member, None for nothing."""
        if not order:
            return specifier
        member, others = order[0], order[1:]
        if member is None:
            return self._with_installed(specifier, others) or self._joint(specifier, others)
        if not member.releases:
            return self._joint(specifier, others)
        for verdict in member.releases:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return None
            torch = torch_release(member.project.name, verdict.release.version)
            likely = SpecifierSet() if torch is None else SpecifierSet(f"=={torch.major}.{torch.minor}.*")
            if verdict.selected is None or not self._is_there(specifier & likely):
                continue
            required = self._requirements.of(verdict.selected.file)
            joint = specifier & (likely if required is None else required)
            if self._can_be_had(joint) and (found := self._joint(joint, others)) is not None:
                return found
        return None

    def _with_installed(
        self, specifier: SpecifierSet, others: Sequence[_Member | None]
    ) -> SpecifierSet | None:
        """Return what leaves torch as it is, None where that cannot be: installers try this first."""
        version = self._installed.version if self._installed is not None else None
        if version is None or not specifier.contains(version, prereleases=True):
            return None
        return self._joint(specifier & SpecifierSet(f"=={version}"), others)

    def _releases(self, name: str, project: FamilyProject) -> list[ReleaseVerdict]:
        wanted = Requirement(f"{name}{self._asked.specifier(name)}")
        found = usable_releases(wanted, project, allow_prereleases=self._asked.prereleases)
        return list(islice(found, _MOST_RELEASES))

    def _is_there(self, specifier: SpecifierSet) -> bool:
        """Tell whether any build matches, whoever may take it; unlike the metadata, this costs no request."""
        there = self._installed.version if self._installed is not None else None
        builds = (
            build
            for one in self._torch.decisions
            for build in (*one.chosen, *(verdict.build for verdict in one.pinnable))
        )
        versions = (there, *(build.version for build in builds))
        return any(one is not None and specifier.contains(one, prereleases=True) for one in versions)

    def _can_be_had(self, specifier: SpecifierSet) -> bool:
        if self._installed is not None and specifier.contains(self._installed.version, prereleases=True):
            return True
        return _chosen(specifier, self._asked, self._torch) is not None


def _stays(name: str, asked: Asked, there: Mapping[str, Version]) -> bool:
    version = there.get(name)
    return (
        version is not None
        and not asked.is_upgraded(name)
        and asked.specifier(name).contains(version, prereleases=True)
    )


def _pinned(specifier: SpecifierSet, *, in_full: bool) -> TorchBuild | None:
    """Return the torch that is asked for by its exact version; `in_full`: only where that names a build."""
    exact = [Version(part.version) for part in specifier if part.operator == "==" and "*" not in part.version]
    named = [version for version in exact if version.local is not None or not in_full]
    return (
        TorchBuild.of(max(named, key=lambda version: version.local is not None), "pinned") if named else None
    )


def _chosen(specifier: SpecifierSet, asked: Asked, torch: FamilyProject) -> FileVerdict | None:
    wanted = Requirement(f"{TORCH}{specifier}")
    verdict = choose_family_release(wanted, torch, allow_prereleases=asked.prereleases)
    return None if verdict is None else verdict.selected


def _to_be_installed(specifier: SpecifierSet, file: FileVerdict | None) -> TorchBuild | None:
    if file is None:
        return None
    version = Version(WheelFilename.parse(file.file.filename).version)
    build = TorchBuild.of(version, "pinned" if specifier else "to be installed")
    backend = parse_backend(file.label)
    if backend is None:
        return build
    toolkit = backend.version if backend.kind in ("cuda", "rocm") else ()
    return replace(build, kind=backend.kind, toolkit=toolkit)
