"""What the torch family agrees on: the torch that each release belongs to, and that torch's backend; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.torch_index.backends import CPU, Backend, works_with
from variant_index.torch_index.builds import Build
from variant_index.torch_index.family import torch_release

__all__ = ["Companion", "FamilyBackend", "common_backend", "companion", "following_backend"]
__all__ += ["goes_with"]


@dataclass(frozen=True)
class FamilyBackend:
    """What was decided for torch, which the rest of its family follows.

    Attributes:
        by_release: torch's public version -> the backend chosen for it.
        newest: the torch that projects belong to whose versions do not tell: the newest that installers may
            take, or the one that there will be, where that is known. None when none is tied to a backend.
        settled: the torch releases that are installed or will be, which are followed whether their backend
            fits the machine or not.
    """

    by_release: Mapping[Version, Backend]
    newest: Version | None
    settled: frozenset[Version] = frozenset()

    def release(self, name: str, version: Version) -> Version | None:
        """Return the torch release that a release belongs to, None where nothing is known."""
        torch = torch_release(name, version)
        if torch is None:
            return self.newest
        if torch not in self.by_release:
            # A patch release of one project need not have a twin.
            minor = [known for known in self.by_release if known.release[:2] == torch.release[:2]]
            return max(minor, default=torch)
        return torch

    def settle(self, torch: Version, backend: Backend | None) -> FamilyBackend:
        """Return the same for a torch that is installed or will be, whatever was decided for its release.

        Args:
            torch: its public version.
            backend: None where that is not known.
        """
        by_release = self.by_release if backend is None else {**self.by_release, torch: backend}
        return FamilyBackend(by_release, torch, self.settled | {torch})


@dataclass(frozen=True)
class Companion:
    """A project that will be installed beside torch.

    Attributes:
        by_release: torch release -> the backends that it can be had for; those of releases that do not tell
            their torch are under None.
    """

    by_release: Mapping[Version | None, frozenset[Backend | None]]

    def backends(self, torch: Version) -> frozenset[Backend | None]:
        """Return what goes with a torch release; nothing where no release belongs to it."""
        anywhere = self.by_release.get(None, frozenset())
        if (exact := self.by_release.get(torch)) is not None:
            return exact | anywhere
        # A patch release of torch need not have a twin.
        near = [
            known for known in self.by_release if known is not None and known.release[:2] == torch.release[:2]
        ]
        return (self.by_release[max(near)] if near else frozenset()) | anywhere


def companion(
    name: str,
    builds: Mapping[Version, Iterable[Build]],
    specifier: SpecifierSet,
    is_usable: Callable[[Build], bool],
) -> Companion:
    """Return what a project offers to each torch release.

    Args:
        name: its normal name.
        builds: its wheels by public version.
        specifier: the versions that may be taken.
        is_usable: whether a wheel may be taken at all here.
    """
    found: dict[Version | None, set[Backend | None]] = {}
    for version, wheels in builds.items():
        backends = {
            build.backend
            for build in wheels
            if specifier.contains(build.version, prereleases=True) and is_usable(build)
        }
        if backends:
            found.setdefault(torch_release(name, version), set()).update(backends)
    return Companion({torch: frozenset(backends) for torch, backends in found.items()})


def common_backend(
    ranking: Sequence[Backend | None], beside: Iterable[frozenset[Backend | None]]
) -> Backend | None:
    """Choose torch's backend so that as much as possible of what is installed beside it goes with it.

    The hardware comes first: for companions a GPU is not given up.

    Args:
        ranking: torch's own backends that fit the machine, the best first; at least one.
        beside: the backends of each companion.
    """
    wanted = list(beside)
    best = ranking[0]
    if best is None or best.kind == CPU:
        return best

    def fit(backend: Backend) -> tuple[int, int]:
        same = [None in offered or backend in offered for offered in wanted]
        near = [
            fits or any(other is not None and works_with(other, backend) for other in offered)
            for fits, offered in zip(same, wanted, strict=True)
        ]
        return sum(same), sum(near)

    return max((one for one in ranking if one is not None and one.kind == best.kind), key=fit)


def following_backend(
    ranking: Sequence[Backend | None],
    offered: Iterable[Backend | None],
    torch: Backend | None,
    *,
    settled: bool,
) -> tuple[Backend | None, bool]:
    """Choose a backend that goes with torch's: the same, one of its toolkit, or one that needs none.

    Args:
        ranking: the backends that fit the machine, the best first; empty only where torch's is offered.
        offered: all backends that there are builds for.
        torch: torch's backend, None where that is not known.
        settled: whether torch's is followed even where it does not fit the machine.

    Returns:
        The backend, and whether it goes with torch's.
    """
    if torch is None:
        return ranking[0], True
    if torch in ranking or (settled and torch in offered):
        return torch, True
    for backend in ranking:
        if goes_with(backend, torch):
            return backend, True
    return ranking[0], False


def goes_with(backend: Backend | None, torch: Backend) -> bool:
    """Tell whether a build can be used with a torch: it is for the same toolkit, or needs no GPU."""
    return backend is None or backend.kind == CPU or works_with(backend, torch)
