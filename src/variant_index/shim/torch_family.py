"""The torch family for a client: PyTorch's index read, decided once for torch, presented as one index."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.errors import UpstreamError, printable
from variant_index.model.properties import Properties
from variant_index.selection.choice import TargetTags
from variant_index.selection.preference import Preference
from variant_index.shim.present import Chosen, Listed, Presented
from variant_index.simple_api.page import ProjectFile
from variant_index.torch_index.agreement import Companion, FamilyBackend, companion
from variant_index.torch_index.backends import Backend, parse_backend, runnable
from variant_index.torch_index.builds import Build
from variant_index.torch_index.decide import decide, family_backend
from variant_index.torch_index.family import FAMILY, TORCH, is_backend_free
from variant_index.torch_index.reader import TorchIndex, TorchProject
from variant_index.torch_index.release import ReleaseDecision, is_hashed
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.network import Network
from variant_index.upstream.routing import Routing

if TYPE_CHECKING:
    from variant_index.extensions.torch_build import TorchBuild

__all__ = ["Expectations", "FamilyProject", "TorchFamily", "backend_of", "held_back_note", "present_family"]

_MOST_BESIDE: Final = 8
"""So many named members of the family have a say in torch's backend."""


@dataclass(frozen=True)
class FamilyProject:
    """One project of the family, decided.

    Attributes:
        name: the project's normal name.
        decisions: its releases, newest first.
        problems: what of the pages could not be read and why, one printable line each.
        warnings: what would have been chosen but was refused and why, one printable line each.
        unusable: releases without any build for this machine and interpreter, and why.
        project: what the index has of it.
    """

    name: str
    decisions: tuple[ReleaseDecision, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unusable: Mapping[Version, str] = field(default_factory=dict)
    project: TorchProject | None = None


class Expectations(Protocol):
    """What is known of the torch that there will be (see `expected_torch`)."""

    def staying(self) -> TorchBuild | None:
        """Return the installed torch, if it stays."""

    def build(self, supported: Properties, tags: TargetTags) -> TorchBuild | None:
        """Return the torch that there will be."""

    def companions(self) -> Mapping[str, SpecifierSet]:
        """Return what is asked for beside torch."""


class TorchFamily:
    """Decides for the torch family; what it decided for torch holds for the rest. Safe between threads.

    One object serves one machine and one interpreter.
    """

    def __init__(
        self, index: TorchIndex, prefer: Preference = "hardware", *, allow_unhashed: bool = False
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            index: PyTorch's index.
            prefer: what comes first, the hardware or the newest release.
            allow_unhashed: whether wheels without a hash may be used.
        """
        self._index = index
        self._prefer = prefer
        self._allow_unhashed = allow_unhashed
        self._lock = threading.Lock()
        self._expected: Expectations | None = None
        self._torch: tuple[FamilyProject, FamilyBackend] | None = None
        self._known: dict[tuple[str, str], tuple[tuple[object, ...], FamilyProject]] = {}

    def follow(self, expected: Expectations) -> None:
        """Let decisions follow the torch that there will be; to be said before anything is asked."""
        self._expected = expected

    @classmethod
    def open(
        cls, settings: TorchSettings, network: Network, routing: Routing | None = None
    ) -> TorchFamily | None:
        """Return the family as set up, None where it comes from the user's index like all else.

        The family follows torch, so where `routing` names the index of torch there is none either.
        """
        if settings.source is None or (routing is not None and routing.source(TORCH) is not None):
            return None
        index = TorchIndex(settings.source, network, settings.backends)
        return cls(index, settings.prefer, allow_unhashed=settings.allow_unhashed)

    @property
    def url(self) -> str:
        """The address of PyTorch's index or its mirror."""
        return self._index.source.url

    def __contains__(self, name: str) -> bool:
        return name in FAMILY

    def project(self, name: str, supported: Properties, tags: TargetTags) -> FamilyProject | None:
        """Return a project of the family; None when PyTorch's index does not have it.

        Raises:
            UpstreamError: a page cannot be read, or the index has no torch.
        """
        if name == TORCH:
            return self._decide_torch(supported, tags)[0]
        return self._followed(name, supported, tags, foreseen=True)

    def beside_installed(self, name: str, supported: Properties, tags: TargetTags) -> FamilyProject | None:
        """Return a project as if only the installed torch were known, not the one that there will be.

        Raises:
            UpstreamError: as `project`.
        """
        if name == TORCH:
            return self._decided_torch(supported, tags)[0]
        return self._followed(name, supported, tags, foreseen=False)

    def _followed(
        self, name: str, supported: Properties, tags: TargetTags, *, foreseen: bool
    ) -> FamilyProject | None:
        _, family = self._decided_torch(supported, tags)
        with self._lock:
            known = self._known.get((name, ""))
        before: FamilyProject | None
        if not foreseen and known is not None and known[0][1] == family:
            before = known[1]  # pages are not read again for the sake of others
        else:
            before = self._decide((name, ""), supported, tags, family)
        if self._expected is None or before is None or is_backend_free(name):
            return before
        builds = [self._expected.staying()]
        builds += [self._expected.build(supported, tags)] if foreseen else []
        settled = family
        for build in builds:
            if build is not None:
                settled = settled.settle(Version(build.version.public), backend_of(build))
        if settled is family:
            return before
        return self._decide((name, "foreseen" if foreseen else "installed"), supported, tags, settled, before)

    def _decided_torch(self, supported: Properties, tags: TargetTags) -> tuple[FamilyProject, FamilyBackend]:
        """Return what was decided for torch; its pages are not read again for the sake of others."""
        with self._lock:
            torch = self._torch
        return torch or self._decide_torch(supported, tags)

    def _decide_torch(self, supported: Properties, tags: TargetTags) -> tuple[FamilyProject, FamilyBackend]:
        found = self._decide((TORCH, ""), supported, tags, None)
        if found is None:
            url = printable(self._index.source.url)
            raise UpstreamError(f"{url} has no torch, so it is not PyTorch's index or a mirror of it")
        with self._lock:
            if self._torch is None or self._torch[0] is not found:
                self._torch = found, family_backend(found.decisions)
            return self._torch

    def _decide(
        self,
        key: tuple[str, str],
        supported: Properties,
        tags: TargetTags,
        torch: FamilyBackend | None,
        before: FamilyProject | None = None,
    ) -> FamilyProject | None:
        """Decide for a project, or return what was decided for the same key from the same pages."""
        name, _ = key
        beside: Mapping[str, SpecifierSet] = {}
        if self._expected is not None and torch is None:
            beside = self._expected.companions()
        if before is not None:
            project, others = before.project, list[TorchProject]()
        else:
            project, others = self._read([name, *list(beside)[:_MOST_BESIDE]], supported)
        if project is None:
            return None
        inputs = project, torch, others, beside
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == inputs:
            return known[1]
        decisions = decide(
            name,
            project.builds,
            supported,
            tags,
            family=torch,
            before=before.decisions if before is not None else None,
            beside=[self._companion(one, beside[one.name], tags, project) for one in others],
            prefer=self._prefer,
            allow_unhashed=self._allow_unhashed,
        )
        warnings = () if self._allow_unhashed else _unhashed_warning(project, decisions, supported, tags)
        decided = FamilyProject(
            name, decisions, project.problems, warnings, _unusable(project, decisions, tags), project
        )
        with self._lock:
            self._known[key] = inputs, decided
        return decided

    def _read(
        self, names: Sequence[str], supported: Properties
    ) -> tuple[TorchProject | None, list[TorchProject]]:
        """Read projects at the same time; return the first, and what there is of the others."""
        first, *others = names
        with ThreadPoolExecutor(_MOST_BESIDE) as pool:
            asked = [pool.submit(self._index.project, other, supported) for other in others]
            project = self._index.project(first, supported)
            return project, [found for one in asked if (found := one.result()) is not None]

    def _companion(
        self, project: TorchProject, specifier: SpecifierSet, tags: TargetTags, torch: TorchProject
    ) -> Companion:
        def is_usable(build: Build) -> bool:
            return (
                tags.position(build.wheel) is not None
                and tags.refusal(build.file.requires_python) is None
                and (self._allow_unhashed or is_hashed(build))
                and not build.file.yanked
            )

        return companion(project.name, project.builds, specifier, is_usable, torch.builds.keys())


def present_family(project: FamilyProject, found: Sequence[ProjectFile] = ()) -> Presented:
    """Decide what to list; pure.

    Of each release the chosen build, and the others as yanked. Every file is linked through the shim, under
    its own name, so that what was installed can be reported.

    Args:
        project: the project, decided.
        found: files of find-links locations, which are listed as they are and first.
    """
    taken = {file.filename for file in found}
    files = [Listed(file) for file in found]
    newest, passed = _newest_and_passed_over(project.decisions)
    for decision in project.decisions:
        reason = decision.reason
        if decision.held_back is not None:
            reason = f"pinned; {decision.held_back}"
        elif decision is newest and passed is not None:
            reason += f"; newest release that uses the GPU, VARIANT_INDEX_PREFER=version takes {passed}"
        for build in decision.chosen:
            yanked = decision.held_back or build.file.yanked
            files.append(_listed(project.name, build, decision.label, reason, yanked))
        for verdict in decision.pinnable:
            label = verdict.build.folder
            why = f"pinned; {verdict.yanked}"
            files.append(_listed(project.name, verdict.build, label, why, verdict.yanked or True))
    unique = [listed for listed in files[len(found) :] if listed.file.filename not in taken]
    return Presented(project.name, (*files[: len(found)], *unique), project.warnings)


def held_back_note(project: FamilyProject) -> str | None:
    """Return one line on the releases that were held back, None when there are none."""
    newest, passed = _newest_and_passed_over(project.decisions)
    if newest is None or passed is None:
        first = next(iter(project.decisions), None)
        return first.held_back if first is not None and not first.agrees else None
    return (
        f"{project.name} {newest.version} ({newest.label}) is the newest release that uses this machine's"
        f" GPU; {passed} is installed only by == or with VARIANT_INDEX_PREFER=version"
    )


def _newest_and_passed_over(
    decisions: Sequence[ReleaseDecision],
) -> tuple[ReleaseDecision | None, Version | None]:
    """Return the newest release that uses the hardware, and the newest one held back in its favour."""
    using = [one for one in decisions if one.held_back is None and one.uses_hardware]
    newest = next((one for one in using if not one.version.is_prerelease), next(iter(using), None))
    if newest is None:
        return None, None
    held = [one.version for one in decisions if one.held_back and one.version > newest.version]
    return newest, max(held, key=lambda version: (not version.is_prerelease, version), default=None)


def backend_of(torch: TorchBuild) -> Backend | None:
    """Return the backend folder that a torch is like, None where that is not known."""
    if torch.kind in ("cuda", "rocm"):
        if len(torch.toolkit) != 2:
            return None
        major, minor = torch.toolkit
        return parse_backend(f"cu{major}{minor}" if torch.kind == "cuda" else f"rocm{major}.{minor}")
    return None if torch.kind is None else parse_backend(torch.kind)


def _listed(name: str, build: Build, label: str, reason: str, yanked: bool | str) -> Listed:
    filename = build.file.filename
    chosen = Chosen(
        name, str(build.version), label, printable(reason, 500), filename, filename, build.file.hashes
    )
    return Listed(replace(build.file, yanked=yanked), chosen)


def _unusable(
    project: TorchProject, decisions: Iterable[ReleaseDecision], tags: TargetTags
) -> dict[Version, str]:
    decided = {decision.version for decision in decisions}
    return {
        version: "none of its builds is for this machine"
        if any(tags.position(build.wheel) is not None for build in builds)
        else "all of its wheels are for another Python or platform"
        for version, builds in project.builds.items()
        if version not in decided
    }


def _unhashed_warning(
    project: TorchProject, decisions: Iterable[ReleaseDecision], supported: Properties, tags: TargetTags
) -> tuple[str, ...]:
    """Return a line on wheels without a hash, where they would have been the better or the only choice."""
    by_version = {decision.version: decision for decision in decisions}

    def matters(version: Version, build: Build) -> bool:
        if build.file.hashes:
            return False
        if tags.position(build.wheel) is None or tags.refusal(build.file.requires_python) is not None:
            return False
        decision = by_version.get(version)
        if build.backend is None or decision is None:
            return decision is None
        return not decision.uses_hardware and build.folder in runnable([build.backend], supported)

    refused = [
        build for version, builds in project.builds.items() for build in builds if matters(version, build)
    ]
    if not refused:
        return ()
    newest = max(refused, key=lambda build: (build.version, build.file.filename))
    more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return (
        f"{project.name}: {printable(newest.file.filename)}{more} refused, because the index lists no hash to"
        f" check the bytes with; VARIANT_INDEX_ALLOW_UNHASHED=1 takes them",
    )
