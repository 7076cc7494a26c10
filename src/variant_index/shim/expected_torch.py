"""The torch that there will be once a command is done: installed, or to be installed by it.

Extensions are chosen for it, and what of the torch family does not tell its torch by its own version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
from variant_index.shim.version_choice import FileVerdict, ReleaseVerdict
from variant_index.torch_index.backends import parse_backend
from variant_index.torch_index.family import FAMILY, TORCH, is_backend_free, torch_release

__all__ = ["ExpectedTorch"]

_MOST_READ: Final = 16
"""So many releases of one member of the family are read to find one that goes with all that is asked for."""


class ExpectedTorch:
    """Knows the torch that there will be, asked for every page anew; safe between threads."""

    def __init__(
        self,
        settings: ExtensionSettings,
        family: TorchFamily | None = None,
        requirements: TorchRequirements | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            settings: what is known of the packages that there are or will be.
            family: decides which torch will be installed; None where that is not ours to know.
            requirements: reads which torch others of the family require; None where that does not count.
        """
        self.settings = settings
        self._family = family
        self._requirements = requirements

    def build(self, supported: Properties, tags: TargetTags) -> TorchBuild | None:
        """Return the torch, None where it cannot be known.

        What the user states comes first; then the installed one, unless the command upgrades it or asks for
        another; then the newest that everything the command says of torch allows, and that the members of
        the family which it names go with.

        Args:
            supported: what the machine supports.
            tags: the target interpreter's tags.
        """
        settings, asked = self.settings, self.settings.asked()
        if (stated := settings.stated.get(TORCH)) is not None:
            return TorchBuild.of(stated, "stated")
        environment = settings.environment
        installed = environment.torch() if environment is not None else None
        there = {**asked.kept, **environment.versions()} if environment is not None else asked.kept
        moving = [name for name in self.companions() if not _stays(name, asked, there)]
        if asked.is_upgraded(TORCH) or (moving and asked.upgrade == "all"):
            installed = None
        project = partial(self._project, supported, tags)
        specifier = asked.specifier(TORCH)
        if moving and self._requirements is not None and (torch := project(TORCH)) is not None:
            members = {name: found for name in moving if (found := project(name)) is not None}
            specifier = _Narrowing(asked, torch, installed, self._requirements).with_members(members)
        if installed is not None and specifier.contains(installed.version, prereleases=True):
            return installed
        kept = asked.kept.get(TORCH)
        if kept is not None and not asked.is_upgraded(TORCH) and specifier.contains(kept, prereleases=True):
            specifier &= SpecifierSet(f"=={kept}")
        if (build := _pinned(specifier, in_full=self._family is not None)) is not None:
            return build
        torch = project(TORCH)
        return None if torch is None else _to_be_installed(specifier, asked, torch)

    def companions(self) -> dict[str, SpecifierSet]:
        """Return what of the torch family is asked for beside torch: name -> the versions that may be taken.

        Those that do not differ by backend are left out.
        """
        asked = self.settings.asked()
        names = (name for name in asked.named & FAMILY if name != TORCH and not is_backend_free(name))
        return {name: asked.specifier(name) for name in sorted(names)}

    def _project(self, supported: Properties, tags: TargetTags, name: str) -> FamilyProject | None:
        if self._family is None:
            return None
        try:
            return self._family.unsettled(name, supported, tags)
        except UpstreamError:
            return None  # who installs it is told so


@dataclass(frozen=True)
class _Narrowing:
    """Which torch goes with what else of the family is asked for."""

    asked: Asked
    torch: FamilyProject
    installed: TorchBuild | None
    requirements: TorchRequirements

    def with_members(self, members: Mapping[str, FamilyProject]) -> SpecifierSet:
        """Return what the command says of torch, directly and by those members."""
        specifier = self.asked.specifier(TORCH)
        # Whoever has the least choice comes first.
        releases = {name: self._releases(name, project) for name, project in members.items()}
        for name in sorted(releases, key=lambda name: (len(releases[name]), name)):
            specifier = self._with_member(name, releases[name], specifier)
        return specifier

    def _releases(self, name: str, project: FamilyProject) -> list[ReleaseVerdict]:
        wanted = Requirement(f"{name}{self.asked.specifier(name)}")
        return list(usable_releases(wanted, project, allow_prereleases=self.asked.prereleases))

    def _with_member(
        self, name: str, releases: Sequence[ReleaseVerdict], specifier: SpecifierSet
    ) -> SpecifierSet:
        """Return what the newest of a member's releases that can be had together with torch adds."""
        read = 0
        for verdict in releases:
            torch = torch_release(name, verdict.release.version)
            likely = SpecifierSet() if torch is None else SpecifierSet(f"=={torch.major}.{torch.minor}.*")
            if verdict.selected is None or not self._can_be_had(specifier & likely):
                continue
            if read == _MOST_READ:
                break
            read += 1
            required = self.requirements.of(verdict.selected.file)
            joint = specifier & (likely if required is None else required)
            if self._can_be_had(joint):
                return joint
        return specifier

    def _can_be_had(self, specifier: SpecifierSet) -> bool:
        if self.installed is not None and specifier.contains(self.installed.version, prereleases=True):
            return True
        return _chosen(specifier, self.asked, self.torch) is not None


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


def _to_be_installed(specifier: SpecifierSet, asked: Asked, torch: FamilyProject) -> TorchBuild | None:
    file = _chosen(specifier, asked, torch)
    if file is None:
        return None
    version = Version(WheelFilename.parse(file.file.filename).version)
    build = TorchBuild.of(version, "pinned" if specifier else "to be installed")
    backend = parse_backend(file.label)
    if backend is None:
        return build
    toolkit = backend.version if backend.kind in ("cuda", "rocm") else ()
    return replace(build, kind=backend.kind, toolkit=toolkit)
